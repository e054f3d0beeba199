"""Logistic regression with an L2 penalty, cross-validated and solved to convergence: binary and multinomial.

The problem is convex and has one solution, which depends on nothing but rows, labels and penalty. It is found by
Newton's method, each step by conjugate gradients (Nocedal & Wright 2006, algorithm 7.1) along the principal axes of the
rows, along which the curvature is nearly diagonal; divided by its square root all directions curve alike. Products with
the rows are in 32 bits; what they leave of the gradient is measured in 64 bits, and taken away.

numpy and SciPy only. The caller limits linear algebra to one thread (`threadpoolctl`), or the bytes depend on the
number of cores; fits may run side by side in threads of their own.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, qr
from scipy.special import expit

from lacuna.core.scores import Floats

Rows = NDArray[np.float32]

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

BLOCK_ROWS = 1024
"""Rows of a block: 12 MB of 3,000 columns, and the logits of 250 columns fit into the processor's cache."""

LOOSE, FAR, NEAR = 0.3, 0.1, 0.01
"""What share of the gradient a Newton step may leave: in cross-validation, before 64 bits, and with them."""

NEAR_ENOUGH = 3e-3
"""The largest component of the gradient where a fit goes over from the first axes to all of them."""

NEWTON_STEPS = 60
CONJUGATE_STEPS = 60
SHORTEST_STEP = 2.0**-20
SUFFICIENT = 1e-4
"""What share of the decrease that the slope promises a step must bring (Nocedal & Wright 2006, equation 3.4)."""

SMALLEST_CURVATURE = 1e-12
"""Smaller shares of the largest curvature in the logits are none."""


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
    blocks = _cut(labels[known], n_logits, weight[known], smoothing, np.zeros(len(known), np.intp), 1)
    if axes.turned is None:
        quick = _Products(axes.rows, None if every else known, axes.basis)
    else:
        quick = _Products(axes.turned if every else axes.turned[known], None, None)
    problem = _Problem(quick, blocks, axes.variance, 1)
    there = problem.at_shares()
    n_first, passes = axes.first.shape[1], 0
    if n_first < len(axes.variance):  # the first axes alone bring it near, at a fraction of the price
        few = _Problem(
            _Products(axes.first if every else axes.first[known], None, None), blocks, axes.variance[:n_first], 1
        )
        near, _, _ = few.descend(few.at_shares(), l2, NEAR_ENOUGH, FAR)
        there[:n_first], there[-1], passes = near[:-1], near[-1], few.passes
    there, loss, gradient = problem.descend(there, l2, max(tolerance, CONVERGED_32_BITS), FAR, gain)
    if tolerance < CONVERGED_32_BITS and not gain:
        exact = _Products(axes.rows, None if every else known, axes.basis.astype(np.float64))
        there, loss, gradient = problem.descend(there, l2, tolerance, NEAR, exact=exact)
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
) -> Floats:
    """The weighted mean of -log p of held-out labels under fits to all other folds: of the first strengths of PATH, as
    many as it takes to know which is the best, (s,).

    labels, weight, smoothing: as in `fit`; held-out labels are not smoothed. folds (n,): 0 to k - 1, k at least 2. The
    axes may be those of all rows: they are coordinates, and no label shapes them. Raises ValueError when there are
    fewer than two folds, or one without a row that has a weight.
    """
    known = _known(weight)
    counts = np.bincount(folds[known])
    if len(counts) < 2 or counts.min() == 0:
        raise ValueError(f"cross-validation: expected two folds or more and rows in each, received {counts.tolist()}")
    known = known[np.argsort(folds[known], kind="stable")]
    blocks = _cut(labels[known], n_logits, weight[known], smoothing, folds[known], len(counts))
    held_out = _cut(labels[known], n_logits, weight[known], 0.0, folds[known], len(counts))
    products = _Products(axes.first[known], None, None)
    problem = _Problem(products, blocks, axes.variance[: axes.first.shape[1]], len(counts))
    there, losses, best = problem.at_shares(), list[float](), 0
    for l2 in PATH:
        there, _, _ = problem.descend(there, l2, CONVERGED_32_BITS, LOOSE, LOOSE_GAIN)
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


