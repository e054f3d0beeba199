"""Loss and gradient of a logistic regression as sums over rows, to be added up over pieces of any size, in 64 bits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats
from lacuna.stats.logistic_rows import class_probabilities, smoothed_classes


@dataclass(frozen=True)
class LossSums:
    """Over some rows: the weighted sum of -log p, of its `slope` (d + 1, n_logits) in weights and bias, of weights."""

    loss: float
    slope: Floats
    weight: float

    def __add__(self, other: "LossSums") -> "LossSums":
        return LossSums(self.loss + other.loss, self.slope + other.slope, self.weight + other.weight)


def sum_rows(rows: Floats, labels: NDArray[np.integer], weight: Floats, point: Floats, smoothing: float) -> LossSums:
    """The sums over rows (m, d) at a point: weights (d, n_logits), and the bias (n_logits,) as its last row.

    labels, weight, smoothing: as in `lacuna.stats.logistic_regression.fit`.
    """
    wanted = smoothed_classes(point.shape[1], smoothing)[np.where(weight > 0, labels, 0)]
    return _sum(rows, rows @ point[:-1] + point[-1], wanted, weight)


def penalized_mean(every: LossSums, point: Floats, l2: float) -> tuple[float, Floats]:
    """The loss that `fit` minimizes and its gradient at a point, from the sums over all rows.

    The average row, which belongs to all classes in equal shares, is added here.
    """
    n_logits = point.shape[1]
    even = np.full((1, n_logits), 1 / max(n_logits, 2))
    total = every + _sum(np.zeros((1, len(point) - 1)), point[-1:], even, np.ones(1))
    slope = total.slope / total.weight
    if n_logits > 1:  # they add up to 0, but for rounding, which a class that is rare would not bear
        slope -= slope.mean(axis=1, keepdims=True)
    slope[:-1] += l2 * point[:-1]
    return total.loss / total.weight + l2 / 2 * float((point[:-1] ** 2).sum()), slope


def _sum(rows: Floats, logits: Floats, wanted: NDArray[np.floating], weight: Floats) -> LossSums:
    p, under = class_probabilities(logits[:, None])
    away = weight[:, None] * (p[:, 0] - wanted)
    loss = float(weight @ (under[:, 0] - (logits * wanted).sum(axis=1)))
    return LossSums(loss, np.concatenate([rows.T @ away, away.sum(axis=0)[None]]), float(weight.sum()))
