"""What copies of an image give away: where they stand on both sides of a split, and whether their labels agree."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.core.manifest import PARTS
from lacuna.core.scores import Floats, Labels


@dataclass(frozen=True)
class Agreement:
    """How often copies of an image have the same label of one target.

    `groups` of copies have two known labels or more, `conflicting` of them disagree, `by_chance` would if labels were
    drawn at random. `p`: the chance of so few conflicts then. `rows` (n,): the images of conflicting groups.
    """

    groups: int
    conflicting: int
    by_chance: float
    p: float
    rows: NDArray[np.intp]


def count_across(copies: NDArray[np.int64], split: NDArray[np.str_]) -> dict[str, int]:
    """Groups of copies that stand in two parts, by pair of parts: counted only, no image of test is looked at."""
    held = {part: np.unique(copies[split == part]) for part in PARTS}
    pairs = [(one, other) for place, one in enumerate(PARTS) for other in PARTS[place + 1 :]]
    return {f"{one}_{other}": len(np.intersect1d(held[one], held[other])) for one, other in pairs}


def agreement(labels: Labels, copies: NDArray[np.int64]) -> Agreement:
    """Compare the known ones among labels (n,) within groups of copies (n,)."""
    known = np.flatnonzero(labels >= 0)
    shares = np.bincount(labels[known]) / max(len(known), 1)
    _, member, sizes = np.unique(copies[known], return_inverse=True, return_counts=True)
    several = np.flatnonzero(sizes > 1)
    pairs = np.unique(np.stack([member, labels[known].astype(np.intp)]), axis=1)
    conflicting = np.flatnonzero(np.bincount(pairs[0], minlength=len(sizes)) > 1)
    chances = np.array([1 - (shares**size).sum() for size in sizes[several].tolist()])
    return Agreement(
        groups=len(several),
        conflicting=len(conflicting),
        by_chance=float(chances.sum()),
        p=_at_most(len(conflicting), chances),
        rows=known[np.isin(member, conflicting)],
    )


def _at_most(count: int, chances: Floats) -> float:
    """The chance that at most `count` of independent events of these chances come true; 1 without an event."""
    distribution = np.ones(1)
    for chance in chances.tolist():
        distribution = np.convolve(distribution, [1 - chance, chance])
    return float(min(distribution[: count + 1].sum(), 1.0))
