"""Logistic regression with an L2 penalty, cross-validated and solved to convergence: binary and multinomial.

The problem is convex and has one solution, which depends on nothing but rows, labels and penalty. It is found by
Newton's method, each step by conjugate gradients (Nocedal & Wright 2006, algorithm 7.1) along the principal axes of the
rows, along which the curvature is nearly diagonal; divided by its square root all directions curve alike. Products with
the rows are in 32 bits; what they leave of the gradient is measured in 64 bits, and taken away.

numpy and SciPy only. The caller limits linear algebra to one thread (`threadpoolctl`), or the bytes depend on the
number of cores; fits may run side by side in threads of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, qr

from lacuna.core.scores import Floats
from lacuna.stats.logistic_newton import NewtonProblem
from lacuna.stats.logistic_rows import BLOCK_ROWS, Products, RowBlock, Rows, class_probabilities, cut_blocks

PATH = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4)
"""The strengths of the penalty that cross-validation compares, from the strongest on."""

WORSE = 1.02
"""The path ends at more than so many times the lowest held-out loss, or after two strengths that bettered nothing."""

LOOSE_GAIN = 1e-3
"""A fit of the cross-validation ends when a step promises to lower its loss by no more than this share of it."""

LOOSE_AXES = 768
"""So many principal axes, those with the largest variance, are what cross-validation sees."""

CONVERGED = 1e-6
"""A fit has converged when no component of its gradient, in coordinates of curvature 1, is larger."""

CONVERGED_32_BITS = 1e-4
"""The same where a fit goes over to 64 bits; rounding ends what 32 bits can do at about 1e-5."""

TURNED_UP_TO = 4
"""Rows are turned onto all axes once when they are fewer than so many times the columns, else weights in each pass."""

LOOSE, FAR, NEAR = 0.3, 0.1, 0.01
"""What share of the gradient a Newton step may leave: in cross-validation, before 64 bits, and with them."""

NEAR_ENOUGH = 3e-3
"""The largest component of the gradient where a fit goes over from the first axes to all of them."""


@dataclass(frozen=True)
class Axes:
    """The principal axes of standardized rows (n, d): `basis` (d, r), columns at right angles, and the `variance` (r,)
    along each, the largest first; r is d or, if that is less, n.

    `turned`: the rows' coordinates (n, r) along the axes, or None where there are many rows. `first`: those along the
    first LOOSE_AXES.
    """

    rows: Rows
    basis: NDArray[np.float32]
    variance: Floats
    turned: Rows | None
    first: Rows


@dataclass(frozen=True)
class Solution:
    """`weights` (d, n_logits) and `bias` (n_logits,) of standardized rows: float64.

    `loss` is the penalized mean loss there. `gradient` is the largest component of its gradient along the axes, each
    divided by the square root of the curvature along it. `passes`: how often the rows were multiplied and back.
    """

    weights: Floats
    bias: Floats
    loss: float
    gradient: float
    passes: int


def find_axes(rows: Rows) -> Axes:
    """The principal axes of standardized rows (n, d), n at least 1, none of them NaN or infinite."""
    n, d = rows.shape
    inner, within = rows, None
    if n < d:  # what few rows span has n dimensions: the axes are looked for there
        within, upper = qr(rows.T, mode="economic", check_finite=False)
        inner = np.ascontiguousarray(upper.T)
    gram = np.zeros((inner.shape[1], inner.shape[1]))
    for start in range(0, n, 2 * BLOCK_ROWS):
        block = inner[start : start + 2 * BLOCK_ROWS]
        gram += block.T @ block
    variance, vectors = eigh((gram / n).astype(np.float32), driver="evd", overwrite_a=True, check_finite=False)
    variance, vectors = np.maximum(variance[::-1], 0).astype(np.float64), np.ascontiguousarray(vectors[:, ::-1])
    turn = n < TURNED_UP_TO * d
    used = vectors if turn else np.ascontiguousarray(vectors[:, :LOOSE_AXES])
    coordinates = np.empty((n, used.shape[1]), np.float32)
    for start in range(0, n, BLOCK_ROWS):
        coordinates[start : start + BLOCK_ROWS] = inner[start : start + BLOCK_ROWS] @ used
    basis = vectors if within is None else within @ vectors
    return Axes(rows, basis, variance, coordinates if turn else None, coordinates[:, :LOOSE_AXES])


def fit(
    axes: Axes,
    labels: NDArray[np.integer],
    n_logits: int,
    weight: Floats,
    l2: float,
    smoothing: float = 0.0,
    tolerance: float = CONVERGED,
    gain: float = 0.0,
) -> Solution:
    """The weights that minimize the mean of -log p over the rows, weighted, plus l2 / 2 times the sum of their squares.

    labels (n,): class indices, anything where `weight` (n,) is 0: those rows take no part. n_logits: 1 for two classes,
    the logit is then that of class 1, or as many as there are classes. One more observation, an average row that
    belongs to all classes in equal shares, keeps the bias of a class without members finite; the bias is not penalized.
    smoothing: the share of each label that is spread over all classes (Szegedy et al. 2016, section 7). gain: converged
    is also what a step promises to lower by no more than this share of the loss. Raises ValueError when no row has a
    weight.
    """
    known = _known(weight)
    every = len(known) == len(weight)
    blocks = cut_blocks(labels[known], n_logits, weight[known], smoothing, np.zeros(len(known), np.intp), 1)
    if axes.turned is None:
        quick = Products(axes.rows, None if every else known, axes.basis)
    else:
        quick = Products(axes.turned if every else axes.turned[known], None, None)
    problem = NewtonProblem(quick, blocks, axes.variance, 1)
    there = problem.at_shares()
    n_first, passes = axes.first.shape[1], 0
    if n_first < len(axes.variance):  # the first axes alone bring it near, at a fraction of the price
        few = NewtonProblem(
            Products(axes.first if every else axes.first[known], None, None), blocks, axes.variance[:n_first], 1
        )
        near, _, _ = few.descend(few.at_shares(), l2, NEAR_ENOUGH, FAR)
        there[:n_first], there[-1], passes = near[:-1], near[-1], few.passes
    there, loss, gradient = problem.descend(there, l2, max(tolerance, CONVERGED_32_BITS), FAR, gain)
    if tolerance < CONVERGED_32_BITS:  # where classes are separable, much of a small loss is left
        exact = Products(axes.rows, None if every else known, axes.basis.astype(np.float64))
        there, loss, gradient = problem.descend(there, l2, tolerance, NEAR, gain, exact)
    weights = axes.basis.astype(np.float64) @ there[:-1, 0]
    bias = there[-1, 0]
    if n_logits > 1:  # the same number added to all logits changes nothing
        bias = bias - bias.mean()
    return Solution(weights, bias, float(loss[0]), float(gradient[0]), problem.passes + passes)


def cross_validate(
    axes: Axes,
    labels: NDArray[np.integer],
    n_logits: int,
    weight: Floats,
    folds: NDArray[np.integer],
    smoothing: float = 0.0,
    noise: float = 1.0,
) -> Floats:
    """The weighted mean of -log p of held-out labels under fits to all other folds: of the first strengths of PATH, as
    many as it takes to know which is the best, (s,).

    labels, weight, smoothing: as in `fit`; held-out labels are not smoothed. folds (n,): 0 to k - 1, k at least 2.
    noise: what the strengths are multiplied by, of a sample that is so many times as noisy as what it stands for. The
    axes may be those of all rows: they are coordinates, and no label shapes them. Raises ValueError when there are
    fewer than two folds, or one without a row that has a weight.
    """
    known = _known(weight)
    counts = np.bincount(folds[known])
    if len(counts) < 2 or counts.min() == 0:
        raise ValueError(f"cross-validation: expected two folds or more and rows in each, received {counts.tolist()}")
    known = known[np.argsort(folds[known], kind="stable")]
    blocks = cut_blocks(labels[known], n_logits, weight[known], smoothing, folds[known], len(counts))
    held_out = cut_blocks(labels[known], n_logits, weight[known], 0.0, folds[known], len(counts))
    products = Products(axes.first[known], None, None)
    problem = NewtonProblem(products, blocks, axes.variance[: axes.first.shape[1]], len(counts))
    there, losses, best = problem.at_shares(), list[float](), 0
    for l2 in PATH:
        there, _, _ = problem.descend(there, noise * l2, CONVERGED_32_BITS, LOOSE, LOOSE_GAIN)
        losses.append(_held_out_loss(products, held_out, there))
        if losses[-1] < losses[best]:
            best = len(losses) - 1
        elif losses[-1] > WORSE * losses[best] or len(losses) > best + 2:
            break
    return np.array(losses)


def decision(rows: Rows, weights: Floats, bias: Floats) -> NDArray[np.float32]:
    """The logits (n, k) of standardized rows (n, d)."""
    logits = np.empty((len(rows), len(bias)), np.float32)
    for start in range(0, len(rows), BLOCK_ROWS):
        inside = slice(start, start + BLOCK_ROWS)
        logits[inside] = rows[inside] @ weights.astype(np.float32) + bias.astype(np.float32)
    return logits


def _known(weight: Floats) -> NDArray[np.intp]:
    known = np.flatnonzero(weight > 0)
    if len(known) == 0:
        raise ValueError("logistic regression: expected at least one row with a weight, received none")
    return known


def _held_out_loss(products: Products, blocks: Sequence[RowBlock], there: Floats) -> float:
    """The weighted mean of -log p of each fold's labels under the fit that has not seen it."""
    loss = total = 0.0
    for block in blocks:
        if block.rows is None:
            continue
        own = replace(block, fits=np.array([block.fold]))
        (logits,) = products.logits([own], there)
        lost = class_probabilities(logits)[1] - (logits * block.wanted).sum(axis=2)
        loss += float((block.weight[..., 0] * lost).sum(dtype=np.float64))
        total += float(block.weight.sum(dtype=np.float64))
    return loss / total
