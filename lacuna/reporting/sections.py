"""The sections of the report, in the order of the work, from what the stages wrote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lacuna.calibration.selection import Selection
from lacuna.config.params import Params
from lacuna.evaluation.baseline_comparison import DECISIVE, NAMES, TABLE_METRICS, describe_gains
from lacuna.evaluation.verdicts import describe_missing
from lacuna.presentation.audit_verdicts import MetadataVerdict, SignalVerdict
from lacuna.reporting.page import PageTable, Section
from lacuna.reporting.pictures import SectionPictures
from lacuna.reporting.usability import Content, usable
from lacuna.stats.numbers import decimal, percent


@dataclass(frozen=True)
class ReportContent:
    """What the metrics files say, by the name of the stage; `validation` and `test` are those of evaluate.

    `pictures`: by the name of a section, as in `pictures.REPORT_PICTURES`.
    """

    prepare: Content
    explore: Content
    audit: Content
    baseline: Content
    explain: Content
    validation: Content
    test: Content
    bundle: Content
    pictures: Mapping[str, SectionPictures]

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


def first_screen(
    found: ReportContent, automation: Mapping[str, Automation], precision: float, certainty: float
) -> Section:
    """Can I use this model, for which targets, how good is it there, and how much of the tagging does it take over?"""
    rows, weak = [], set()
    for name in found.targets:
        metrics = found.test["targets"][name]
        use, reason = usable(name, found.test, found.audit, found.baseline)
        if use != "yes":
            weak.add(name)
        rows.append(
            (
                name,
                use,
                percent(metrics, "precision"),
                percent(metrics, "recall"),
                percent(metrics, "f1"),
                percent(metrics, "baseline_f1"),
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
        describe_missing(found.validation),
        tables=[PageTable(header, rows, caption, frozenset(weak))],
    )


def _why_missing(found: Mapping[str, Any], audited: str) -> str:
    """Why a target's labels are missing: by validation's scores where they show it, else whether the image tells it."""
    told = found.get("selection") in (Selection.BY_LABEL, Selection.BY_IMAGE)
    return str(found["selection"]) if told else audited


def describe_automation(automation: Automation) -> str:
    if automation.answered:
        return f"{automation.share:.0%} ({automation.right} of {automation.answered} right)"
    return (
        f"none: at least {automation.needed} more labels needed"
        if automation.needed
        else "none: not right often enough"
    )


def data_section(found: ReportContent) -> Section:
    prepare = found.prepare
    counts = [
        (
            name,
            f"{counted['known_share']:.0%}",
            *(f"{sum(counted[part].values()):,}" for part in ("train", "val", "test")),
            str(len(counted["train"])),
        )
        for name, counted in prepare["targets"].items()
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
    return Section(
        "What the data is",
        "Counts, gaps and pictures; test images are counted, not looked at.",
        [*said, *found.explore["findings"]],
        [PageTable(("target", "known", "train", "val", "test", "classes"), counts)],
        found.pictures["data"],
    )


def audit_section(found: ReportContent) -> Section:
    rows, weak = [], set()
    for name, audited in found.audit["targets"].items():
        auc = decimal(audited, "roc_auc")
        rows.append(
            (
                name,
                audited["verdict"],
                auc,
                f"{audited['p_adjusted']:.3f}" if "p_adjusted" in audited else "",
                _from_the_file(audited["metadata"]),
                _why_missing(found.validation["targets"].get(name, {}), audited["missing"]["verdict"]),
                f"{audited['label_issues']['wrong']:,}" if "label_issues" in audited else "",
                audited.get("learning_curve", {}).get("verdict", ""),
            )
        )
        if (
            audited["verdict"] != SignalVerdict.LEARNABLE
            or audited["metadata"]["verdict"] == MetadataVerdict.CONFOUNDED
        ):
            weak.add(name)
    header = (
        "target", "signal", "AUC", "p", "from the file alone", "missing labels", "label issues", "more labels"
    )  # fmt: skip
    caption = "A linear probe on the frozen network's features, before any training; p corrected for many targets."
    return Section(
        "What it supports",
        "Is there signal in these labels, is it what it seems, and would more labels help?",
        [f"{found.audit['conclusion']}."],
        [PageTable(header, rows, caption, frozenset(weak))],
        found.pictures["audit"],
    )


def _from_the_file(metadata: Content) -> str:
    told = metadata["verdict"] in (MetadataVerdict.CONFOUNDED, MetadataVerdict.FORETOLD) and metadata.get("by")
    return f"{metadata['verdict']}: {metadata['by']}" if told else str(metadata["verdict"])


def training_section(found: ReportContent, notes: Sequence[str]) -> Section:
    return Section(
        "How training went",
        "Warm-up makes the head, fine-tuning adds to it; kept is what validation shows to be better.",
        notes or ["neither over- nor underfitting shows in the curves"],
        pictures=found.pictures["training"],
    )


def result_section(found: ReportContent) -> Section:
    models = found.baseline["models"]
    rows = [
        (NAMES[name], *(decimal(model["macro"], metric) for metric in TABLE_METRICS), f"{model['parameters']:,}")
        for name, model in models.items()
    ]
    header = ("model", "ROC-AUC", "average precision", "F1", "log loss", "parameters")
    caption = f"On validation images, means over targets. {DECISIVE.replace('_', '-').upper()} decides what is beaten."
    return Section(
        "How good it is",
        "Beside simpler models, and with intervals that count copies of an image once.",
        describe_gains(found.baseline),
        [PageTable(header, rows, caption)],
        found.pictures["result"],
    )


def failures_section(found: ReportContent, mistakes: Sequence[str]) -> Section:
    rows = []
    for name, explained in found.explain["targets"].items():
        for where, worse in explained.get("worse_slices", {}).items():
            cells = (f"{worse[key]:.0%}" for key in ("accuracy", "rest"))
            rows.append((name, where, str(worse["images"]), *cells))
    tables = [PageTable(("target", "images", "how many", "right", "right elsewhere"), rows)] if rows else []
    pictures = found.pictures["failures"]
    said = list(mistakes) + ([] if rows else ["no kind of images is shown to be worse than the rest"])
    return Section(
        "Where it fails",
        "On validation images: the commonest mistakes by name, and kinds of images on which it is worse.",
        said,
        tables,
        pictures if rows else replace(pictures, open=()),  # without such kinds the sentence says all
    )


def attention_section(found: ReportContent) -> Section:
    targets = found.explain["targets"]
    if found.explain["maps"] == "none":
        said = ["no heat maps: the features are of no map with more than one place"]
        return Section("What it looks at", "The images themselves.", said, pictures=found.pictures["attention"])
    shown = [name for name, explained in targets.items() if explained.get("faithfulness", {}).get("shown")]
    others = [name for name in targets if name not in shown]
    said = [f"maps: {found.explain['maps']}; they are shown to hold for {', '.join(shown) or 'no target'}"]
    if others:
        said.append(f"not for {', '.join(others)}: don't read anything into these")
    return Section(
        "What it looks at",
        "Orange speaks for the decision. A model may be right for a reason that will not hold elsewhere.",
        said,
        pictures=found.pictures["attention"],
    )


def again_section(found: ReportContent, params: Params) -> Section:
    """How to make the same model: versions, digests of the data, parameters."""
    values = params.model_dump(mode="json")
    listed = "\n".join(f"{block}.{key}: {value}" for block, keys in values.items() for key, value in keys.items())
    versions = [(name, version) for name, version in found.bundle["origin"]["versions"].items()]
    digests = [(name, value) for name, value in found.bundle["origin"].items() if name.endswith("_sha256")]
    return Section(
        "How to make it again",
        "git checkout of this commit, dvc pull, dvc repro.",
        tables=[PageTable(("library", "version"), versions), PageTable(("what", "SHA-256"), digests), STAGES],
        commands=[listed],
    )


STAGES = PageTable(
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
