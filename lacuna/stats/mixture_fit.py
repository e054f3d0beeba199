"""Are the unlabelled images a mixture of the labelled ones' classes? What label shift assumes, tested.

Under it any function of an image has the same mean among the unlabelled images as among the labelled ones, those of
each class weighted to the unlabelled images' prior. The gaps between these means are 0 but for chance; how large chance
makes them, the bootstrap over groups says, in which the prior and all that it stands on are estimated anew. The
functions are fixed: nothing that is tested was fitted to make the gaps small but the prior.

Labels are (n,) class indices, -1 = unknown; images with another label below 0, known to be of no class, are left out.
Weights (replicates, n) say how often each image counts.
"""

from collections.abc import Sequence

import numpy as np

from lacuna.core.scores import Floats, Labels, sum_by
from lacuna.core.targets import UNKNOWN

UNLIKE_LEVEL = 0.01
"""Label shift is given up at this level. At .05 figures of one target in twenty would stay those of its labelled images
for nothing, and be as wrong as they are without any correction."""

ROUNDING_ERROR = 1e-9
"""What is smaller is rounding."""

PLACE, SHAPE = (1,), (2, 3)
"""Degrees of the polynomials of a score's rank that say where it lies, and how its distribution is spread and skewed
(the smooth test, Neyman 1937). The prior takes up where scores lie: what it cannot take up is their shape."""


def rank_moments(scores: Floats, degrees: Sequence[int]) -> Floats:
    """Legendre polynomials of some degrees of the ranks of scores (n, m): (n, m * degrees). Ties share the middle rank.

    >>> rank_moments(np.array([[5.0], [9.0]]), (1, 2)).round(3).tolist()
    [[-0.5, -0.125], [0.5, -0.125]]
    """
    moments = []
    for column in scores.T:
        _, place, count = np.unique(column, return_inverse=True, return_counts=True)
        rank = ((np.cumsum(count) - count / 2) * 2 / max(1, len(column)) - 1)[place]
        moments.append(np.polynomial.legendre.legvander(rank, max(degrees))[:, list(degrees)])
    return np.concatenate(moments, axis=1)


def mixture_gaps(functions: Floats, labels: Labels, weights: Floats, unlabelled: Floats) -> Floats:
    """Mean of functions (n, m) of the unlabelled images less that of labelled ones reweighted to the prior `unlabelled`
    (replicates, n_classes): (replicates, m), NaN where the prior is, or no image is unlabelled."""
    is_known, is_unknown = labels >= 0, labels == UNKNOWN
    inside, truth = weights[:, is_known], labels[is_known]
    counts = sum_by(truth, inside, unlabelled.shape[1])
    each = np.divide(unlabelled, counts, out=np.zeros_like(counts), where=counts > 0)
    outside = weights[:, is_unknown]
    with np.errstate(invalid="ignore"):
        mean = (outside @ functions[is_unknown]) / outside.sum(axis=1, keepdims=True)
    gaps: Floats = mean - (inside * each[:, truth]) @ functions[is_known]
    return np.where(np.isfinite(unlabelled).all(axis=1, keepdims=True), gaps, np.nan)


def gap_errors(functions: Floats, labels: Labels, weights: Floats, unlabelled: Floats) -> Floats:
    """About the standard errors of `mixture_gaps`: those at a known prior, of independent images.

    Replicates are divided by them, so that one in which a class has few labels weighs no more (Hall and Wilson 1991).
    """
    shares = np.concatenate([np.ones_like(unlabelled[:, :1]), unlabelled], axis=1)
    variance = np.zeros((len(weights), functions.shape[1]))
    for number in range(shares.shape[1]):  # the unlabelled images, UNKNOWN, then those of each class
        inside, values = weights[:, labels == number - 1], functions[labels == number - 1]
        total = inside.sum(axis=1, keepdims=True)
        mean, square = (inside @ power / np.maximum(total, 1) for power in (values, values**2))
        variance += shares[:, [number]] ** 2 * (square - mean**2) / np.maximum(total - 1, 1)
    errors: Floats = np.sqrt(np.maximum(variance, 0))
    return errors


def moved_gaps(functions: Floats, features: Floats, labels: Labels, weights: Floats, unlabelled: Floats) -> Floats:
    """How far the features (n, d), such as brightness, move functions (n, m) of the unlabelled images of a class:
    (replicates, m).

    The features' gaps times the slopes of the functions in the features within a class, of the labelled images (the
    product of paths, Sobel 1982): a feature that the score of a class does not depend on biases no figure, and moves
    nothing here. Few features, not collinear: their slopes are fitted to the labelled images in each replicate.
    """
    is_known = labels >= 0
    inside = weights[:, is_known]
    x = features[is_known] - features.mean(axis=0)
    n_features, counts = x.shape[1], sum_by(labels[is_known], inside, unlabelled.shape[1])
    both = np.concatenate([x, functions[is_known]], axis=1)
    products = inside @ (x[:, :, None] * both[:, None, :]).reshape(len(x), n_features * both.shape[1])
    sums = np.empty((len(inside), counts.shape[1], both.shape[1]))
    for index in range(counts.shape[1]):
        of_class = np.flatnonzero(labels[is_known] == index)
        sums[:, index] = inside[:, of_class] @ both[of_class]
    means = np.divide(sums, counts[..., None], out=np.zeros_like(sums), where=counts[..., None] > 0)
    within = (
        products.reshape(len(inside), n_features, both.shape[1]) - sums[..., :n_features].transpose(0, 2, 1) @ means
    )
    size = np.trace(within[..., :n_features], axis1=1, axis2=2)[:, None, None]
    ridge = 1e-9 * np.maximum(size, 1e-9) * np.eye(n_features)
    slopes = np.linalg.solve(within[..., :n_features] + ridge, within[..., n_features:])
    moved: Floats = (mixture_gaps(features, labels, weights, unlabelled)[:, None] @ slopes)[:, 0]
    return moved


def gap_p(gaps: Floats, errors: Floats | None = None) -> float | None:
    """The chance of gaps (1 + replicates, m) as large as the sample's, the first row, if there were none.

    The sum of squares of the sample's gaps, against that of the replicates' distances from them; both divided by their
    standard errors, if given, and by how much the replicates vary. Replicates that are NaN do not count; None when most
    are, when the sample is, or when no gap varies.
    """
    distances = np.concatenate([gaps[:1], gaps[1:] - gaps[0]])
    if errors is not None:
        distances = np.divide(distances, errors, out=np.full_like(gaps, np.nan), where=errors > ROUNDING_ERROR)
    defined = np.isfinite(distances).all(axis=1)
    if not defined[0] or 2 * defined[1:].sum() <= len(gaps) - 1:
        return None
    distances = distances[defined]
    deviation = np.sqrt((distances[1:] ** 2).mean(axis=0))
    varies = deviation > ROUNDING_ERROR
    if not varies.any():
        return None
    sums = ((distances[:, varies] / deviation[varies]) ** 2).sum(axis=1)
    return float((sums >= sums[0] - ROUNDING_ERROR).mean())
