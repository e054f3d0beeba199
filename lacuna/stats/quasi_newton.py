"""L-BFGS for a convex loss that is dear to look at: one look a step, in a metric that is given.

Nocedal & Wright 2006, algorithms 7.4 and 7.5, where the first guess at the inverse curvature is not a number but
whatever divides a gradient by a curvature that is nearly right, such as that of a sample. What the sample does not know
about the curvature the last steps tell.
"""

from collections import deque
from collections.abc import Callable, Generator

from lacuna.core.scores import Floats
from lacuna.stats.logistic_newton import SHORTEST_STEP, SUFFICIENT

Divide = Callable[[Floats, Floats], Floats]
"""Of a point and a gradient: the gradient divided by about the curvature there."""

REMEMBERED = 10
MOST_ITERATIONS = 200
ROUNDING_64_BITS = 1e-13


def quasi_newton(start: Floats, divide: Divide, gain: float) -> Generator[Floats, tuple[float, Floats], Floats]:
    """Yields a point, expects (loss, gradient) there by `send`, and returns the lowest point.

    It ends when a step promises to lower the loss by no more than the share `gain`, or nothing can lower it.
    """
    there = start
    loss, gradient = yield there
    past = deque[tuple[Floats, Floats]](maxlen=REMEMBERED)
    for _ in range(MOST_ITERATIONS):
        step = -_divide_by_curvature(there, gradient, divide, past)
        slope = float((gradient * step).sum())
        if -slope / 2 <= gain * loss:
            break
        length = 1.0
        while True:
            ahead = there + length * step
            ahead_loss, ahead_gradient = yield ahead
            if ahead_loss <= loss + SUFFICIENT * length * slope + ROUNDING_64_BITS * loss:
                break
            length /= 2
            if length < SHORTEST_STEP:
                return there
        past.append((ahead - there, ahead_gradient - gradient))
        there, loss, gradient = ahead, ahead_loss, ahead_gradient
    return there


def _divide_by_curvature(there: Floats, gradient: Floats, divide: Divide, past: deque[tuple[Floats, Floats]]) -> Floats:
    """Algorithm 7.4: the steps and how they changed the gradient mend what `divide` makes of it."""
    left, shares = gradient, []
    usable = [(moved, bent, float((moved * bent).sum())) for moved, bent in past]
    usable = [(moved, bent, curved) for moved, bent, curved in usable if curved > 0]  # it is, but for rounding
    for moved, bent, curved in reversed(usable):
        shares.append(float((moved * left).sum()) / curved)
        left = left - shares[-1] * bent
    found = divide(there, left)
    for moved, bent, curved in usable:
        found = found + (shares.pop() - float((bent * found).sum()) / curved) * moved
    return found
