"""Class priors of all images, where the chance of being labelled depends on the label: label shift.

Images of one class are then alike whether labelled or not, p(image | label, labelled) = p(image | label), and only the
class priors differ. Those of the unlabelled images follow from their probabilities by maximum likelihood (Saerens,
Latinne and Decaestecker 2002): with probabilities p_c that hold under priors s_c, prior q maximises the sum of
log(sum_c q_c p_c / s_c), which is concave. Saerens' EM climbs it slowly where classes overlap; Newton does it here in
ten steps.

Labels are (n,) class indices, -1 = unknown; images with another label below 0, known to be of no class, are left out.
Weights (replicates, n) say how often each image counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import SMALLEST_PROBABILITY, Floats, Labels
from lacuna.core.targets import UNKNOWN
from lacuna.stats.bootstrap import NUMBERS_AT_ONCE, group_weights
from lacuna.stats.replicate_newton import NearbyOptimum, ReplicateDerivatives, minimise_replicates

NO_SHIFT_IMAGES = 1.0
"""Images that the unlabelled ones get added, with the labelled ones' shares: a Dirichlet prior centred at no shift.

Scores that say nothing then leave the shares as they are. Simulated with 400 and 1,500 images, 2 to 20 classes: one
image has no larger error than a tenth of an image anywhere; five pull the shares of classes one standard deviation
apart half-way back, by .10 at 400 images known .9 / .1, and gain only where 20 classes share 200 labels.
"""


@dataclass
class Start:
    """The optima of the first replicate that was estimated, where those of all others are looked for.

    Replicates come in chunks, which share it.
    """

    bias: NearbyOptimum | None = None
    prior: NearbyOptimum | None = None


@dataclass(frozen=True)
class Priors:
    """Class shares of the labelled, the unlabelled and all images, each (replicates, n_classes) with rows of sum 1.

    Labelled images count as they are. A row is NaN where nothing tells it: `known` without a labelled image,
    `unlabelled` without labelled images of two classes; `every` is `known` without an unlabelled image, whatever the
    scores. A class without a labelled image has share 0 in all of them: its scores were never seen.
    """

    known: Floats
    unlabelled: Floats
    every: Floats

    def importance(self) -> Floats:
        """The weights (replicates, n_classes) by which labelled images of each class describe all: every / known.

        0 for a class without a labelled image, and 1 in a replicate that tells no shares.
        """
        importance = np.divide(self.every, self.known, out=np.zeros_like(self.known), where=self.known > 0)
        return np.where(np.isfinite(self.every).all(axis=1, keepdims=True), importance, 1.0)

    @classmethod
    def untold(cls, n_classes: int) -> "Priors":
        """One row that nothing tells."""
        return cls(*(np.full((1, n_classes), np.nan) for _ in range(3)))

    @classmethod
    def joined(cls, chunks: "Sequence[Priors]", pool: Callable[..., Floats]) -> "Priors":
        """The sample and its replicates, by `Bootstrap.pool` from the replicates of all chunks."""
        names = ("known", "unlabelled", "every")
        return cls(*(pool(np.concatenate([getattr(chunk, name) for chunk in chunks]), 0.0, 1.0) for name in names))


def class_priors(
    probabilities: Floats,
    labels: Labels,
    weights: Floats,
    strength: float = NO_SHIFT_IMAGES,
    start: Start | None = None,
) -> Priors:
    """The priors in each replicate, from probabilities (n, n_classes) or (replicates, n, n_classes) of the classes.

    They need be right under the labelled shares only up to a bias per class, which is fitted (see `unbiased`); those of
    an image should come from a calibration that never saw it. strength > 0: see NO_SHIFT_IMAGES. start: what chunks of
    replicates of the same images share.
    Raises ValueError when the shapes do not fit together, or a label is no class.
    """
    whole = probabilities if probabilities.ndim == 3 else probabilities[None]
    n_classes = whole.shape[2]
    if whole.shape[1] != len(labels) or weights.shape[1] != len(labels) or len(whole) not in (1, len(weights)):
        raise ValueError(
            f"expected probabilities (n, k) or ({len(weights)}, n, k), labels (n,) and weights (replicates, n), "
            f"received {probabilities.shape}, {labels.shape} and {weights.shape}"
        )
    if len(labels) and labels.max() >= n_classes:
        raise ValueError(f"expected labels below {n_classes}, the number of classes, received {labels.max()}")
    is_known, is_unknown = labels >= 0, labels == UNKNOWN
    counts = weights[:, is_known] @ np.eye(n_classes)[labels[is_known]]
    n_known, n_unlabelled = counts.sum(axis=1, keepdims=True), weights[:, is_unknown].sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        known = counts / n_known
    if not is_unknown.any():
        return Priors(known, np.full_like(known, np.nan), known)
    told = (counts > 0).sum(axis=1, keepdims=True) > 1
    start = start or Start()
    moved = unbiased(whole, labels, weights, start)
    unlabelled = np.where(told, _most_likely(moved, is_unknown, counts, weights, strength, start), np.nan)
    with np.errstate(invalid="ignore"):
        every = np.where(n_unlabelled > 0, (counts + n_unlabelled * unlabelled) / (n_known + n_unlabelled), known)
    return Priors(known, unlabelled, every)


def priors_in_chunks(
    probabilities: Callable[[slice], Floats], labels: Labels, weights: Floats, n_classes: int, start: Start
) -> Priors:
    """`class_priors` of many replicates of images with many classes, a few at a time; probabilities: of some of them.

    >>> labels, weights = np.array([0, 1, -1, -1]), np.ones((3, 4))
    >>> priors_in_chunks(lambda some: np.full((some.stop - some.start, 4, 2), 0.5), labels, weights, 2, Start()).every
    array([[0.5, 0.5],
           [0.5, 0.5],
           [0.5, 0.5]])
    """
    size = max(1, NUMBERS_AT_ONCE // max(1, len(labels) * n_classes))
    some = [slice(first, min(first + size, len(weights))) for first in range(0, len(weights), size)]
    chunks = [class_priors(probabilities(rows), labels, weights[rows], start=start) for rows in some]
    return Priors.joined(chunks, lambda values, *limits: values)


def prior_shift(probabilities: Floats, labels: Labels, prior: Floats) -> Floats:
    """What the logarithm of each class's probability gets added (n_classes,) to hold under another prior (n_classes,).

    0 for a class without a labelled image. A prior of 0 counts as a tiny one. The others as in `class_priors`.
    """
    (bias,), (counts,) = _biases(probabilities[None], labels, np.ones((1, len(labels))), Start())
    seen = counts > 0
    ratio = np.maximum(prior, SMALLEST_PROBABILITY) * counts.sum() / np.where(seen, counts, 1)
    return np.where(seen, bias + np.log(np.where(seen, ratio, 1)), 0)


def importance_replicates(
    probabilities: Floats, labels: Labels, group: NDArray[np.int64], replicates: int, seed: int
) -> Floats:
    """`Priors.importance` of the sample and of bootstrap replicates over groups: (1 + replicates, n_classes).

    Probabilities (n, n_classes) from a calibration that never saw the images, group (n,).
    """
    chunk = max(1, NUMBERS_AT_ONCE // max(1, probabilities.size))
    drawn = chain([np.ones((1, len(labels)))], group_weights(group, replicates, seed, chunk))
    start = Start()
    chunks = (class_priors(probabilities, labels, weights, start=start) for weights in drawn)
    return np.concatenate([priors.importance() for priors in chunks])


def unbiased(probabilities: Floats, labels: Labels, weights: Floats, start: Start | None = None) -> Floats:
    """Probabilities (replicates, n, n_classes) whose mean over the labelled images is the labelled share of each class.

    Each class's logarithm is moved by a bias: temperature scaling alone leaves one that is taken for a shift
    (Alexandari, Kundaje and Shrikumar 2020), and so does one that was shrunken because labels were few: with 20 classes
    and 200 labels the priors' error falls from .65 to .26. Probabilities (1 or replicates, n, n_classes). A class
    without a labelled image gets 0, unless there is none of any.
    """
    bias, counts = _biases(probabilities, labels, weights, start or Start())
    seen = (counts > 0) | (counts.sum(axis=1, keepdims=True) == 0)
    scores = _logs_by_class(probabilities) + np.where(seen, bias, -np.inf)[:, :, None]
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    moved: Floats = (powers / powers.sum(axis=1, keepdims=True)).transpose(0, 2, 1)
    return moved


def _logs_by_class(probabilities: Floats) -> Floats:
    """Their logarithms (1 or replicates, n_classes, n): sums over few classes are quick along rows of images."""
    logs: Floats = np.log(np.maximum(np.ascontiguousarray(probabilities.transpose(0, 2, 1)), SMALLEST_PROBABILITY))
    return logs


def _biases(probabilities: Floats, labels: Labels, weights: Floats, start: Start) -> tuple[Floats, Floats]:
    """The biases of `unbiased`, and how often each class is labelled, both (replicates, n_classes)."""
    is_known = labels >= 0
    truth = np.eye(probabilities.shape[2])[labels[is_known]]
    counted = weights[:, is_known]
    counts = counted @ truth
    seen = (counts > 0) | (counts.sum(axis=1, keepdims=True) == 0)
    inside = _logs_by_class(probabilities[:, is_known])
    diagonal = np.arange(truth.shape[1])

    def objective(bias: Floats, rows: NDArray[np.intp], curved: bool) -> ReplicateDerivatives:
        allowed, drawn, labelled = seen[rows], counted[rows], counts[rows]
        scores = (inside if len(inside) == 1 else inside[rows]) + np.where(allowed, bias, -np.inf)[:, :, None]
        top = scores.max(axis=1, keepdims=True)
        scores -= top
        chances = np.exp(scores, out=scores)
        total = chances.sum(axis=1, keepdims=True)
        chances /= total
        value = (drawn * (top + np.log(total))[:, 0]).sum(axis=1) - (labelled * np.where(allowed, bias, 0)).sum(axis=1)
        expected = (chances @ drawn[:, :, None])[..., 0]
        if not curved:
            return value, expected - labelled, None
        curvature = -((drawn[:, None, :] * chances) @ chances.transpose(0, 2, 1))
        # The biases' sum is free, and so is an unseen class's: they are given a curvature, which leaves them at 0.
        curvature += labelled.sum(axis=1)[:, None, None] / labelled.shape[1] ** 2
        curvature[:, diagonal, diagonal] += expected + np.where(allowed, 1e-6, 1)
        return value, expected - labelled, curvature

    zero = np.zeros_like(counts)
    if not is_known.any():
        return zero, counts
    bias, start.bias = minimise_replicates(objective, zero, start.bias, seen, mass=counts)
    return bias, counts


def _most_likely(
    probabilities: Floats,
    unlabelled: NDArray[np.bool_],
    counts: Floats,
    weights: Floats,
    strength: float,
    start: Start,
) -> Floats:
    """The prior (replicates, n_classes) of the unlabelled images, with probabilities under the shares of counts.

    Of q without a constraint: at the maximum of the likelihood, which rises with the scale of q, less as many times the
    sum of q as there are images, that sum is 1.
    """
    seen = counts > 0
    shares = np.where(seen, counts, 0) / np.maximum(counts.sum(axis=1, keepdims=True), 1e-300)
    ratios = probabilities[:, unlabelled] / np.where(seen, shares, 1)[:, None, :]
    ratios *= seen[:, None, :]
    counted = weights[:, unlabelled]
    total = counted.sum(axis=1, keepdims=True) + strength
    diagonal = np.arange(counts.shape[1])

    def objective(prior: Floats, rows: NDArray[np.intp], curved: bool) -> ReplicateDerivatives:
        ratio, drawn, added = ratios[rows], counted[rows], strength * shares[rows]
        density = np.maximum((ratio @ prior[:, :, None])[..., 0], 1e-300)
        safe = np.where(seen[rows], prior, 1)
        value = (
            (total[rows] * prior).sum(axis=1) - (drawn * np.log(density)).sum(axis=1)
            - (added * np.log(safe)).sum(axis=1)
        )  # fmt: skip
        pulled = ((drawn / density)[:, None, :] @ ratio)[:, 0]
        gradient = np.where(seen[rows], total[rows] - pulled - added / safe, 0)
        if not curved:
            return value, gradient, None
        root = (np.sqrt(drawn) / density)[:, :, None] * ratio
        curvature = root.transpose(0, 2, 1) @ root
        curvature[:, diagonal, diagonal] += np.where(seen[rows], added / safe**2, 1)
        return value, gradient, curvature

    prior, start.prior = minimise_replicates(objective, shares, start.prior, seen, positive=True)
    return prior
