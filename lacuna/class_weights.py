"""How much each class counts in the loss."""

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from lacuna.targets import Targets


class TargetWeights(TypedDict):
    """One target's share of known labels in training, its known labels and weight per class."""

    known_share: float
    counts: list[int]
    weights: list[float]


def weigh_targets(
    labels: NDArray[np.int16], targets: Targets, *, balanced: bool, ceiling: float
) -> dict[str, TargetWeights]:
    """Return the class weights of every target from the training labels, int16 `(n, n_targets)`, -1 unknown."""
    weighed: dict[str, TargetWeights] = {}
    for target, column in zip(targets, labels.T, strict=True):
        counts = np.bincount(column[column >= 0], minlength=target.n_classes)
        weighed[target.name] = TargetWeights(
            known_share=float((column >= 0).mean()),
            counts=counts.tolist(),
            weights=class_weights(counts, balanced=balanced, ceiling=ceiling).tolist(),
        )
    return weighed


def class_weights(counts: NDArray[np.int64], *, balanced: bool, ceiling: float) -> NDArray[np.float64]:
    """Return a weight per class from its number of known training labels, both `(n_classes,)`.

    Balanced weights are inverse to the counts, none exceeds `ceiling` (at least 1), and their mean over the known
    labels is 1. Both hold at once: weights above the ceiling are cut to it and the others are scaled up to restore
    the mean, until none exceeds it. A class without labels has weight 1; without `balanced` every class has.

    >>> class_weights(np.array([90, 10]), balanced=True, ceiling=3.0).round(3).tolist()
    [0.778, 3.0]
    """
    weights = np.ones(len(counts))
    if not balanced:
        return weights
    free, capped = counts > 0, np.zeros(len(counts), dtype=bool)
    while free.any():
        # Inverse weights give every free class the same share of the sum that the capped ones leave.
        left = counts.sum() - ceiling * counts[capped].sum()
        weights[free] = left / (free.sum() * counts[free])
        over = free & (weights > ceiling)
        if not over.any():
            break
        weights[over] = ceiling
        free, capped = free & ~over, capped | over
    return weights
