"""How many of some unlabelled images are of each class, where another set of images is labelled.

Images of a class are taken to be alike in both sets: label shift. The class shares of the unlabelled ones follow from
their probabilities (`lacuna.stats.label_shift`); counting decisions, or adding probabilities up, would carry over the
labelled set's shares.

The interval is one of these very images' count, not of the world they come from: perfect scores leave it no width.
For each bootstrap replicate of the labelled groups a Gibbs sampler draws, in turn, the class of every unlabelled image
given the shares and the shares given the classes (data augmentation, Tanner and Wong 1987); the counts that it ends at
have the distribution that labels and scores leave them. Where scores hardly tell the classes, that is a wide one.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import SMALLEST_PROBABILITY, Floats, Labels
from lacuna.stats.bootstrap import NUMBERS_AT_ONCE, group_weights
from lacuna.stats.label_shift import class_priors, unbiased
from lacuna.stats.mixture_fit import SHAPE, gap_errors, gap_p, mixture_gaps, rank_moments

ROUNDS = 60
"""Of the Gibbs sampler: it forgets its start at the rate of what the scores leave unsaid, .95^60 = .05."""


@dataclass(frozen=True)
class ClassShares:
    """Of each class its share among the unlabelled images and the ends of its interval, all (n_classes,).

    `unlike_p`: the chance of scores that are as unlike a mixture of the labelled classes' as these, if they are one;
    None where it could not be tested. NaN everywhere where labelled images of two classes, or two groups, are missing.
    """

    shares: Floats
    low: Floats
    high: Floats
    unlike_p: float | None


def estimate_shares(
    probabilities: Floats,
    labels: Labels,
    group: NDArray[np.int64],
    unlabelled: Floats,
    confidence: float,
    replicates: int,
    seed: int,
) -> ClassShares:
    """probabilities (m, n_classes), labels (m,) and group (m,) of the labelled images, those with label -1 left out;
    unlabelled (n, n_classes): the probabilities of the others, by the same model."""
    known = labels >= 0
    every = np.concatenate([probabilities[known], unlabelled])
    truth = np.concatenate([labels[known], np.full(len(unlabelled), -1)])
    functions = rank_moments(every[:, 1:] if every.shape[1] == 2 else every, SHAPE)
    generator = np.random.default_rng(seed)
    counts: list[Floats] = []
    gaps, spreads = [], []

    def measure(weights: Floats) -> Floats:
        shares = class_priors(every, truth, weights).unlabelled
        gaps.append(mixture_gaps(functions, truth, weights, shares))
        spreads.append(gap_errors(functions, truth, weights, shares))
        return shares

    nothing = np.full(every.shape[1], np.nan)
    (found,) = measure(np.ones((1, len(every))))
    if not np.isfinite(found).all():
        return ClassShares(nothing, nothing, nothing, None)
    chunk = max(1, NUMBERS_AT_ONCE // every.size)
    for inside in group_weights(group[known], replicates, seed, chunk):
        drawn = generator.multinomial(len(unlabelled), np.full(len(unlabelled), 1 / len(unlabelled)), size=len(inside))
        measure(np.concatenate([inside, drawn], axis=1))
        counts.append(_draw_counts(every, truth, inside, found, generator))
    if not counts:  # one group of labelled images says nothing of how far the shares are off
        return ClassShares(nothing, nothing, nothing, None)
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(counts) / len(unlabelled), [tail, 1 - tail], axis=0)
    p = gap_p(np.concatenate(gaps), np.concatenate(spreads))
    return ClassShares(found, np.minimum(low, found), np.maximum(high, found), p)


def _draw_counts(every: Floats, truth: Labels, inside: Floats, start: Floats, generator: np.random.Generator) -> Floats:
    """How many unlabelled images are of each class (replicates, n_classes), a draw for each replicate's weights
    (replicates, m) of the labelled images, from shares (n_classes,) to start with. The shares' prior is
    Dirichlet's, of one image in all.
    """
    n_classes, asked = every.shape[1], truth < 0
    weights = np.concatenate([inside, np.ones((len(inside), int(asked.sum())))], axis=1)
    known = inside @ np.eye(n_classes)[truth[~asked]] / inside.sum(axis=1, keepdims=True)
    chances = unbiased(every[None], truth, weights)[:, asked].transpose(2, 0, 1)  # sums over few classes are quick so
    known = known.T[:, :, None]
    likelihood = np.divide(chances, known, out=np.zeros(chances.shape), where=known > 0)
    shares: Floats = np.tile(start, (len(inside), 1))
    counts: Floats = np.zeros_like(shares)
    for _ in range(ROUNDS):
        upto = likelihood * np.maximum(shares, SMALLEST_PROBABILITY).T[:, :, None]
        for below, of_class in pairwise(upto):
            of_class += below
        threshold = generator.random(upto.shape[1:]) * upto[-1]
        reached = [np.count_nonzero(threshold <= of_class, axis=1) for of_class in upto]
        counts = np.diff(reached, axis=0, prepend=0).T.astype(np.float64)
        shares = generator.gamma(counts + 1 / n_classes)
        shares /= shares.sum(axis=1, keepdims=True)
    return counts
