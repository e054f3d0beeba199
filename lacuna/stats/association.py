"""How strongly targets go together: phi between binary ones, bias-corrected Cramér's V where one has more classes."""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Labels
from lacuna.core.targets import Targets, counted_classes

Table = NDArray[np.int64]


class Association(NamedTuple):
    """`value` of `measure` (phi, -1 to 1, or V, 0 to 1) over the `n` images with a known label of both targets."""

    one: str
    other: str
    measure: str
    value: float
    n: int


def crosstab(one: Labels, other: Labels, n_one: int, n_other: int) -> Table:
    """Count images by the class of two targets `(n_one, n_other)`; where either is unknown an image is left out."""
    known = (one >= 0) & (other >= 0)
    cells = one[known].astype(np.int64) * n_other + other[known]
    return np.bincount(cells, minlength=n_one * n_other).reshape(n_one, n_other)


def phi(table: Table) -> float | None:
    """The correlation of two binary variables, -1 to 1; None where one of them does not vary.

    >>> phi(np.array([[3, 1], [1, 3]]))
    0.5
    """
    (a, b), (c, d) = table.tolist()
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    return (a * d - b * c) / margins**0.5 if margins else None


def cramers_v(table: Table) -> float | None:
    """Cramér's V with the correction for chance of Bergsma (2013), 0 to 1; None where a variable does not vary.

    Without the correction V grows with the number of classes: two unrelated targets of thirty classes each would reach
    0.3 on three hundred images.
    """
    table = table[table.any(axis=1)][:, table.any(axis=0)]
    rows, columns = table.shape
    if min(rows, columns) < 2:
        return None
    n = table.sum()
    shrunk = [side - (side - 1) ** 2 / (n - 1) - 1 for side in (rows, columns)]
    if min(shrunk) <= 0:
        return None
    excess = chi_square(table) / n - (rows - 1) * (columns - 1) / (n - 1)
    return float(min(1.0, np.sqrt(max(0.0, excess) / min(shrunk))))


def chi_square(table: Table) -> float:
    """Pearson's statistic of a table without empty rows and columns."""
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return float(((table - expected) ** 2 / expected).sum())


def associate(labels: Labels, targets: Targets) -> list[Association]:
    """The association of every pair of targets that has one, strongest first. labels: `(n, n_targets)`, -1 unknown."""
    found = []
    for i, j in combinations(range(len(targets)), 2):
        one, other = targets[i], targets[j]
        table = crosstab(labels[:, i], labels[:, j], one.n_classes, other.n_classes)
        binary = one.kind == other.kind == "binary"
        value = phi(table) if binary else cramers_v(table)
        if value is not None:
            found.append(Association(one.name, other.name, "phi" if binary else "V", value, int(table.sum())))
    return sorted(found, key=lambda pair: (-abs(pair.value), pair.one, pair.other))


class CoOccurrence(NamedTuple):
    """Of the `of` images of one class whose `other` target is known, `images` have `other_class`."""

    target: str
    class_name: str
    other: str
    other_class: str
    images: int
    of: int


def co_occurrences(labels: Labels, targets: Targets) -> Iterator[CoOccurrence]:
    """Every pair of classes of two targets that occurs, both ways. Of a binary target only "present" is counted."""
    for i, target in enumerate(targets):
        for j, other in enumerate(targets):
            if i == j:
                continue
            table = crosstab(labels[:, i], labels[:, j], target.n_classes, other.n_classes)
            for row in counted_classes(target):
                of = int(table[row].sum())
                for column in counted_classes(other):
                    if table[row, column]:
                        yield CoOccurrence(
                            target.name,
                            target.classes[row],
                            other.name,
                            other.classes[column],
                            int(table[row, column]),
                            of,
                        )
