"""Newton's method for penalized logistic regressions side by side, each step by conjugate gradients."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats
from lacuna.stats.logistic_rows import Products, RowBlock, class_probabilities

NEWTON_STEPS = 60
CONJUGATE_STEPS = 60
SHORTEST_STEP = 2.0**-20
SUFFICIENT = 1e-4
"""What share of the decrease that the slope promises a step must bring (Nocedal & Wright 2006, equation 3.4)."""

SMALLEST_CURVATURE = 1e-12
"""Smaller shares of the largest curvature in the logits are none."""


class NewtonProblem:
    """Fits at one penalty, side by side."""

    def __init__(self, products: Products, blocks: Sequence[RowBlock], variance: Floats, n_fits: int) -> None:
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
        exact: Products | None = None,
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

    def divide(self, there: Floats, gradient: Floats, l2: float, forcing: float) -> Floats:
        """A gradient that other rows may have, divided by the curvature of these at `there`."""
        _, p = self._loss(self._products.logits(self._blocks, there), there, l2 * self._products.squared(there))
        return self._level(self._newton(-self._level(gradient), self._scaling(p, l2), l2, p, forcing)[0])

    def _newton_of(
        self,
        fits: NDArray[np.intp],
        gradient: Floats,
        scaling: "NewtonScaling",
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
        some = NewtonScaling(scaling.turn[fits], scaling.inverse[:, fits])
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
        self, gradient: Floats, scaling: "NewtonScaling", l2: float, p: Sequence[NDArray[Any]], forcing: float
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
            found, under = class_probabilities(values)
            p.append(found)
            own = under - (values * block.wanted).sum(axis=2)
            loss[block.fits] += (block.weight[..., 0] * own).sum(axis=0, dtype=np.float64)
        return loss / self._total[:, 0] + _dot(there, pull) / 2, p

    def _mean(self, products: Products, cells: Iterable[NDArray[Any]], shape: tuple[int, ...]) -> Floats:
        """The mean over rows of slopes in the logits, along the axes."""
        return self._level(products.back(self._blocks, cells, shape) / self._total)

    def _level(self, slope: Floats) -> Floats:
        """Of several logits slopes add up to 0, but for rounding, which a class that is rare would not bear."""
        return slope - slope.mean(axis=2, keepdims=True) if self._n_logits > 1 else slope

    def _slopes(self, p: Sequence[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """The loss's slopes in the logits."""
        for block, values in zip(self._blocks, p, strict=True):
            yield block.weight * (values - block.wanted)

    def _scaling(self, p: Sequence[NDArray[Any]], l2: float) -> "NewtonScaling":
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
        return NewtonScaling(turn, np.divide(1, whole, out=np.zeros_like(whole), where=whole > 0))

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
class NewtonScaling:
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


def _dot(first: Floats, second: Floats) -> Floats:
    """Of each fit, the sum over its coordinates."""
    product: Floats = (first * second).sum(axis=(0, 2))
    return product