@dataclass(frozen=True)
class _Block:
    """Rows m of one fold: their labels as shares of the classes that have a logit (m, 1, k), weights (m, 1, 1), and
    which fits learn from them. `rows` is None of the average row."""

    rows: slice | None
    wanted: NDArray[np.float32]
    weight: NDArray[np.float32]
    fold: int
    fits: NDArray[np.intp]


def _known(weight: Floats) -> NDArray[np.intp]:
    known = np.flatnonzero(weight > 0)
    if len(known) == 0:
        raise ValueError("logistic regression: expected at least one row with a weight, received none")
    return known


def _cut(
    labels: NDArray[np.integer],
    n_logits: int,
    weight: Floats,
    smoothing: float,
    folds: NDArray[np.integer],
    n_fits: int,
) -> list[_Block]:
    """Blocks of rows sorted by fold, the average row as the last. With one fit alone it learns from all."""
    every = np.arange(n_fits)
    n_classes = max(n_logits, 2)
    logits = slice(n_classes - n_logits, None)
    shares = np.eye(n_classes, dtype=np.float32) * np.float32(1 - smoothing) + np.float32(smoothing / n_classes)
    blocks = []
    for fold in range(n_fits):
        start, end = np.searchsorted(folds, [fold, fold + 1]).tolist()
        fits = every[every != fold] if n_fits > 1 else every
        for first in range(start, end, BLOCK_ROWS):
            rows = slice(first, min(first + BLOCK_ROWS, end))
            wanted = shares[labels[rows], logits][:, None]
            blocks.append(_Block(rows, wanted, weight[rows, None, None].astype(np.float32), fold, fits))
    even = np.full((1, 1, n_classes), 1 / n_classes, np.float32)[..., logits]
    return [*blocks, _Block(None, even, np.ones((1, 1, 1), np.float32), -1, every)]


@dataclass(frozen=True)
class _Products:
    """Products with rows, of which `known` take part (None: all): with coordinates along the axes if `basis` is None,
    else with the rows as they are, in the precision of `basis`.

    Coordinates are (r + 1, fits, k): of each logit, one for each axis and the bias.
    """

    rows: Rows
    known: NDArray[np.intp] | None
    basis: NDArray[Any] | None

    def logits(self, blocks: Sequence[_Block], there: Floats) -> list[NDArray[Any]]:
        """The logits (m, fits of the block, k) of each block."""
        inner = self._whole(there[:-1])
        bias = there[-1].astype(inner.dtype)
        found = []
        for block in blocks:
            shape = (len(block.wanted), len(block.fits), there.shape[2])
            if block.rows is None:
                found.append(np.broadcast_to(bias[block.fits], shape))
            else:
                columns = inner[:, block.fits].reshape(len(inner), -1)
                found.append((self._take(block.rows) @ columns).reshape(shape) + bias[block.fits])
        return found

    def back(self, blocks: Sequence[_Block], cells: Iterable[NDArray[Any]], shape: tuple[int, ...]) -> Floats:
        """The sum over rows of coordinates times cells (m, fits of the block, k): float64, of `shape`."""
        columns = self.rows.shape[1]
        inner, bias = np.zeros((columns, *shape[1:])), np.zeros(shape[1:])
        for block, values in zip(blocks, cells, strict=True):
            bias[block.fits] += values.sum(axis=0, dtype=np.float64)
            if block.rows is not None:
                found = self._take(block.rows).T @ values.reshape(len(values), -1)
                inner[:, block.fits] += found.reshape(columns, *values.shape[1:])
        if self.basis is not None:
            inner = (self.basis.T @ inner.reshape(columns, -1).astype(self.basis.dtype)).reshape(-1, *shape[1:])
        return np.concatenate([inner, bias[None]])

    def squared(self, there: Floats) -> Floats:
        """Half the slope of the sum of squared weights. In 32 bits the axes' angles are right, in 64 they are not."""
        found = there.copy()
        found[-1] = 0
        if self.basis is not None and self.basis.dtype == np.float64:
            flat = there[:-1].reshape(len(there) - 1, -1)
            found[:-1] = (self.basis.T @ (self.basis @ flat)).reshape(found[:-1].shape)
        return found

    def _whole(self, there: Floats) -> NDArray[Any]:
        if self.basis is None:
            return there.astype(np.float32)
        flat = there.reshape(len(there), -1).astype(self.basis.dtype)
        whole: NDArray[Any] = (self.basis @ flat).reshape(-1, *there.shape[1:])
        return whole

    def _take(self, rows: slice) -> NDArray[Any]:
        taken = self.rows[rows] if self.known is None else self.rows[self.known[rows]]
        return taken if self.basis is None else taken.astype(self.basis.dtype, copy=False)


