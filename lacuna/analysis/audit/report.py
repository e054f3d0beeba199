"""The audit as metrics/audit.json, as a table for people, and as warnings."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lacuna.analysis.audit.audit import TargetAudit, telling_fields
from lacuna.analysis.audit.learning_curve import SHARES
from lacuna.analysis.audit.signal import ProbeResult
from lacuna.analysis.audit.tables import unsure
from lacuna.io.plurals import number_of
from lacuna.io.text_table import align
from lacuna.presentation.audit_verdicts import MetadataVerdict, MissingVerdict, SignalVerdict
from lacuna.stats.numbers import percent, rounded

RANDOM = 0.05
"""Copies agree no better than chance when the chance of so few conflicts is above this."""

FEWEST_COPIES = 5
"""Fewer groups of copies say nothing about chance."""

JsonDict = dict[str, Any]


def summarise_audit(audits: Sequence[TargetAudit], across: Mapping[str, int], frame: Mapping[str, Any]) -> JsonDict:
    """The content of metrics/audit.json; what is undefined is left out. `frame`: facts of the audit as a whole."""
    return {
        **frame,
        "conclusion": conclude_audit(audits),
        "duplicates_across_splits": dict(across),
        "targets": {audited.target.name: _target(audited) for audited in audits},
    }


def conclude_audit(audits: Sequence[TargetAudit]) -> str:
    """One sentence: which targets a model can learn."""
    verdicts = {audited.target.name: audited.signal for audited in audits}
    others = [f"{name} ({verdict})" for name, verdict in verdicts.items() if verdict != SignalVerdict.LEARNABLE]
    if all(verdict == SignalVerdict.NO_SIGNAL for verdict in verdicts.values()):
        return "No target has signal: a linear probe of the frozen features cannot tell its labels from shuffled ones"
    if not others:
        return "Every target is learnable"
    learnable = len(verdicts) - len(others)
    return (
        f"{learnable} of {len(verdicts)} targets {'is' if learnable == 1 else 'are'} learnable; not {', '.join(others)}"
    )


def audit_table(audits: Sequence[TargetAudit]) -> str:
    """A line per target: the probe's AUC with its interval, the corrected p and the verdicts."""
    lines = [("target", "known", "AUC", "p", "verdict", "AUC by metadata", "missing", "more labels")]
    for audited in audits:
        curve = "-" if audited.curve is None else audited.curve.verdict
        known = str(int(audited.probes.signal.known.sum()))
        p = f"{audited.adjusted['signal']:.3f}" if audited.probes.signal.enough else "-"
        lines.append(
            (
                audited.target.name,
                known,
                percent(_metrics(audited.probes.signal), "roc_auc"),
                p,
                audited.signal,
                percent(_metrics(audited.probes.metadata), "roc_auc"),
                {MissingVerdict.DEPENDS: "by image", MissingVerdict.NONE_MISSING: "none"}.get(
                    audited.missing, "at random"
                ),
                curve,
            )
        )
    return align(lines, left=(0, 4, 6, 7))


def audit_notes(audits: Sequence[TargetAudit], across: Mapping[str, int]) -> list[str]:
    """What a user should know before training, a line each."""
    notes = [
        f"{number_of(count, 'group of duplicates stands', 'groups of duplicates stand')} in both "
        f"{pair.replace('_', ' and ')}: metrics on the latter are flattered"
        for pair, count in across.items()
        if count
    ]
    for audited in audits:
        name = audited.target.name
        if audited.metadata == MetadataVerdict.CONFOUNDED:
            notes.append(f"{name} is confounded: the files' properties alone tell it, by {_by(audited)}")
        if audited.missing == MissingVerdict.DEPENDS:
            notes.append(
                f"{name}: which labels are missing depends on the image (AUC {audited.probes.missing.auc:.2f}): "
                "evaluate says whether by the label alone, so that its figures can be those of all images"
            )
        if random_copies(audited):
            notes.append(
                f"{name}: {audited.copies.conflicting} of {audited.copies.groups} groups of duplicates contradict "
                f"each other, labels drawn at random would in {audited.copies.by_chance:.1f}"
            )
        if audited.probes.signal.skipped and audited.signal != SignalVerdict.TOO_FEW:
            skipped = audited.probes.signal.skipped
            words = ", ".join(audited.target.classes[index] for index in list(skipped)[:3])
            more = ", ..." if len(skipped) > 3 else ""
            notes.append(
                f"{name}: {number_of(len(skipped), 'class is', 'classes are')} too rare for the audit ({words}{more})"
            )
    return notes


