"""The audit's lists of cells, made to be edited: a person fills in `corrected`, and the file comes back as corrections.

All begin with image, target, given, corrected (see `lacuna.data.labels.corrections`); the other columns help to decide.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.analysis.audit.audit import TargetAudit
from lacuna.analysis.audit.to_label import Wanted
from lacuna.core.correction_table import COLUMNS, UNKNOWN_WORD
from lacuna.core.manifest import Manifest
from lacuna.io.csv_files import write_csv

UNSURE = 0.5
"""From this entropy on (1 is the most), a cell counts as one whose label would tell something new."""

Line = tuple[object, ...]


def write_label_errors(path: Path, manifest: Manifest, audits: Sequence[TargetAudit]) -> None:
    """The doubtful labels of all targets, most doubtful first."""
    lines: list[tuple[float, Line]] = []
    for one in audits:
        if one.doubts is None:
            continue
        doubts, classes = one.doubts, one.target.classes
        for place in doubts.listed().tolist():
            row = int(doubts.rows[place])
            given, likeliest = classes[doubts.given[place]], classes[doubts.likeliest[place]]
            chance = doubts.probabilities[place].max()
            cells = (manifest.image[row], one.target.name, given, "", likeliest, round(float(chance), 4))
            quality = float(doubts.quality[place])
            wrong = "yes" if doubts.wrong[place] else "no"
            lines.append((quality, (*cells, round(quality, 6), wrong, manifest.split[row])))
    lines.sort(key=lambda line: line[0])
    header = (*COLUMNS, "suggested", "probability", "quality", "looks_wrong", "split")
    write_csv(path, header, (line for _, line in lines))


def write_to_label(path: Path, manifest: Manifest, audits: Sequence[TargetAudit]) -> None:
    """The unknown cells of all targets with signal, most valuable first."""
    lines: list[tuple[float, Line]] = []
    for one in audits:
        if one.wanted is None:
            continue
        wanted, classes = one.wanted, one.target.classes
        for place in range(len(wanted.rows)):
            row, likeliest = int(wanted.rows[place]), classes[wanted.likeliest[place]]
            suggested = likeliest if wanted.sure[place] else ""
            chance, value = round(float(wanted.probability[place]), 4), round(float(wanted.value[place]), 6)
            cells = (manifest.image[row], one.target.name, UNKNOWN_WORD, "", suggested, likeliest, chance, value)
            lines.append((-value, (*cells, manifest.split[row])))
    lines.sort(key=lambda line: line[0])
    header = (*COLUMNS, "suggested", "likeliest", "probability", "value", "split")
    write_csv(path, header, (line for _, line in lines))


def write_conflicts(path: Path, manifest: Manifest, copies: NDArray[np.int64], audits: Sequence[TargetAudit]) -> None:
    """The copies whose known labels disagree, group by group."""

    def lines() -> Iterator[Line]:
        for column, one in enumerate(audits):
            for row in one.copies.rows[np.argsort(copies[one.copies.rows], kind="stable")].tolist():
                given = one.target.classes[manifest.labels[row, column]]
                yield manifest.image[row], one.target.name, given, "", copies[row], manifest.split[row]

    write_csv(path, (*COLUMNS, "group", "split"), lines())


def unsure(wanted: Wanted) -> int:
    """How many unknown cells the probe cannot foretell."""
    return int((wanted.value >= UNSURE).sum())
