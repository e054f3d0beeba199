"""The audit in figures for metrics/audit.json, in a table for people, and in warnings."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lacuna.analysis.audit.audit import CONFOUNDED, DEPENDS, NONE_MISSING, TargetAudit, tell_tales
from lacuna.analysis.audit.label_errors import Doubts
from lacuna.analysis.audit.learning_curve import SHARES
from lacuna.analysis.audit.signal import LEARNABLE, NO_SIGNAL, TOO_FEW, Measured
from lacuna.analysis.audit.tables import unsure
from lacuna.io.text_table import align
from lacuna.presentation.numbers import percent, rounded

RISING, FLAT = "rising", "no gain shown"

RANDOM = 0.05
"""Copies agree no better than chance when the chance of so few conflicts is above this."""

FEWEST_COPIES = 5
"""Fewer groups of copies say nothing about chance."""

Figures = dict[str, Any]


def summarise_audit(audits: Sequence[TargetAudit], across: Mapping[str, int], frame: Mapping[str, Any]) -> Figures:
    """The content of metrics/audit.json; what is undefined is left out. `frame`: facts of the audit as a whole."""
    return {
        **frame,
        "conclusion": conclude_audit(audits),
        "duplicates_across_splits": dict(across),
        "targets": {one.target.name: _target(one) for one in audits},
    }


def conclude_audit(audits: Sequence[TargetAudit]) -> str:
    """One sentence: which targets a model can learn."""
    verdicts = {one.target.name: one.signal.verdict for one in audits}
    others = [f"{name} ({verdict})" for name, verdict in verdicts.items() if verdict != LEARNABLE]
    if all(verdict == NO_SIGNAL for verdict in verdicts.values()):
        return "No target has signal: a linear probe of the frozen features cannot tell its labels from shuffled ones"
    if not others:
        return "Every target is learnable"
    learnable = len(verdicts) - len(others)
    return (
        f"{learnable} of {len(verdicts)} targets {'is' if learnable == 1 else 'are'} learnable; not {', '.join(others)}"
    )


def audit_table(audits: Sequence[TargetAudit]) -> str:
    """A line per target: the probe's AUC with its interval, p after Holm's correction, and the verdicts."""
    lines = [("target", "known", "AUC", "p", "verdict", "AUC by metadata", "missing", "more labels")]
    for one in audits:
        curve = "-" if one.curve is None else RISING if one.curve.rising else FLAT
        known = str(int(one.signal.measured.known.sum()))
        p = f"{one.signal.adjusted:.3f}" if one.signal.measured.enough else "-"
        lines.append(
            (
                one.target.name,
                known,
                _percents(one.signal.measured),
                p,
                one.signal.verdict,
                _percents(one.metadata.measured),
                {DEPENDS: "by image", NONE_MISSING: "none"}.get(one.missing.verdict, "at random"),
                curve,
            )
        )
    return align(lines, left=(0, 4, 6, 7))


def audit_notes(audits: Sequence[TargetAudit], across: Mapping[str, int]) -> list[str]:
    """What a user should know before training, a line each."""
    notes = [
        f"{count} groups of duplicates stand in both {pair.replace('_', ' and ')}: figures on the latter are flattered"
        for pair, count in across.items()
        if count
    ]
    for one in audits:
        name = one.target.name
        if one.metadata.verdict == CONFOUNDED:
            notes.append(f"{name} is confounded: the files' properties alone foretell it, by {_by(one)}")
        if one.missing.verdict == DEPENDS:
            notes.append(
                f"{name}: which labels are missing depends on the image (AUC {one.missing.measured.auc:.2f}): all its "
                "figures describe labelled images only"
            )
        if random_copies(one):
            notes.append(
                f"{name}: {one.copies.conflicting} of {one.copies.groups} groups of duplicates contradict each other, "
                f"labels drawn at random would in {one.copies.by_chance:.1f}"
            )
        if one.signal.measured.skipped and one.signal.verdict != TOO_FEW:
            skipped = one.signal.measured.skipped
            words = ", ".join(one.target.classes[index] for index in list(skipped)[:3])
            more = ", ..." if len(skipped) > 3 else ""
            notes.append(f"{name}: {len(skipped)} classes are too rare for the audit ({words}{more})")
    return notes


def describe_doubts(audits: Sequence[TargetAudit]) -> list[str]:
    """How many labels of each target look wrong, beside how often the probe that says so agrees with the given ones."""
    return [
        f"  {one.target.name}: {int(one.doubts.wrong.sum())} labels look wrong, most doubtful first in "
        f"label_errors.csv (the probe agrees with {_agreed(one.doubts):.0%} of all)"
        for one in audits
        if one.doubts is not None and one.doubts.wrong.any()
    ]


def random_copies(one: TargetAudit) -> bool:
    """Whether copies of an image agree no better than labels drawn at random."""
    return one.copies.groups >= FEWEST_COPIES and one.copies.conflicting > 0 and one.copies.p > RANDOM


def _target(one: TargetAudit) -> Figures:
    known = int(one.signal.measured.known.sum())
    figures: Figures = {
        "kind": one.target.kind,
        "n_known": known,
        "n_unknown": len(one.signal.measured.known) - known,
        "n_groups": one.signal.measured.groups,
        "verdict": one.signal.verdict,
        **_figures(one.signal.measured, one.signal.adjusted),
        "skipped_classes": {one.target.classes[index]: count for index, count in one.signal.measured.skipped.items()},
        "missing": {"verdict": one.missing.verdict, **_figures(one.missing.measured, one.missing.adjusted)},
        "metadata": {
            "verdict": one.metadata.verdict,
            "by": _by(one),
            **_figures(one.metadata.measured, one.metadata.adjusted),
            "fields": {name: _figures(field) for name, field in one.fields.items() if field.enough},
        },
        "duplicates": {
            "groups": one.copies.groups,
            "conflicting": one.copies.conflicting,
            "by_chance": rounded(one.copies.by_chance),
            "p": rounded(one.copies.p),
        },
    }
    if one.doubts is not None:
        wrong = int(one.doubts.wrong.sum())
        share = rounded(wrong / len(one.doubts.wrong))
        figures["label_errors"] = {
            "wrong": wrong,
            "share": share,
            "listed": len(one.doubts.listed()),
            "probe_agrees": rounded(_agreed(one.doubts)),
        }
    if one.wanted is not None:
        figures["to_label"] = {
            "cells": len(one.wanted.rows),
            "unsure": unsure(one.wanted),
            "suggested": int(one.wanted.sure.sum()),
            "sure_known": one.wanted.n_sure,
            "sure_known_right": rounded(one.wanted.right),
        }
    if one.curve is not None:
        figures["learning_curve"] = {
            "verdict": RISING if one.curve.rising else FLAT,
            "gain": rounded(one.curve.gain),
            "gain_error": rounded(one.curve.error),
            **{
                f"{share:.0%}".rstrip("%"): {"labels": labels, "roc_auc": rounded(auc)}
                for share, labels, auc in zip(SHARES, one.curve.labels, one.curve.auc, strict=True)
            },
        }
    return figures


def _figures(measured: Measured, adjusted: float | None = None) -> Figures:
    if not measured.enough:
        return {}
    figures = {"roc_auc": measured.auc, "roc_auc_low": measured.low, "roc_auc_high": measured.high}
    if adjusted is not None:
        figures |= {"p": measured.p, "p_adjusted": adjusted}
    return {name: rounded(value) for name, value in figures.items() if not np.isnan(value)}


def _by(one: TargetAudit) -> str:
    return (
        ", ".join(f"{name} (AUC {field.auc:.2f})" for name, field in tell_tales(one.fields)[:3]) or "no field by itself"
    )


def _agreed(doubts: Doubts) -> float:
    return float((doubts.given == doubts.likeliest).mean())


def _percents(measured: Measured) -> str:
    return percent(_figures(measured), "roc_auc")