def describe_issues(audits: Sequence[TargetAudit]) -> list[str]:
    """How many labels of each target look wrong, beside how often the probe that says so agrees with the given ones."""
    return [
        f"  {audited.target.name}: {number_of(int(audited.issues.wrong.sum()), 'label looks', 'labels look')} wrong, "
        f"most doubtful first in label_issues.csv (the probe agrees with {audited.issues.agreement():.0%} of all)"
        for audited in audits
        if audited.issues is not None and audited.issues.wrong.any()
    ]


def random_copies(audited: TargetAudit) -> bool:
    """Whether copies of an image agree no better than labels drawn at random."""
    return audited.copies.groups >= FEWEST_COPIES and audited.copies.conflicting > 0 and audited.copies.p > RANDOM


def _target(audited: TargetAudit) -> JsonDict:
    known = int(audited.probes.signal.known.sum())
    content: JsonDict = {
        "kind": audited.target.kind,
        "n_known": known,
        "n_unknown": audited.n_unknown,
        "n_groups": audited.probes.signal.groups,
        "verdict": audited.signal,
        **_metrics(audited.probes.signal, audited.adjusted["signal"]),
        "skipped_classes": {
            audited.target.classes[index]: count for index, count in audited.probes.signal.skipped.items()
        },
        "missing": {"verdict": audited.missing, **_metrics(audited.probes.missing, audited.adjusted["missing"])},
        "metadata": {
            "verdict": audited.metadata,
            "by": _by(audited),
            **_metrics(audited.probes.metadata, audited.adjusted["metadata"]),
            "fields": {name: _metrics(field) for name, field in audited.fields.items() if field.enough},
        },
        "duplicates": {
            "groups": audited.copies.groups,
            "conflicting": audited.copies.conflicting,
            "by_chance": rounded(audited.copies.by_chance),
            "p": rounded(audited.copies.p),
        },
    }
    if audited.issues is not None:
        wrong = int(audited.issues.wrong.sum())
        share = rounded(wrong / len(audited.issues.wrong))
        content["label_issues"] = {
            "wrong": wrong,
            "share": share,
            "listed": len(audited.issues.listed()),
            "probe_agrees": rounded(audited.issues.agreement()),
        }
    if audited.unknown is not None:
        content["to_label"] = {
            "cells": len(audited.unknown.rows),
            "unsure": unsure(audited.unknown),
            "suggested": int(audited.unknown.sure.sum()),
            "likeliest": {
                audited.target.classes[index]: int((audited.unknown.likeliest == index).sum())
                for index in np.unique(audited.unknown.likeliest).tolist()
            },
            "sure_known": audited.unknown.n_sure,
            "sure_known_right": rounded(audited.unknown.right),
        }
    if audited.curve is not None:
        content["learning_curve"] = {
            "verdict": audited.curve.verdict,
            "gain": rounded(audited.curve.gain),
            "gain_error": rounded(audited.curve.error),
            **{
                f"{share:.0%}".rstrip("%"): {"labels": labels, "roc_auc": rounded(auc)}
                for share, labels, auc in zip(SHARES, audited.curve.labels, audited.curve.auc, strict=True)
            },
        }
    return content


def _metrics(probed: ProbeResult, adjusted: float | None = None) -> JsonDict:
    if not probed.enough:
        return {}
    metrics = {"roc_auc": probed.auc, "roc_auc_low": probed.low, "roc_auc_high": probed.high}
    if adjusted is not None:
        metrics |= {"p": probed.p, "p_adjusted": adjusted}
    return {name: rounded(value) for name, value in metrics.items() if not np.isnan(value)}


def _by(audited: TargetAudit) -> str:
    return (
        ", ".join(f"{name} (AUC {field.auc:.2f})" for name, field in telling_fields(audited.fields)[:3])
        or "no field by itself"
    )
