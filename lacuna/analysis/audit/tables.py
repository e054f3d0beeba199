"""The audit's lists of cells, made to be edited: a person fills in `corrected`, and the file comes back as corrections.

All begin with image, target, given, corrected (see `lacuna.data.labels.corrections`); the others help to decide. What a
spreadsheet would take for a formula is escaped, with `escapes` (see `lacuna.io.spreadsheets`).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.analysis.audit.audit import TargetAudit
from lacuna.analysis.audit.to_label import UnknownCells
from lacuna.core.correction_table import COLUMNS, UNKNOWN_WORD
from lacuna.core.manifest import Manifest
from lacuna.core.targets import UNKNOWN, Targets
from lacuna.io.spreadsheets import write_sheet
from lacuna.stats.numbers import rounded

UNSURE = 0.5
"""From this entropy on (1 is the most), a cell counts as one whose label would tell something new."""

Line = tuple[object, ...]
"""A row of a table."""


def write_label_issues(path: Path, manifest: Manifest, audits: Sequence[TargetAudit], escapes: bool) -> None:
    """The label issues of all targets and the labels next to them, lowest quality first."""
    lines: list[tuple[float, Line]] = []
    for audited in audits:
        if audited.issues is None:
            continue
        issues, classes = audited.issues, audited.target.classes
        for place in issues.listed().tolist():
            row = int(issues.rows[place])
            given, likeliest = classes[issues.given[place]], classes[issues.likeliest[place]]
            chance = issues.probabilities[place].max()
            cells = (manifest.image[row], audited.target.name, given, "", likeliest, round(float(chance), 4))
            quality = float(issues.quality[place])
            wrong = "yes" if issues.wrong[place] else "no"
            lines.append((quality, (*cells, rounded(quality), wrong, manifest.split[row])))
    lines.sort(key=lambda line: line[0])
    header = (*COLUMNS, "suggested", "probability", "quality", "looks_wrong", "split")
    write_sheet(path, header, (line for _, line in lines), escapes)


def write_to_label(path: Path, manifest: Manifest, audits: Sequence[TargetAudit], escapes: bool) -> None:
    """The unknown cells of all targets with signal, most valuable first."""
    lines: list[tuple[float, Line]] = []
    for audited in audits:
        if audited.unknown is None:
            continue
        unknown, classes = audited.unknown, audited.target.classes
        for place in range(len(unknown.rows)):
            row, likeliest = int(unknown.rows[place]), classes[unknown.likeliest[place]]
            suggested = likeliest if unknown.sure[place] else ""
            chance, value = round(float(unknown.probability[place]), 4), rounded(unknown.value[place])
            cells = (manifest.image[row], audited.target.name, UNKNOWN_WORD, "", suggested, likeliest, chance, value)
            lines.append((-value, (*cells, manifest.split[row])))
    lines.sort(key=lambda line: line[0])
    header = (*COLUMNS, "suggested", "likeliest", "probability", "value", "split")
    write_sheet(path, header, (line for _, line in lines), escapes)


def write_to_label_test(path: Path, manifest: Manifest, targets: Targets, seed: int, escapes: bool) -> None:
    """The unknown cells of the test part (`manifest`), those of one image together, one image of each group.

    In random order and without a suggestion: what a model says, or is unsure of, would bend what it is judged by.
    """
    order = np.random.default_rng(seed).permutation(len(manifest))
    order = order[np.sort(np.unique(manifest.group[order], return_index=True)[1])]
    lines = (
        (manifest.image[row], target.name, UNKNOWN_WORD, "", manifest.split[row])
        for row in order.tolist()
        for column, target in enumerate(targets)
        if manifest.labels[row, column] == UNKNOWN
    )
    write_sheet(path, (*COLUMNS, "split"), lines, escapes)


def write_conflicts(
    path: Path, manifest: Manifest, copies: NDArray[np.int64], audits: Sequence[TargetAudit], escapes: bool
) -> None:
    """The copies whose known labels disagree, group by group."""

    def lines() -> Iterator[Line]:
        for column, audited in enumerate(audits):
            for row in audited.copies.rows[np.argsort(copies[audited.copies.rows], kind="stable")].tolist():
                given = audited.target.classes[manifest.labels[row, column]]
                yield manifest.image[row], audited.target.name, given, "", copies[row], manifest.split[row]

    write_sheet(path, (*COLUMNS, "group", "split"), lines(), escapes)


def unsure(unknown: UnknownCells) -> int:
    """How many unknown cells the probe is far from certain of."""
    return int((unknown.value >= UNSURE).sum())
