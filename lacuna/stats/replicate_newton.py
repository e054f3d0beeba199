"""Minima of convex functions that are nearly the same: those of a sample's replicates, near that of the sample.

From nowhere Newton's method takes ten steps, from another replicate's minimum three. Where variables are many, a
Hessian costs as much as all else: there the first minimum's can serve all replicates, for as long as steps shrink (the
chord method, Ortega and Rheinboldt 1970, section 7.1).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats

MOST_STEPS = 100
MOST_CHORDS = 8

LEAST_PROMISE = 1e-6
"""A step that promises to descend by less is the last one, of a likelihood one of a thousandth of the standard error;
what is left is its square."""

LAST_CHORD = 1e-4
"""With another one's Hessian a share of the step is left: a hundredth of the noise that replicates are to show."""

LARGEST_CUT = 0.95
"""A step takes at most this share of any number that must stay positive."""

MANY = 8
"""From so many variables on a Hessian is not worth its cost."""

ReplicateDerivatives = tuple[Floats, Floats, Floats | None]
ReplicateObjective = Callable[[Floats, NDArray[np.intp], bool], ReplicateDerivatives]
"""Of numbers (m, k) in the replicates (m,): values (m,), gradients (m, k) and, where asked for, Hessians (m, k, k)."""


@dataclass(frozen=True)
class NearbyOptimum:
    """The minimum x (1, k) of a replicate, the inverse of the Hessian (k, k) next to it, and the mass (1, k) if any."""

    x: Floats
    inverse: Floats
    mass: Floats | None


def minimise_replicates(
    objective: ReplicateObjective,
    far: Floats,
    near: NearbyOptimum | None,
    seen: NDArray[np.bool_],
    positive: bool = False,
    mass: Floats | None = None,
) -> tuple[Floats, NearbyOptimum]:
    """The minima (replicates, k), looked for from `near`, and where the next chunk of replicates is to look.

    Without it the first one's is looked for from `far` (replicates, k). What is not seen (replicates, k) stays as it is
    there. positive: numbers that are above 0 stay so. mass (replicates, k): what rows and columns of the Hessians are
    about proportional to, where they may be taken from each other so.
    """
    found = np.zeros((0, far.shape[1]))
    if near is None:
        found, curvature = newton(objective, far[:1], np.arange(1), positive)
        near = NearbyOptimum(found, np.linalg.inv(curvature[0]), None if mass is None else mass[:1])
    rest = np.arange(len(found), len(far))
    start = np.where(seen[rest] & (near.x != 0), near.x, far[rest])
    x, left = start.copy(), np.arange(len(rest))
    if far.shape[1] >= MANY and mass is not None and near.mass is not None:
        ratio = np.divide(near.mass, mass[rest], out=np.zeros_like(x), where=seen[rest])
        left = _chords(objective, x, rest, near.inverse, np.sqrt(ratio))
    if len(left):
        x[left], _ = newton(objective, start[left], rest[left], positive)
    return np.concatenate([found, x]), near


def _chords(
    objective: ReplicateObjective,
    x: Floats,
    rows: NDArray[np.intp],
    inverse: Floats,
    scale: Floats,
) -> NDArray[np.intp]:
    """Descend in place with one inverse Hessian for all, times scale (m, k) on both sides; return the places where that
    did not end at a minimum."""
    left, lost, before = np.arange(len(rows)), [np.zeros(0, np.intp)], np.full(len(rows), np.inf)
    for _ in range(MOST_CHORDS):
        _, gradient, _ = objective(x[left], rows[left], False)
        step = ((gradient * scale[left]) @ inverse) * scale[left]
        promised = (step * gradient).sum(axis=1)
        shrinks = promised < before[left] / 4
        lost.append(left[~shrinks])
        before[left] = promised
        left, step, promised = left[shrinks], step[shrinks], promised[shrinks]
        x[left] -= step
        left = left[promised >= LAST_CHORD]
        if len(left) == 0:
            break
    return np.sort(np.concatenate([*lost, left]))


def newton(
    objective: ReplicateObjective,
    x: Floats,
    rows: NDArray[np.intp],
    positive: bool = False,
    least_promise: float = LEAST_PROMISE,
) -> tuple[Floats, Floats]:
    """Newton's method in replicates `rows` (m,) from x (m, k), each left alone once it is there; steps that descend too
    little are halved. The minima (m, k), and the last Hessians that were computed for the last rows."""
    found, left = x.copy(), np.arange(len(rows))
    value, gradient, curvature = objective(x, rows, True)
    assert curvature is not None
    for _ in range(MOST_STEPS):
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0].astype(np.float64)
        promised = (step * gradient).sum(axis=1)
        x = found[left]
        length = _lengths(x, step, positive)
        found[left] = x - length[:, None] * step
        going = promised >= least_promise
        if not going.any():
            break
        left, x, step, length, promised, value = (of[going] for of in (left, x, step, length, promised, value))
        for _ in range(40):
            reached = objective(x - length[:, None] * step, rows[left], True)
            short = reached[0] > value - 1e-4 * length * promised + 1e-12 * (1 + np.abs(value))
            if not short.any():
                break
            length[short] /= 2
        found[left] = x - length[:, None] * step
        value, gradient, curvature = reached
        assert curvature is not None
    return found, curvature


def _lengths(x: Floats, step: Floats, positive: bool) -> Floats:
    """How much of each step (m, k) from x to take, (m,)."""
    if not positive:
        return np.ones(len(x))
    shrinking = np.divide(step, x, out=np.zeros_like(x), where=x > 0).max(axis=1, initial=0)
    lengths: Floats = np.minimum(1, LARGEST_CUT / np.maximum(shrinking, LARGEST_CUT))
    return lengths
