"""Could it be chance? A probe against the same labels handed round among whole groups."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats, Labels
from lacuna.stats.ridge_probe import Probe

FEWEST_TO_SWAP = 20
"""Groups of a size that is rarer than this swap labels with groups of the next smaller sizes too."""

MOST_SUMS = 4_000_000
"""Sums over classes held at a time: 32 MB."""

ROUNDING = 1e-12
"""Correlations that are equal but for rounding differ by less."""


def permutation_p(
    probe: Probe, labels: Labels, group: NDArray[np.int64], classes: Sequence[int], permutations: int, seed: int
) -> float:
    """The chance of a correlation as high as that of `labels` (n,) when labels and images have nothing in common.

    p = (b + 1) / (permutations + 1), where b permuted labellings reach the correlation of the given one.
    """
    return share_reached(permuted_correlations(probe, labels, group, classes, permutations, seed))


def permuted_correlations(
    probe: Probe, labels: Labels, group: NDArray[np.int64], classes: Sequence[int], permutations: int, seed: int
) -> Floats:
    """The probe's correlations (1 + permutations,): that of `labels` (n,) first, then those of permuted labellings."""
    cells = probe.features.shape[1] * len(classes) * 10
    permuted = permute_groups(labels, group, permutations, seed, max(1, min(256, MOST_SUMS // cells)))
    observed = probe.correlations(labels[None], classes)
    return np.concatenate([observed, *(probe.correlations(chunk, classes) for chunk in permuted)])


def share_reached(correlations: Floats) -> float:
    """The p-value of the first of correlations (1 + permutations,): the share of all that are as high or higher."""
    return float((correlations >= correlations[0] - ROUNDING).mean())


def permute_groups(
    labels: Labels, group: NDArray[np.int64], permutations: int, seed: int, chunk: int
) -> Iterator[Labels]:
    """Yield labellings (at most `chunk`, n) in which groups of one size have swapped all their labels.

    What a group's copies have in common, or where they contradict each other, stays as it is. Groups of rare sizes swap
    with smaller ones, whose labels are repeated then, or of which the first are taken.
    """
    pools = list(_pools(group))
    generator = np.random.default_rng(seed)
    for first in range(0, permutations, chunk):
        size = min(chunk, permutations - first)
        permuted = np.empty((size, len(labels)), labels.dtype)
        for members, real in pools:
            order = generator.permuted(np.tile(np.arange(len(members)), (size, 1)), axis=1)
            permuted[:, members[real]] = labels[members[order]][:, real]
        yield permuted


def _pools(group: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.bool_]]]:
    """Pools of groups that swap: the images of each (n_groups, largest size), repeated to fill a row, and which are
    no repetition."""
    order = np.argsort(group, kind="stable")
    sizes = np.unique(group, return_counts=True)[1]
    groups = np.split(order, np.cumsum(sizes)[:-1])
    waiting: list[NDArray[np.intp]] = []
    left = len(groups)
    for size in sorted(set(sizes.tolist()), reverse=True):
        alike = [members for members in groups if len(members) == size]
        waiting += alike
        left -= len(alike)
        if len(waiting) >= FEWEST_TO_SWAP and (left >= FEWEST_TO_SWAP or not left):
            yield _filled(waiting)
            waiting = []
    if waiting:
        yield _filled(waiting)


def _filled(groups: list[NDArray[np.intp]]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    longest = max(map(len, groups))
    members = np.stack([np.resize(images, longest) for images in groups])
    real = np.arange(longest) < np.array([len(images) for images in groups])[:, None]
    return members, real
