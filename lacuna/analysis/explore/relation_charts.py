"""Which matrices are drawn of targets and their classes, and how many rows of them can be read."""

import textwrap
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.analysis.explore.matrices import plot_matrix
from lacuna.analysis.explore.missingness import Together
from lacuna.analysis.explore.shown_classes import shown_classes
from lacuna.core.targets import Targets, counted_classes
from lacuna.stats.association import Association, crosstab

MOST_ROWS = 40


def plot_association(path: Path, found: Sequence[Association], targets: Targets) -> None:
    """The association of every two targets; of many targets those with the strongest."""
    pairs = [(pair.one, pair.other, pair.value) for pair in found]
    binary = {pair.measure for pair in found} == {"phi"}
    measure = "correlation" if binary else "correlation; Cramér's V beyond two classes"
    words = f"Which targets go together\n(0: unrelated, 1: one tells the other;\n{measure})"
    _plot_pairs(path, words, pairs, targets)


def plot_together(path: Path, found: Sequence[Together], targets: Targets) -> None:
    """How much oftener than by chance every two targets are unknown in the same image."""
    pairs = [(pair.one, pair.other, pair.phi) for pair in found]
    _plot_pairs(path, "Unknown in the same image\n(0: as often as by chance, 1: always together)", pairs, targets)


def _plot_pairs(path: Path, title: str, pairs: Sequence[tuple[str, str, float]], targets: Targets) -> None:
    strongest: list[str] = []
    for one, other, _ in sorted(pairs, key=lambda pair: -abs(pair[2])):
        strongest += [name for name in (one, other) if name not in strongest]
    names = [name for name in targets.names if name in strongest[:MOST_ROWS]]
    values = np.full((len(names), len(names)), np.nan)
    for one, other, value in pairs:
        if one in names and other in names:
            i, j = names.index(one), names.index(other)
            values[i, j] = values[j, i] = value
    note = (
        f"shown: the {len(names)} of {len(strongest)} targets with the strongest pairs"
        if len(strongest) > len(names)
        else ""
    )
    plot_matrix(path, title, values, names, signed=True, note=note)


def plot_co_occurrence(path: Path, labels: NDArray[np.int16], targets: Targets) -> None:
    """Of the images of each class, the share that also have each class of the other targets."""
    targets = targets.take(range(min(len(targets), MOST_ROWS)))
    quota = _quota([len(counted_classes(target)) for target in targets])
    cells, names, breaks = [], [], [0]
    for column, target in enumerate(targets):
        known = labels[labels[:, column] >= 0, column]
        counts = np.bincount(known, minlength=target.n_classes)
        allowed = [n if index in counted_classes(target) else 0 for index, n in enumerate(counts.tolist())]
        frequent = sorted(shown_classes(allowed, target.n_classes).all[:quota], key=lambda index: -allowed[index])
        cells += [(column, index) for index in frequent]
        names += [target.name if target.kind == "binary" else target.classes[index] for index in frequent]
        breaks.append(len(cells))
    values = np.full((len(cells), len(cells)), np.nan)
    places = [np.array([i for i, (column, _) in enumerate(cells) if column == one]) for one in range(len(targets))]
    for one, other in permutations(range(len(targets)), 2):
        table = crosstab(labels[:, one], labels[:, other], targets[one].n_classes, targets[other].n_classes)
        rows, columns = ([cells[place][1] for place in places[target]] for target in (one, other))
        totals = table[rows].sum(axis=1, keepdims=True)
        shares = np.where(totals > 0, table[np.ix_(rows, columns)] / np.maximum(totals, 1), np.nan)
        values[np.ix_(places[one], places[other])] = shares
    blocks = [f"{name} ({stop - start})" for name, start, stop in zip(targets.names, breaks, breaks[1:], strict=False)]
    note = "" if len(cells) == len(targets) else "from the top: " + ", ".join(blocks)
    title = "Of the images of the row's class,\nthe share with the column's class"
    plot_matrix(path, title, values, names, signed=False, note=_wrap(note, len(cells)), breaks=breaks[1:-1])


def _quota(sizes: Sequence[int]) -> int:
    """The most classes that each target may show, so that all rows together stay readable."""
    quota = 1
    while quota < max(sizes) and sum(min(size, quota + 1) for size in sizes) <= MOST_ROWS:
        quota += 1
    return quota


def _wrap(text: str, n_rows: int) -> str:
    return "\n".join(textwrap.wrap(text, 34 + 5 * n_rows))
