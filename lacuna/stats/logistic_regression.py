"""Logistic regression with an L2 penalty, solved to convergence: binary and multinomial, over many or few rows.

The problem is convex and has one solution, which depends on nothing but rows, labels and penalty. It is solved by
L-BFGS (Liu & Nocedal 1989) in coordinates in which the curvature is nearly the same in all directions: along the
principal axes of the rows, each divided by the square root of its curvature at the class shares (Böhning 1992). numpy
and SciPy only; one thread of linear algebra at a time, so that the bytes do not depend on the number of cores.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.optimize import minimize

from lacuna.core.scores import Floats

Rows = NDArray[np.float32]

ROWS_AT_ONCE = 2048
"""Rows of a block: some 20 MB of 2,912 columns. The rows themselves may be mapped from a file."""

SMALLEST_SHARE_OF_VARIANCE = 1e-10
"""Principal axes with less than this share of the largest variance are rounding errors, and are left out."""

TOLERANCE = 1e-6
"""A fit has converged when no component of its gradient, in coordinates of equal curvature, is larger."""

STEPS = 500


@dataclass(frozen=True)
class Axes:
    """The principal axes of standardized rows: `basis` (d, r), and the variance `(r,)` along each.

    `rows` are what a fit runs over: the standardized rows themselves (n, d), or where they are fewer than a few times
    the columns their coordinates (n, r), with which a pass costs less; then `rotated` is true.
    """

    rows: Rows
    basis: NDArray[np.float32]
    variance: Floats
    rotated: bool


@dataclass(frozen=True)
class Fit:
    """`weights` (d, k) and `bias` (k,) of standardized rows: float64, k = 1 if binary, else the number of classes.

    `loss` is the penalized mean loss there, `gradient` the largest component of its gradient, `steps` how many were
    taken.
    """

    weights: Floats
    bias: Floats
    loss: float
    gradient: float
    steps: int
    coordinates: Floats


def find_axes(rows: Rows) -> Axes:
    """The principal axes of standardized rows (n, d), from the smaller one of the two Gram matrices."""
    n, d = rows.shape
    if n < d:
        gram = _add_blocks(np.zeros((n, n)), _columns(rows), lambda block: block @ block.T) / n
    else:
        gram = _add_blocks(np.zeros((d, d)), _blocks(rows), lambda block: block.T @ block) / n
    variance, vectors = eigh(gram.astype(np.float32), driver="evd", overwrite_a=True, check_finite=False)
    kept = variance > SMALLEST_SHARE_OF_VARIANCE * max(float(variance[-1]), 1e-30)
    kept[-1] = True
    variance, vectors = variance[kept][::-1].astype(np.float64), np.ascontiguousarray(vectors[:, kept][:, ::-1])
    if n < d:
        scale = np.sqrt(np.maximum(variance * n, 1e-30)).astype(np.float32)
        return Axes(vectors * scale, (rows.T @ vectors) / scale, variance, rotated=True)
    if n < ROTATED_UP_TO * d:
        return Axes(np.concatenate([block @ vectors for block in _blocks(rows)]), vectors, variance, rotated=True)
    return Axes(rows, vectors, variance, rotated=False)


ROTATED_UP_TO = 4
"""Rows are turned onto the axes once when they are fewer than so many times the columns, else weights in each pass."""


def fit(
    axes: Axes,
    labels: NDArray[np.integer],
    n_classes: int,
    weight: Floats,
    l2: float,
    start: Floats | None = None,
    tolerance: float = TOLERANCE,
    steps: int = STEPS,
) -> Fit:
    """The weights that minimize the mean of -log p over the rows, weighted, plus l2 / 2 times the sum of their squares.

    labels (n,): 0 to n_classes - 1, anything where `weight` (n,) is 0: those rows take no part. One more observation,
    an average row that belongs to all classes in equal shares, keeps the bias of a class without members finite. With
    two classes there is one logit, that of class 1. start: the `coordinates` of a fit at another penalty. Raises
    ValueError when no row has a weight.
    """
    problem = _Problem(axes, labels, n_classes, weight, l2)
    found = minimize(
        problem,
        problem.first() if start is None else start,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": steps, "maxfun": 2 * steps, "gtol": tolerance, "ftol": 0.0, "maxcor": 12},
    )
    weights, bias = problem.weights(found.x)
    whole = axes.basis.astype(np.float64) @ weights
    return Fit(whole, bias, float(found.fun), float(np.abs(found.jac).max()), int(found.nit), found.x)


def decision(rows: Rows, weights: Floats, bias: Floats) -> NDArray[np.float32]:
    """The logits (n, k) of standardized rows (n, d)."""
    small = weights.astype(np.float32)
    return np.concatenate([block @ small for block in _blocks(rows)]) + bias.astype(np.float32)


class _Problem:
    """Loss and gradient in coordinates of equal curvature: of each logit, one for each axis and one for the bias."""

    def __init__(self, axes: Axes, labels: NDArray[np.integer], n_classes: int, weight: Floats, l2: float) -> None:
        total = float(weight.sum())
        if total <= 0:
            raise ValueError("logistic regression: expected at least one row with a weight, received none")
        self._axes, self._l2 = axes, l2
        self._labels, self._weight, self._total = labels, weight, total + 1
        counts = np.bincount(labels[weight > 0], weights=weight[weight > 0], minlength=n_classes)
        shares = (counts + 1 / n_classes) / (total + 1)
        self._binary, self._n_classes = n_classes == 2, n_classes
        kept = shares[1:] if self._binary else shares
        curvature = kept * (1 - kept)
        self._scale = 1 / np.sqrt(curvature * axes.variance[:, None] + l2)
        self._bias_scale = 1 / np.sqrt(curvature)
        self._prior = np.log(shares[1:] / shares[0]) if self._binary else np.log(shares)

    def first(self) -> Floats:
        """Zero weights and the class shares."""
        return np.concatenate([np.zeros(self._scale.size), self._prior / self._bias_scale])

    def weights(self, coordinates: Floats) -> tuple[Floats, Floats]:
        """Weights along the axes (r, k) and bias (k,)."""
        size = self._scale.size
        return coordinates[:size].reshape(self._scale.shape) * self._scale, coordinates[size:] * self._bias_scale

    def __call__(self, coordinates: Floats) -> tuple[float, Floats]:
        weights, bias = self.weights(coordinates)
        axes = self._axes
        small = weights.astype(np.float32)
        small = small if axes.rotated else axes.basis @ small
        gradient, bias_gradient, loss = np.zeros(small.shape), np.zeros(len(bias)), 0.0
        for start in range(0, len(axes.rows), ROWS_AT_ONCE):
            inside = slice(start, start + ROWS_AT_ONCE)
            weight = self._weight[inside]
            taken = weight > 0
            if not taken.any():
                continue
            block, labels = axes.rows[inside], self._labels[inside]
            if not taken.all():
                block, labels, weight = block[taken], labels[taken], weight[taken]
            logits = (block @ small).astype(np.float64) + bias
            log_p = _log_probabilities(logits, self._binary)
            loss -= float(weight @ log_p[np.arange(len(labels)), labels])
            residual = np.exp(log_p)
            residual[np.arange(len(labels)), labels] -= 1
            residual = (residual[:, 1:] if self._binary else residual) * weight[:, None]
            gradient += block.T @ residual.astype(np.float32)
            bias_gradient += residual.sum(axis=0)
        log_p = _log_probabilities(bias[None], self._binary)  # the average row, which belongs to all classes
        loss -= float(log_p.mean())
        added = np.exp(log_p[0]) - 1 / self._n_classes
        bias_gradient += added[1:] if self._binary else added
        if not axes.rotated:
            gradient = (axes.basis.T @ gradient.astype(np.float32)).astype(np.float64)
        slope = (gradient / self._total + self._l2 * weights) * self._scale
        value = loss / self._total + self._l2 / 2 * float((weights**2).sum())
        return value, np.concatenate([slope.ravel(), bias_gradient / self._total * self._bias_scale])


def _log_probabilities(logits: Floats, binary: bool) -> Floats:
    """Log-probabilities (n, classes) of logits (n, k)."""
    if binary:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    highest = logits.max(axis=1, keepdims=True)
    away = logits - highest
    normalized: Floats = away - np.log(np.exp(away).sum(axis=1, keepdims=True))
    return normalized


def _blocks(rows: Rows) -> Iterator[Rows]:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield rows[start : start + ROWS_AT_ONCE]


def _columns(rows: Rows) -> Iterator[Rows]:
    for start in range(0, rows.shape[1], ROWS_AT_ONCE):
        yield rows[:, start : start + ROWS_AT_ONCE]


def _add_blocks(total: Floats, blocks: Iterator[Rows], term: Callable[[Rows], Rows]) -> Floats:
    for block in blocks:
        total += term(block)
    return total
