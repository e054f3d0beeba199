"""The sections of the report on the data: which labels to add or check, what there is, what the labels support."""

from collections.abc import Mapping
from typing import Any

from lacuna.calibration.selection import Selection
from lacuna.presentation.audit_verdicts import CurveVerdict, MetadataVerdict, SignalVerdict
from lacuna.reporting.advice import TargetFacts
from lacuna.reporting.page import PageTable, Section
from lacuna.reporting.sections import ReportContent
from lacuna.reporting.target_facts import Content
from lacuna.stats.numbers import decimal

CURVES: Mapping[str, str] = {
    CurveVerdict.RISING: "yes: still rising",
    CurveVerdict.LEVEL: "hardly: level",
    CurveVerdict.NOT_TOLD: "not told: too few to see",
}

LOST = {
    "images_without_labels": "images without a label row",
    "rows_without_image": "label rows without an image",
    "rows_malformed": "malformed label rows",
    "rows_repeated": "repeated label rows",
    "groups_across_splits": "groups that stand in more than one part",
}


def work_section(found: ReportContent, facts: Mapping[str, TargetFacts]) -> Section:
    """Which labels are worth a person's time: those that are lacking, and those that look wrong."""
    rows = []
    for name, of_target in facts.items():
        audited = found.audit["targets"].get(name, {})
        curve, wanted = audited.get("learning_curve", {}), f"{of_target.wanted}: {of_target.where}"
        grown = f", {curve['10']['roc_auc']:.2f} to {curve['100']['roc_auc']:.2f}" if "100" in curve else ""
        rows.append(
            (
                name,
                wanted if of_target.wanted else "none",
                f"{CURVES[of_target.curve]}{grown}" if of_target.curve in CURVES else "",
                f"{audited['to_label']['cells']:,}" if "to_label" in audited else "",
                f"{of_target.issues:,}" if "label_issues" in audited else "",
            )
        )
    header = ("label", "lacking", "do more labels help?", "in to_label.csv", "in label_issues.csv")
    return Section(
        "Which labels to add, which to check",
        "The lists lie in data/audit/. Fill in their column “corrected”, put the file into corrections/ and name it in "
        "data.corrections of params.yaml.",
        tables=[PageTable(header, rows)],
        notes=[
            "Lacking: what is missing at least before it may answer by itself, or be judged at all, if new labels are "
            "spread over training, validation and test as they are now.",
            "Do more labels help: how well images are put in order with a tenth of the labels and with all of them "
            "(0.5 by chance, 1 is best), and whether the last doubling still brought something.",
            "to_label.csv: images without this label, the ones first that the model is least sure of. "
            "label_issues.csv: labels that look wrong; many are right, only a look at the image tells.",
        ],
        pictures=found.pictures["work"],
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
    said = [f"{prepare['images']:,} images in {prepare['groups']:,} groups of images that belong together"]
    said += [f"{prepare[key]:,} {words}" for key, words in LOST.items() if prepare.get(key)]
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
