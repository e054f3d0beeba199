"""The sections of the report on the data: which labels to add or check, what there is, what the labels support."""

from collections.abc import Mapping
from typing import Any

from lacuna.calibration.selection import Selection
from lacuna.evaluation.verdicts import TOO_FEW
from lacuna.io.plurals import number_of
from lacuna.presentation.audit_verdicts import CurveVerdict, MetadataVerdict, SignalVerdict
from lacuna.reporting.advice import TargetFacts
from lacuna.reporting.page import PageTable, Section
from lacuna.reporting.sections import ReportContent
from lacuna.reporting.target_facts import Content
from lacuna.stats.numbers import decimal

CURVES: Mapping[str, str] = {
    CurveVerdict.RISING: "more labels make it better",
    CurveVerdict.LEVEL: "more labels hardly make it better",
    CurveVerdict.NOT_TOLD: "whether more labels make it better cannot be told from so few",
}

LOST = {
    "images_without_labels": ("image without a label row", "images without a label row"),
    "rows_without_image": ("label row without an image", "label rows without an image"),
    "rows_malformed": ("malformed label row", "malformed label rows"),
    "rows_repeated": ("repeated label row", "repeated label rows"),
    "groups_across_splits": ("group that stands in more than one part", "groups that stand in more than one part"),
}


def work_section(found: ReportContent, facts: Mapping[str, TargetFacts]) -> Section:
    """Which labels are worth a person's time: those that are lacking, and those that look wrong."""
    rows = []
    for name, of_target in facts.items():
        audited = found.audit["targets"].get(name, {})
        rows.append(
            (
                name,
                _what_labels_bring(of_target, audited.get("learning_curve", {})),
                f"{audited['to_label']['cells']:,}" if "to_label" in audited else "",
                f"{of_target.issues:,}" if "label_issues" in audited else "",
            )
        )
    header = ("label", "what more labels bring", "in to_label.csv", "in label_issues.csv")
    return Section(
        "Which labels to add, which to check",
        "The lists lie in data/audit/. Fill in their column “corrected”, put the file into corrections/ and name it in "
        "data.corrections of params.yaml.",
        tables=[PageTable(header, rows)],
        notes=[
            "Labels serve two ends. Some show that its answers can be trusted, so that it may answer by itself or be "
            "judged at all: so many are needed at least, spread over training, validation and test as labels are now. "
            "Others make it better.",
            "Better: how well images are put in order with a tenth of the labels and with all of them (0.5 by chance, "
            "1 is best), and whether the last doubling still brought something.",
            "to_label.csv: images without this label, the ones first that the model is least sure of. "
            "label_issues.csv: labels that look wrong; many are right, only a look at the image tells.",
        ],
        pictures=found.pictures["work"],
    )


def _what_labels_bring(facts: TargetFacts, curve: Content) -> str:
    """One sentence on both ends of new labels: to show what may be trusted, and to learn from.

    `curve`: the target's learning curve in the audit's metrics.
    """
    grown = f" ({curve['10']['roc_auc']:.2f} to {curve['100']['roc_auc']:.2f})" if "100" in curve else ""
    better = f"{CURVES[facts.curve]}{grown}" if facts.curve in CURVES else ""
    if not facts.wanted:
        return better or "none is lacking"
    is_judged = TOO_FEW not in (facts.verdict, facts.signal)
    end = "show that it may answer by itself" if is_judged else "judge it by"
    also = f"; {'beyond that, ' if facts.curve == CurveVerdict.LEVEL else ''}{better}" if better else ""
    return f"{facts.wanted}, to {end}: {facts.where}{also}"


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
    groups = number_of(prepare["groups"], "group")
    said = [f"{number_of(prepare['images'], 'image')} in {groups} of images that belong together"]
    said += [number_of(prepare[key], *words) for key, words in LOST.items() if prepare.get(key)]
    header = ("label", "known", "to learn from", "to set decisions", "to test", "classes")
    return Section(
        "What the data is",
        "Counts, gaps and pictures; test images are counted, not looked at.",
        [*said, *found.explore["findings"]],
        [PageTable(header, counts, "How many images have each label.")],
        pictures=found.pictures["data"],
    )


def audit_section(found: ReportContent) -> Section:
    rows, weak = [], set()
    for name, audited in found.audit["targets"].items():
        rows.append(
            (
                name,
                audited["verdict"],
                decimal(audited, "roc_auc"),
                f"{audited['p_adjusted']:.3f}" if "p_adjusted" in audited else "",
                _from_the_file(audited["metadata"]),
                _why_missing(found.validation["targets"].get(name, {}), audited["missing"]["verdict"]),
            )
        )
        if (
            audited["verdict"] != SignalVerdict.LEARNABLE
            or audited["metadata"]["verdict"] == MetadataVerdict.CONFOUNDED
        ):
            weak.add(name)
    header = ("label", "follows from the image?", "right order", "by luck", "does the file alone tell it?", "gaps")
    return Section(
        "What the labels support",
        "Asked before any training: can the labels be told from the images, and is it what it seems?",
        [f"{found.audit['conclusion']}."],
        [PageTable(header, rows, weak=frozenset(weak))],
        notes=[
            "Right order: how often two images are put in the right order (ROC-AUC: 0.5 by chance, 1 always), with its "
            "range. By luck: the chance of an order that good if labels and images had nothing in common.",
            "The file alone: what format, size, bytes and brightness tell. Where format or size do, the model may know "
            "where an image comes from and not what it shows.",
            "Gaps: whether it is by accident which images have no label.",
        ],
        pictures=found.pictures["audit"],
    )


def _why_missing(found: Mapping[str, Any], audited: str) -> str:
    """Why a target's labels are missing: by validation's scores where they show it, else whether the image tells it."""
    told = found.get("selection") in (Selection.BY_LABEL, Selection.BY_IMAGE)
    return str(found["selection"]) if told else audited


def _from_the_file(metadata: Content) -> str:
    if metadata["verdict"] == MetadataVerdict.CONFOUNDED:
        return f"yes, it gives the answer away: {metadata['by']}"
    if metadata["verdict"] == MetadataVerdict.FORETOLD:
        return f"in part, which may be what it shows: {metadata['by']}"
    return "no" if metadata["verdict"] == MetadataVerdict.NOTHING_SHOWN else str(metadata["verdict"])
