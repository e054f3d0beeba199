"""Do two sets of images differ, and by how much? A test for each kind of figure, valid from a few dozen images on.

Every test gives a p-value and an effect. With many images every difference is significant, so that an effect counts as
drift from `SMALL` on: what Cohen (1988) calls small, or what corresponds to it.

`crowding` says how many images count as one, because images come in copies (`lacuna.core.groups.design_effect`).
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact, ks_2samp, kstwo

from lacuna.stats.auc import auc_interval, fold_auc
from lacuna.stats.permutation import permutation_p
from lacuna.stats.ridge_probe import Probe, random_folds

Measure = Literal["h", "AUC", "D", "TV"]
"""Cohen's h of two shares, 0 to 3.14; the AUC of a classifier that tells the images apart, 0.5 to 1; Kolmogorov and
Smirnov's D, the largest gap between two cumulative distributions, 0 to 1; total variation, the share of images that
would have to change their word for both sets to be alike, 0 to 1."""

SMALL: dict[Measure, float] = {"h": 0.2, "AUC": 0.56, "D": 0.1, "TV": 0.1}
"""AUC 0.56 and D 0.08 are what two normal distributions 0.2 standard deviations apart give."""

PERMUTATIONS = 999
RANDOM_TABLES = 9999
CONFIDENCE = 0.95
WIDEST = 4.0
"""Standard deviations beyond which coordinates are cut, so that a single odd image does not make the direction."""


class Difference(NamedTuple):
    """`low` and `high` are the 95 % interval of an AUC, NaN for the other measures."""

    measure: Measure
    effect: float
    p: float
    low: float = float("nan")
    high: float = float("nan")

    @property
    def large_enough(self) -> bool:
        return self.effect >= SMALL[self.measure]


def compare_shares(
    hits_before: int, n_before: int, hits_now: int, n_now: int, *, only_more: bool = False
) -> Difference:
    """Two shares of independent images, by Fisher's exact test; `only_more`: a smaller share now is no difference.

    >>> compare_shares(10, 100, 30, 100).effect.__round__(2)
    0.52
    """
    before, now = (2 * np.arcsin(np.sqrt(hits / n)) for hits, n in ((hits_before, n_before), (hits_now, n_now)))
    table = np.array([[hits_now, n_now - hits_now], [hits_before, n_before - hits_before]])
    p = fisher_exact(table, alternative="greater" if only_more else "two-sided").pvalue
    effect = max(now - before, 0) if only_more else abs(now - before)
    return Difference("h", float(effect), float(p))


def compare_numbers(before: NDArray[np.floating], now: NDArray[np.floating], crowding: float = 1) -> Difference:
    """Two samples of a number, by Kolmogorov and Smirnov's test; ties make it careful."""
    gap = float(ks_2samp(before, now, method="asymp").statistic)
    sizes = len(before) / crowding, len(now) / crowding
    return Difference("D", gap, float(kstwo.sf(gap, max(round(sizes[0] * sizes[1] / sum(sizes)), 1))))


def compare_words(before: NDArray[np.str_], now: NDArray[np.str_], seed: int, crowding: float = 1) -> Difference:
    """Two samples of words, by Pearson's chi-square among random tables of the same margins: rare words do no harm."""
    words, place = np.unique(np.concatenate([before, now]), return_inverse=True)
    old, new = (np.bincount(part, minlength=len(words)) for part in (place[: len(before)], place[len(before) :]))
    effect = np.abs(new / len(now) - old / len(before)).sum() / 2
    old, mine = (np.rint(counts / crowding).astype(np.int64) for counts in (old, new))
    counts = old + mine
    counts, mine = counts[counts > 0], mine[counts > 0]
    if len(counts) < 2:
        return Difference("TV", float(effect), 1.0)
    expected = counts * mine.sum() / counts.sum()
    random = np.random.default_rng(seed).multivariate_hypergeometric(counts, mine.sum(), RANDOM_TABLES)
    # With both margins fixed the other row's terms are these times a constant.
    statistics = ((random - expected) ** 2 / expected).sum(axis=1)
    reached = (statistics >= ((mine - expected) ** 2 / expected).sum() - 1e-9).sum()
    return Difference("TV", float(effect), float((reached + 1) / (RANDOM_TABLES + 1)))


def compare_coordinates(
    before: NDArray[np.floating], now: NDArray[np.floating], seed: int, permutations: int = PERMUTATIONS
) -> Difference:
    """Two samples of coordinates (n, d), by a classifier (Lopez-Paz and Oquab 2017): can the images be told apart?

    A ridge regression on the coordinates and their sizes, scored on images it has not seen, so that shifts and changed
    spreads both show; p by permutation. Unlike a kernel's distance its AUC can be read: 0.5 is alike, 1 a different
    world.
    """
    coordinates = np.clip(np.concatenate([before, now]).astype(np.float64), -WIDEST, WIDEST)
    features = np.concatenate([coordinates, np.abs(coordinates)], axis=1)
    labels = (np.arange(len(features)) >= len(before)).astype(np.int16)
    alone = np.arange(len(features))
    folds = random_folds(alone, seed)
    probe = Probe(features, folds)
    auc, pulls = fold_auc(labels, probe.scores(labels, (1,)), folds, (1,))
    low, high = auc_interval(auc, pulls, alone, min(len(before), len(now)), CONFIDENCE)
    return Difference("AUC", auc, permutation_p(probe, labels, alone, (1,), permutations, seed), low, high)
