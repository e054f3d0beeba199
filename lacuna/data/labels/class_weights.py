"""How much each class counts in the loss."""

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from lacuna.config.types import Scheme
from lacuna.core.targets import Targets


class TargetWeights(TypedDict):
    """One target's share of known labels in training, its known labels and weight per class."""

    known_share: float
    counts: list[int]
    weights: list[float]


def weigh_targets(
    labels: NDArray[np.int16], targets: Targets, scheme: Scheme, *, beta: float, ceiling: float
) -> dict[str, TargetWeights]:
    """Return the class weights of every target from the training labels, int16 `(n, n_targets)`, -1 unknown."""
    weighed: dict[str, TargetWeights] = {}
    for target, column in zip(targets, labels.T, strict=True):
        counts = np.bincount(column[column >= 0], minlength=target.n_classes)
        weighed[target.name] = TargetWeights(
            known_share=float((column >= 0).mean()),
            counts=counts.tolist(),
            weights=class_weights(counts, scheme, beta=beta, ceiling=ceiling).tolist(),
        )
    return weighed


def class_weights(counts: NDArray[np.int64], scheme: Scheme, *, beta: float, ceiling: float) -> NDArray[np.float64]:
    """Return a weight per class from its number of known training labels, both `(n_classes,)`.

    Balanced weights are inverse to the counts n, those of `effective_number` to (1 - beta^n) / (1 - beta), the number
    of samples that n amount to when each may overlap with those before (Cui et al. 2019, eq. 2 and section 4). With
    `none` all are 1.

    None exceeds `ceiling` (at least 1), and their mean over the known labels is 1. Both hold at once: weights above
    the ceiling are cut to it and the others are scaled up to restore the mean, until none exceeds it. A class without
    labels has weight 1.

    >>> class_weights(np.array([90, 10]), "balanced", beta=0.999, ceiling=3.0).round(3).tolist()
    [0.778, 3.0]
    """
    weights = np.ones(len(counts))
    if scheme == "none":
        return weights
    some = np.maximum(counts, 1)
    effective = some if scheme == "balanced" else np.expm1(some * np.log(beta)) / (beta - 1)
    free, capped = counts > 0, np.zeros(len(counts), dtype=bool)
    while free.any():
        left = counts.sum() - ceiling * counts[capped].sum()  # of the sum of the weights, for the free classes
        weights[free] = left / ((counts / effective)[free].sum() * effective[free])
        over = free & (weights > ceiling)
        if not over.any():
            break
        weights[over] = ceiling
        free, capped = free & ~over, capped | over
    return weights
