"""The sections of the report, in the order of the work, from what the stages wrote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lacuna.evaluation.baseline_comparison import DECISIVE, NAMES, SHOWN, describe_gains
from lacuna.presentation.numbers import decimal, percent
from lacuna.reporting.page import Picture, Section, Table, existing
from lacuna.reporting.usability import usable

Content = Mapping[str, Any]

MOST_SHEETS = 12
"""Of more targets than these, only so many have their sheets of images on the page; the files hold all."""


@dataclass(frozen=True)
class Found:
    """What the metrics files say, by the name of the stage; `validation` and `test` are those of evaluate."""

    prepare: Content
    explore: Content
    audit: Content
    baseline: Content
    explain: Content
    validation: Content
    test: Content
    bundle: Content
    plots: Path

    @property
    def targets(self) -> list[str]:
        return list(self.test["targets"])


@dataclass(frozen=True)
class Automation:
    """What a target may answer by itself: of the test images the share answered and, of the known ones among these,
    how many were right; `needed`: as in `selective.Promise`."""

    share: float
    answered: int
    right: int
    needed: int


def first_screen(found: Found, automation: Mapping[str, Automation], precision: float, certainty: float) -> Section:
    """Can I use this model, for which targets, how good is it there, and how much of the tagging does it take over?"""
    rows, weak = [], set()
    for name in found.targets:
        figures = found.test["targets"][name]
        use, reason = usable(name, found.test, found.audit, found.baseline)
        if use != "yes":
            weak.add(name)
        rows.append(
            (
                name,
                use,
                percent(figures, "precision"),
                percent(figures, "recall"),
                percent(figures, "f1"),
                percent(figures, "baseline_f1"),
                describe_automation(automation[name]),
                reason,
            )
        )
    header = ("target", "usable?", "precision", "recall", "F1", "trivial F1", "answers by itself", "because")
    caption = (
        "On test images, percent with intervals. Trivial: the best predictor that never looks at an image. Answers by "
        f"itself: of all images, those that it is sure enough of for {precision:.0%} of such answers to be right, with "
        f"{certainty:.0%} certainty; in brackets how many of those on test were."
    )
    return Section(
        "Can I use it?",
        "For which targets, how good, and how much of the tagging does it take over?",
        tables=[Table(header, rows, caption, frozenset(weak))],
    )


def describe_automation(one: Automation) -> str:
    if one.answered:
        return f"{one.share:.0%} ({one.right} of {one.answered} right)"
    return f"none: at least {one.needed} more labels needed" if one.needed else "none: not right often enough"


def data_section(found: Found) -> Section:
    plots, prepare = found.plots / "explore", found.prepare
    counts = [
        (
            name,
            f"{one['known_share']:.0%}",
            *(f"{sum(one[part].values()):,}" for part in ("train", "val", "test")),
            str(len(one["train"])),
        )
        for name, one in prepare["targets"].items()
    ]
    lost = {
        "images_without_labels": "images without a label row",
        "rows_without_image": "label rows without an image",
        "rows_malformed": "malformed label rows",
        "rows_repeated": "repeated label rows",
        "groups_across_splits": "groups that stand in more than one part",
    }
    said = [f"{prepare['images']:,} images in {prepare['groups']:,} groups of images that belong together"]
    said += [f"{prepare[key]:,} {words}" for key, words in lost.items() if prepare.get(key)]
    sheets = [Picture(plots / f"samples/{name}.png", f"Images by the class of {name}") for name in found.targets]
    return Section(
        "What the data is",
        "Counts, gaps and pictures; test images are counted, not looked at.",
        [*said, *found.explore["findings"]],
        [Table(("target", "known", "train", "val", "test", "classes"), counts)],
        existing(
            Picture(plots / "labels.png", "Present, absent and unknown labels of every target"),
            Picture(plots / "views.png", "Images and the changed copies that training sees: is the class still there?"),
        ),
        existing(
            Picture(plots / "classes.png", "Images of each class"),
            *sheets[:MOST_SHEETS],
            Picture(plots / "missing_by_class.png", "Where labels are missing more often"),
            Picture(plots / "association.png", "Which targets go together"),
            Picture(plots / "files.png", "The files before they were made square"),
            Picture(plots / "odd.png", "Images unlike the others"),
            Picture(plots / "rejected.png", "Images that could not be taken"),
        ),
    )


def audit_section(found: Found) -> Section:
    plots, rows, weak = found.plots / "audit", [], set()
    for name, one in found.audit["targets"].items():
        auc = decimal(one, "roc_auc")
        rows.append(
            (
                name,
                one["verdict"],
                auc,
                f"{one['p_adjusted']:.3f}" if "p_adjusted" in one else "",
                _from_the_file(one["metadata"]),
                one["missing"]["verdict"],
                f"{one['label_errors']['wrong']:,}" if "label_errors" in one else "",
                one.get("learning_curve", {}).get("verdict", ""),
            )
        )
        if one["verdict"] != "learnable" or one["metadata"]["verdict"] == "confounded":
            weak.add(name)
    header = (
        "target", "signal", "AUC", "p", "from the file alone", "missing labels", "doubtful labels", "more labels"
    )  # fmt: skip
    caption = "A linear probe on the frozen network's features, before any training; p after Holm's correction."
    return Section(
        "What it supports",
        "Is there signal in these labels, is it what it seems, and would more labels help?",
        [f"{found.audit['conclusion']}."],
        [Table(header, rows, caption, frozenset(weak))],
        existing(Picture(plots / "signal.png", "How well a linear probe ranks images, beside shuffled labels")),
        existing(
            Picture(plots / "metadata.png", "What the file alone tells: format, size, brightness"),
            Picture(plots / "learning_curve.png", "The probe with 10, 25, 50 and 100 % of the labels"),
            Picture(plots / "label_errors.png", "The labels most in doubt: data/audit/label_errors.csv"),
            Picture(plots / "to_label.png", "What to label next: data/audit/to_label.csv"),
            Picture(plots / "conflicts.png", "Copies with different labels"),
        ),
    )


def _from_the_file(metadata: Content) -> str:
    told = metadata["verdict"] in ("confounded", "foretold") and metadata.get("by")
    return f"{metadata['verdict']}: {metadata['by']}" if told else str(metadata["verdict"])


def training_section(found: Found, notes: Sequence[str]) -> Section:
    return Section(
        "How training went",
        "Warm-up trains the head, fine-tuning the upper layers; the epoch with the lowest validation loss is kept.",
        notes or ["neither over- nor underfitting shows in the curves"],
        pictures=existing(Picture(found.plots / "loss_curve.png", "Log loss over both phases")),
    )


def result_section(found: Found) -> Section:
    models = found.baseline["models"]
    rows = [
        (NAMES[name], *(decimal(model["macro"], figure) for figure in SHOWN), f"{model['parameters']:,}")
        for name, model in models.items()
    ]
    header = ("model", "ROC-AUC", "average precision", "F1", "log loss", "parameters")
    caption = f"On validation images, means over targets. {DECISIVE.replace('_', '-').upper()} decides what is beaten."
    return Section(
        "How good it is",
        "Beside simpler models, and with intervals that count copies of an image once.",
        describe_gains(found.baseline),
        [Table(header, rows, caption)],
        existing(
            Picture(found.plots / "attributes.png", "Every target beside the best trivial predictor"),
            Picture(found.plots / "baseline.png", "Every target beside simpler models"),
        ),
        existing(
            Picture(found.plots / "pr_curves.png", "Precision against recall, and what was decided for"),
            Picture(found.plots / "reliability.png", "Is what it says with 80 % true in 80 % of the cases?"),
        ),
    )


def failures_section(found: Found, mistakes: Sequence[str]) -> Section:
    plots, rows = found.plots / "explain", []
    for name, one in found.explain["targets"].items():
        for where, worse in one.get("worse_slices", {}).items():
            cells = (f"{worse[key]:.0%}" for key in ("accuracy", "rest"))
            rows.append((name, where, str(worse["images"]), *cells))
    tables = [Table(("target", "images", "how many", "right", "right elsewhere"), rows)] if rows else []
    said = list(mistakes) + ([] if rows else ["no kind of images is shown to be worse than the rest"])
    pairs = [Picture(plots / f"confused/{name}.png", f"What is confused in {name}") for name in found.targets]
    matrices = [
        Picture(found.plots / f"confusion/{name}.png", f"{name}: what it is, what it is taken for")
        for name in found.targets
    ]
    maps = [
        Picture(plots / f"embedding/{name}.png", f"Validation images by likeness: {name}") for name in found.targets
    ]
    return Section(
        "Where it fails",
        "On validation images: the commonest mistakes by name, and kinds of images on which it is worse.",
        said,
        tables,
        existing(Picture(plots / "slices.png", "Kinds of images that are worse, beside the rest")) if rows else (),
        existing(*matrices[:MOST_SHEETS], *pairs[:MOST_SHEETS], *maps[:MOST_SHEETS]),
    )


def attention_section(found: Found) -> Section:
    plots, targets = found.plots / "explain", found.explain["targets"]
    shown = [name for name, one in targets.items() if one.get("faithfulness", {}).get("shown")]
    others = [name for name in targets if name not in shown]
    said = [f"maps: {found.explain['maps']}; they are shown to hold for {', '.join(shown) or 'no target'}"]
    if others:
        said.append(f"not for {', '.join(others)}: don't read anything into these")
    sheets = existing(*(Picture(plots / f"examples/{name}.png", f"{name}: what decisions rest on") for name in targets))
    return Section(
        "What it looks at",
        "Orange speaks for the decision. A model may be right for a reason that will not hold elsewhere.",
        said,
        pictures=[*existing(Picture(plots / "faithfulness.png", "Do the maps hold?")), *sheets[:1]],
        more=sheets[1:MOST_SHEETS],
    )


def again_section(found: Found, params: str) -> Section:
    """How to make the same model: versions, digests of the data, parameters (the text of params.yaml's values)."""
    versions = [(name, version) for name, version in found.bundle["origin"]["versions"].items()]
    digests = [(name, value) for name, value in found.bundle["origin"].items() if name.endswith("_sha256")]
    return Section(
        "How to make it again",
        "git checkout of this commit, dvc pull, dvc repro.",
        tables=[Table(("library", "version"), versions), Table(("what", "SHA-256"), digests), STAGES],
        commands=[params],
    )


STAGES = Table(
    ("CRISP-DM", "OSEMN", "stages"),
    [
        ("business understanding", "", "params.yaml: targets, decision rules, costs"),
        ("data understanding", "obtain, explore", "ingest, explore, audit"),
        ("data preparation", "scrub", "prepare, featurize"),
        ("modelling", "model", "train_warmup, train_finetune, train_baselines, calibrate"),
        ("evaluation", "interpret", "evaluate, baseline, explain, report"),
        ("deployment", "", "export, bundle, track"),
    ],
    "The stages in the words of two process models.",
)
