"""Intervals whose cost does not grow with the images: the bag of little bootstraps (Kleiner et al. 2014).

How far a figure of a million groups could be off shows in a bag of twenty thousand of them too, when as many are drawn
from it as there are groups in all. Replicates from several bags are pooled as distances from the figure of their own
bag, and laid around the figure of the whole sample.

A class with few members would hardly be met in such a bag. So groups enter it with a chance of their own:
FEWEST_MEMBERS of each class do, or all there are, and each group stands for 1 / chance groups (Horvitz and Thompson
1952).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.core.groups import distinct
from lacuna.core.scores import Floats, Labels

BAG_GROUPS = 20_000
"""The groups of a bag, besides those of rare classes. Parts with fewer than twice as many are resampled whole."""

MOST_BAGS = 10
"""Each has a tenth of the replicates."""

FEWEST_MEMBERS = 200
"""The groups of each class in a bag, if there are as many. Their scatter is known to 5 % then, over ten bags to 2 %."""


@dataclass(frozen=True)
class Bag:
    """The images of some groups: `rows` (m,) of the part, the place of each one's group (m,) in the bag, and how many
    groups of the part each group stands for (n_groups,)."""

    rows: NDArray[np.intp]
    member: NDArray[np.intp]
    stands_for: Floats
    replicates: int
    seed: tuple[int, int]
    part_groups: int

    def weights(self, chunk: int) -> Iterator[Floats]:
        """How often each image counts (at most chunk, m): first what the bag itself says, then in its replicates."""
        generator = np.random.default_rng(self.seed)
        share = self.stands_for / self.stands_for.sum()
        own = np.round(share * self.part_groups, 9)[None]
        for first in range(0, 1 + self.replicates, chunk):
            size = min(chunk, 1 + self.replicates - first) - (first == 0)
            drawn = generator.multinomial(self.part_groups, share, size=size)
            yield (drawn if first else np.concatenate([own, drawn]))[:, self.member].astype(np.float64)


def make_bags(group: NDArray[np.int64], labels: Labels, replicates: int, seed: int) -> list[Bag]:
    """Bags of a part's images, by group (n,) and labels (n, n_targets); none where all groups can be drawn from."""
    names, member = np.unique(group, return_inverse=True)
    n_bags = min(MOST_BAGS, len(names) // BAG_GROUPS, replicates)
    if n_bags < 2:
        return []
    chance = np.full(len(names), BAG_GROUPS / len(names))
    for column in labels.T:
        known = column >= 0
        pairs = distinct(member[known] * (int(column.max(initial=0)) + 1) + column[known])
        of_group, label = np.divmod(pairs, int(column.max(initial=0)) + 1)
        members = np.bincount(label)
        np.maximum.at(chance, of_group, np.minimum(1, FEWEST_MEMBERS / members[label]))
    bags = []
    for number, of_bag in enumerate(np.array_split(np.arange(replicates), n_bags)):
        inside = np.random.default_rng([seed, number]).random(len(names)) < chance
        rows = np.flatnonzero(inside[member])
        place = np.cumsum(inside) - 1
        bags.append(Bag(rows, place[member[rows]], 1 / chance[inside], len(of_bag), (seed + 1, number), len(names)))
    return bags


def without_own(values: Floats, bags: Sequence[Bag]) -> Floats:
    """Of values (rows, ...), the sample's and then of each bag its own and its replicates', without the bags' own."""
    own = [1 + sum(1 + before.replicates for before in bags[:number]) for number in range(len(bags))]
    return np.delete(values, own, axis=0)


def pool(values: Floats, bags: Sequence[Bag], low: float = -np.inf, high: float = np.inf) -> Floats:
    """Of values (rows, ...) as in `without_own`, those of the sample and, (1 + replicates, ...), the replicates' laid
    around it: the sample's and how far each is from its own bag's. From low to high."""
    if not bags:
        return values
    pooled, first = [values[:1]], 1
    for bag in bags:
        inside = values[first + 1 : first + 1 + bag.replicates]
        with np.errstate(invalid="ignore"):
            pooled.append(np.clip(values[:1] + (inside - values[first]), low, high))
        first += 1 + bag.replicates
    return np.concatenate(pooled)