class _Problem:
    """Fits at one penalty, side by side."""

    def __init__(self, products: _Products, blocks: Sequence[_Block], variance: Floats, n_fits: int) -> None:
        self._products, self._blocks = products, blocks
        self._variance = np.append(variance, 1.0)[:, None, None]
        self._n_logits = blocks[-1].wanted.shape[2]
        self._total = np.zeros((n_fits, 1))
        self._shares = np.zeros((n_fits, self._n_logits))
        for block in blocks:
            self._total[block.fits] += block.weight.sum(dtype=np.float64)
            self._shares[block.fits] += (block.weight * block.wanted).sum(axis=0, dtype=np.float64)
        self._shares /= self._total
        self.passes = 0

    def at_shares(self) -> Floats:
        """Zero weights, and the bias of the class shares."""
        there = np.zeros((len(self._variance), *self._shares.shape))
        logs = np.log(self._shares)
        there[-1] = logs - (np.log1p(-self._shares) if self._n_logits == 1 else logs.mean(axis=1, keepdims=True))
        return there

    def descend(
        self,
        there: Floats,
        l2: float,
        tolerance: float,
        forcing: float,
        gain: float = 0.0,
        exact: _Products | None = None,
    ) -> tuple[Floats, Floats, Floats]:
        """Newton's method from coordinates on: the coordinates, and of each fit the loss and the largest component of
        its gradient.

        forcing: what share of the gradient the conjugate gradients of a step may leave. gain: it ends too when a step
        promises to lower the loss by no more than this share. exact: what logits and gradient are computed with, if not
        with what the steps are.
        """
        measured = exact or self._products
        rounding = 1e-12 if exact else 1e-6
        logits, pull, stalled = measured.logits(self._blocks, there), l2 * measured.squared(there), False
        loss, p = self._loss(logits, there, pull)
        for step in range(NEWTON_STEPS + 1):
            gradient = self._mean(measured, self._slopes(p), there.shape) + pull
            scaling = self._scaling(p, l2)
            largest = scaling.largest(gradient)
            self.passes += 1
            if stalled or step == NEWTON_STEPS:
                break
            unsolved = largest > tolerance
            if gain:
                unsolved &= _dot(gradient, scaling.divide(gradient)) / 2 > gain * loss
            if not unsolved.any():
                break
            move, moved = self._newton_of(np.flatnonzero(unsolved), gradient, scaling, l2, p, forcing)
            slope = _dot(gradient, move)
            length = np.ones(len(loss))
            while True:
                tried = there + length[:, None] * move
                if exact:
                    ahead = exact.logits(self._blocks, tried)
                else:
                    ahead = [
                        now + length[block.fits, None].astype(np.float32) * far
                        for block, now, far in zip(self._blocks, logits, moved, strict=True)
                    ]
                pull = l2 * measured.squared(tried)
                tried_loss, tried_p = self._loss(ahead, tried, pull)
                failed = tried_loss > loss + SUFFICIENT * length * slope + rounding * loss
                if not failed.any() or length.min() < SHORTEST_STEP:
                    break
                length[failed] /= 2
            stalled = not exact and bool((loss - tried_loss <= 0.1 * rounding * loss).all())  # 64 bits go on
            there, logits, loss, p = tried, ahead, tried_loss, tried_p
        return there, loss, largest

    def _newton_of(
        self,
        fits: NDArray[np.intp],
        gradient: Floats,
        scaling: "_Scaling",
        l2: float,
        p: Sequence[NDArray[Any]],
        forcing: float,
    ) -> tuple[Floats, list[NDArray[np.float32]]]:
        """The Newton steps of `fits`, none of the others: they stay, and cost nothing."""
        if len(fits) == len(self._total):
            return self._newton(gradient, scaling, l2, p, forcing)
        inside = [np.isin(block.fits, fits) for block in self._blocks]
        few = copy.copy(self)
        few._total, few._shares = self._total[fits], self._shares[fits]
        few._blocks = [
            replace(block, fits=np.searchsorted(fits, block.fits[here]))
            for block, here in zip(self._blocks, inside, strict=True)
            if here.any()
        ]
        some_p = [values[:, here] for values, here in zip(p, inside, strict=True) if here.any()]
        some = _Scaling(scaling.turn[fits], scaling.inverse[:, fits])
        some_move, some_moved = few._newton(gradient[:, fits], some, l2, some_p, forcing)
        self.passes = few.passes
        move, left = np.zeros_like(gradient), iter(some_moved)
        move[:, fits] = some_move
        moved = [np.zeros(values.shape, np.float32) for values in p]
        for values, here in zip(moved, inside, strict=True):
            if here.any():
                values[:, here] = next(left)
        return move, moved

    def _newton(
        self, gradient: Floats, scaling: "_Scaling", l2: float, p: Sequence[NDArray[Any]], forcing: float
    ) -> tuple[Floats, list[NDArray[np.float32]]]:
        """About minus the inverse curvature times the gradient, and what it adds to the logits."""
        p32 = [values.astype(np.float32, copy=False) for values in p]
        moved = [np.zeros_like(values) for values in p32]
        move, left = np.zeros_like(gradient), -gradient
        direction = scaled = scaling.divide(left)
        size = _dot(left, scaled)
        enough, active = forcing**2 * size, size > 0
        for _ in range(CONJUGATE_STEPS):
            along = self._products.logits(self._blocks, direction)
            bent = self._mean(self._products, self._bend(p32, along), gradient.shape) + l2 * self._products.squared(
                direction
            )
            self.passes += 1
            curved = _dot(direction, bent)
            active &= curved > 0  # it is, but for rounding
            share = np.divide(size, curved, out=np.zeros_like(size), where=active)
            move += share[:, None] * direction
            for block, so_far, values in zip(self._blocks, moved, along, strict=True):
                so_far += share[block.fits, None].astype(np.float32) * values
            left = left - share[:, None] * bent
            scaled = scaling.divide(left)
            before, size = size, _dot(left, scaled)
            active &= size > enough
            if not active.any():
                break
            direction = scaled + np.divide(size, before, out=np.zeros_like(size), where=active)[:, None] * direction
        return move, moved

    def _loss(self, logits: Sequence[NDArray[Any]], there: Floats, pull: Floats) -> tuple[Floats, list[NDArray[Any]]]:
        """The penalized loss of each fit, and the probabilities of the classes that have a logit.

        pull: the penalty's slope.
        """
        loss, p = np.zeros(len(self._total)), []
        for block, values in zip(self._blocks, logits, strict=True):
            found, under = _activate(values)
            p.append(found)
            own = under - (values * block.wanted).sum(axis=2)
            loss[block.fits] += (block.weight[..., 0] * own).sum(axis=0, dtype=np.float64)
        return loss / self._total[:, 0] + _dot(there, pull) / 2, p

    def _mean(self, products: _Products, cells: Iterable[NDArray[Any]], shape: tuple[int, ...]) -> Floats:
        """The mean over rows of slopes in the logits, along the axes.

        Of a row's several logits they add up to 0, but for rounding, which a class that is rare would not bear.
        """
        found = products.back(self._blocks, cells, shape) / self._total
        return found - found.mean(axis=2, keepdims=True) if self._n_logits > 1 else found

    def _slopes(self, p: Sequence[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """The loss's slopes in the logits."""
        for block, values in zip(self._blocks, p, strict=True):
            yield block.weight * (values - block.wanted)

    def _scaling(self, p: Sequence[NDArray[Any]], l2: float) -> "_Scaling":
        """The mean over rows of the curvature in the logits, times the variance along each axis."""
        together = np.zeros((len(self._total), self._n_logits, self._n_logits))
        for block, values in zip(self._blocks, p, strict=True):
            here = values.transpose(1, 0, 2)
            other = 1 - here if self._n_logits == 1 else here
            together[block.fits] += (here * block.weight[:, 0]).transpose(0, 2, 1) @ other
        together /= self._total[..., None]
        if self._n_logits > 1:  # sums over the other classes, so that what adds to all logits alike has no curvature
            own = together.sum(axis=2)
            together = -together
            together[:, np.arange(self._n_logits), np.arange(self._n_logits)] += own
        curvature, turn = np.linalg.eigh(together)
        curvature = np.where(curvature > SMALLEST_CURVATURE * curvature[:, -1:], curvature, 0)
        whole = self._variance * curvature
        whole[:-1] += l2
        return _Scaling(turn, np.divide(1, whole, out=np.zeros_like(whole), where=whole > 0))

    def _bend(
        self, p: Sequence[NDArray[np.float32]], along: Sequence[NDArray[np.float32]]
    ) -> Iterator[NDArray[np.float32]]:
        """How the slopes in the logits change along a direction."""
        for block, values, step in zip(self._blocks, p, along, strict=True):
            part = values * step
            if self._n_logits == 1:
                yield block.weight * (part - part * values)
            else:
                yield block.weight * (part - values * part.sum(axis=2, keepdims=True))


@dataclass(frozen=True)
class _Scaling:
    """The curvature along each axis and each of the directions `turn` (fits, k, k) of the logits: one over it
    (r + 1, fits, k), 0 where there is none."""

    turn: Floats
    inverse: Floats

    def divide(self, slope: Floats) -> Floats:
        """A slope divided by the curvature."""
        found: Floats = _turn(_turn(slope, self.turn) * self.inverse, self.turn.transpose(0, 2, 1))
        return found

    def largest(self, slope: Floats) -> Floats:
        """The largest component of a slope in coordinates of curvature 1: (fits,)."""
        found: Floats = np.abs(_turn(slope, self.turn) * np.sqrt(self.inverse)).max(axis=(0, 2))
        return found


def _turn(there: Floats, turn: Floats) -> Floats:
    turned: Floats = (there.transpose(1, 0, 2) @ turn).transpose(1, 0, 2)
    return turned


def _activate(logits: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The probabilities (m, fits, k) of the classes that have a logit, and log of what they were divided by (m, fits).

    A single logit is the log-odds of class 1 against class 0.
    """
    if logits.shape[2] == 1:
        return expit(logits), np.logaddexp(0, logits[..., 0])
    highest = logits.max(axis=2, keepdims=True)
    powers = np.exp(logits - highest)
    total = powers.sum(axis=2, keepdims=True)
    return powers / total, (highest + np.log(total))[..., 0]


def _held_out_loss(products: _Products, blocks: Sequence[_Block], there: Floats) -> float:
    """The weighted mean of -log p of each fold's labels under the fit that has not seen it."""
    loss = total = 0.0
    for block in blocks:
        if block.rows is None:
            continue
        own = replace(block, fits=np.array([block.fold]))
        (logits,) = products.logits([own], there)
        lost = _activate(logits)[1] - (logits * block.wanted).sum(axis=2)
        loss += float((block.weight[..., 0] * lost).sum(dtype=np.float64))
        total += float(block.weight.sum(dtype=np.float64))
    return loss / total


def _dot(first: Floats, second: Floats) -> Floats:
    """Of each fit, the sum over its coordinates."""
    product: Floats = (first * second).sum(axis=(0, 2))
    return product
