"""Do two sets of images differ, and by how much? A test for each kind of measurement, valid from a few dozen images
on.

Every test gives a p-value and an effect size. With many images every difference is significant, so that an effect
counts as drift only from `SMALL` on: what Cohen (1988) calls small, or what corresponds to it.

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
would have to change their category for both sets to be alike, 0 to 1."""

SMALL: dict[Measure, float] = {"h": 0.2, "AUC": 0.56, "D": 0.1, "TV": 0.1}
"""Two normal distributions 0.2 standard deviations apart have an AUC of 0.56 and a D of 0.08."""

PERMUTATIONS = 999
RANDOM_TABLES = 9999
CONFIDENCE_LEVEL = 0.95
WIDEST = 4.0
"""Coordinates are clipped to so many standard deviations, so that a single odd image does not determine the
direction."""


class TwoSampleResult(NamedTuple):
    """A measure, its value as `effect`, and the p-value, 0 to 1, of a test that both samples are of one distribution.

    `low` and `high` are the 95 % interval of an AUC, NaN for the other measures.
    """

    measure: Measure
    effect: float
    p: float
    low: float = float("nan")
    high: float = float("nan")

    @property
    def large_enough(self) -> bool:
        """Whether the effect reaches what counts as small."""
        return self.effect >= SMALL[self.measure]


def compare_shares(
    hits_before: int, n_before: int, hits_now: int, n_now: int, *, only_more: bool = False
) -> TwoSampleResult:
    """Two shares of independent images, by Fisher's exact test; `only_more`: a smaller share now is no difference.

    >>> compare_shares(10, 100, 30, 100).effect.__round__(2)
    0.52
    """
    before, now = (2 * np.arcsin(np.sqrt(hits / n)) for hits, n in ((hits_before, n_before), (hits_now, n_now)))
    table = np.array([[hits_now, n_now - hits_now], [hits_before, n_before - hits_before]])
    p = fisher_exact(table, alternative="greater" if only_more else "two-sided").pvalue
    effect = max(now - before, 0) if only_more else abs(now - before)
    return TwoSampleResult("h", float(effect), float(p))


def compare_numbers(before: NDArray[np.floating], now: NDArray[np.floating], crowding: float = 1) -> TwoSampleResult:
    """Two samples (n,) of a number, by Kolmogorov and Smirnov's test, which is conservative where values are tied."""
    gap = float(ks_2samp(before, now, method="asymp").statistic)
    sizes = len(before) / crowding, len(now) / crowding
    return TwoSampleResult("D", gap, float(kstwo.sf(gap, max(round(sizes[0] * sizes[1] / sum(sizes)), 1))))


def compare_categories(
    before: NDArray[np.str_], now: NDArray[np.str_], seed: int, crowding: float = 1
) -> TwoSampleResult:
    """Two samples (n,) of categories, by Pearson's chi-square, its p-value from random tables of the same margins: so
    it holds for rare categories too."""
    categories, place = np.unique(np.concatenate([before, now]), return_inverse=True)
    old, new = (np.bincount(part, minlength=len(categories)) for part in (place[: len(before)], place[len(before) :]))
    effect = np.abs(new / len(now) - old / len(before)).sum() / 2
    old, current = (np.rint(counts / crowding).astype(np.int64) for counts in (old, new))
    counts = old + current
    counts, current = counts[counts > 0], current[counts > 0]
    if len(counts) < 2:
        return TwoSampleResult("TV", float(effect), 1.0)
    expected = counts * current.sum() / counts.sum()
    random = np.random.default_rng(seed).multivariate_hypergeometric(counts, current.sum(), RANDOM_TABLES)
    # With both margins fixed, the other row's terms are these times a constant: one row orders the tables.
    statistics = ((random - expected) ** 2 / expected).sum(axis=1)
    reached = (statistics >= ((current - expected) ** 2 / expected).sum() - 1e-9).sum()
    return TwoSampleResult("TV", float(effect), float((reached + 1) / (RANDOM_TABLES + 1)))


def compare_coordinates(
    before: NDArray[np.floating], now: NDArray[np.floating], seed: int, permutations: int = PERMUTATIONS
) -> TwoSampleResult:
    """Two samples of coordinates (n, d), by a classifier two-sample test (Lopez-Paz and Oquab 2017).

    A ridge regression on the coordinates and their absolute values, so that shifts and changed spreads both show, tells
    the samples apart; its AUC on images it has not seen is the effect, its p-value comes from permutations. Unlike a
    kernel's distance an AUC can be read: at 0.5 the samples are alike, at 1 they have nothing in common.
    """
    coordinates = np.clip(np.concatenate([before, now]).astype(np.float64), -WIDEST, WIDEST)
    features = np.concatenate([coordinates, np.abs(coordinates)], axis=1)
    labels = (np.arange(len(features)) >= len(before)).astype(np.int16)
    group = np.arange(len(features))  # every image alone
    folds = random_folds(group, seed)
    probe = Probe(features, folds)
    auc, pulls = fold_auc(labels, probe.scores(labels, (1,)), folds, (1,))
    low, high = auc_interval(auc, pulls, group, min(len(before), len(now)), CONFIDENCE_LEVEL)
    return TwoSampleResult("AUC", auc, permutation_p(probe, labels, group, (1,), permutations, seed), low, high)
