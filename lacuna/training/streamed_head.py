"""Exact heads of more rows than one memory holds: samples steer, passes over all rows decide.

Loss and gradient are those of all rows, read block by block in every pass, once for all targets. A sample of each
target chooses its penalty, gives the first weights and, at every point, the curvature. This is sub-sampled Newton (Byrd
et al. 2011), its steps mended by L-BFGS: what the sample gets wrong costs a pass or two, and shifts nothing.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats
from lacuna.io.cores import n_cores
from lacuna.io.plurals import number_of
from lacuna.io.progress import progress
from lacuna.stats.logistic_regression import find_axes
from lacuna.stats.logistic_sums import LossSums, penalized_mean, sum_rows
from lacuna.stats.quasi_newton import quasi_newton
from lacuna.training.exact_path import SolvedTarget
from lacuna.training.exact_target import SOLVED, TargetProblem, chosen_penalty, nothing_learned, solve_target
from lacuna.training.standard_rows import StandardRows
from lacuna.training.steered_target import SteeredTarget, sample_rows, steer

IN_MEMORY_BYTES = 4 * 10**9
"""Rows of no more than so many bytes are solved in memory. It is a number of the data, not of the machine, because the
last bits of a head depend on the way it is solved."""

SIDE_BY_SIDE = 4
"""Samples that are looked at at a time, and with them what is derived from each."""

PART_ROWS, BLOCK_ROWS = 16_384, 256
"""Rows of which one core adds up the sums, and those of them that it looks at at a time."""


@dataclass(frozen=True)
class SumsOfPart:
    """Of a part of the rows: the sums of each problem at its point. The rows are read once for all of them."""

    rows: StandardRows
    problems: Sequence[TargetProblem]
    points: Sequence[Floats]

    def __call__(self, part: slice) -> list[LossSums]:
        """The sums over rows part.start to part.stop."""
        sums = [LossSums(0.0, np.zeros_like(point), 0.0) for point in self.points]
        for start in range(part.start, part.stop, BLOCK_ROWS):
            inside = slice(start, min(start + BLOCK_ROWS, part.stop))
            block = self.rows.take(inside).astype(np.float64)
            for index, (problem, point) in enumerate(zip(self.problems, self.points, strict=True)):
                here = problem.take(inside)
                sums[index] += sum_rows(block, here.labels, here.weight, point, problem.smoothing)
        return sums


def is_streamed(n: int, columns: int) -> bool:
    """Whether so many rows are solved by passes over the files."""
    return 4 * n * columns > IN_MEMORY_BYTES


def solve_streamed(
    rows: StandardRows, group: NDArray[np.int64], problems: Sequence[TargetProblem]
) -> Iterator[SolvedTarget]:
    """The head of each problem, in order; linear algebra must be limited to one thread.

    A target that is known of no more rows than a sample has is solved in memory, on those rows.
    """

    def begin(problem: TargetProblem) -> SolvedTarget | SteeredTarget:
        known = np.flatnonzero(problem.weight)
        if len(known) == 0 or problem.target.n_classes == 1:
            return nothing_learned(problem.target, rows.columns)
        if len(known) <= sample_rows(rows.columns):
            return solve_target(problem.take(known), find_axes(rows.take(known)), group[known])
        return steer(problem, rows, group, known)

    with ThreadPoolExecutor(min(n_cores(), SIDE_BY_SIDE)) as pool:
        begun = list(pool.map(begin, problems))
        points = iter(_descend(rows, [target for target in begun if isinstance(target, SteeredTarget)], pool))
    for target in begun:
        if isinstance(target, SteeredTarget):
            point = next(points)
            target = SolvedTarget(point[:-1], point[-1], target.path)
        yield target


def _descend(rows: StandardRows, targets: Sequence[SteeredTarget], pool: ThreadPoolExecutor) -> list[Floats]:
    """The lowest point of each target: side by side, so that a pass serves all that are not there yet."""
    descents = [quasi_newton(target.first, target.divide, SOLVED) for target in targets]
    points, passes = [next(descent) for descent in descents], 0

    def go_on(index: int, every: LossSums) -> bool:
        """Whether there is another point to look at."""
        try:
            loss = penalized_mean(every, points[index], chosen_penalty(targets[index].path))
            points[index] = descents[index].send(loss)
        except StopIteration as end:
            points[index] = end.value
            return False
        return True

    ahead = list(range(len(targets)))
    while ahead:
        passes += 1
        task = SumsOfPart(rows, [targets[index].problem for index in ahead], [points[index] for index in ahead])
        sums = _add_up(task, len(rows), f"pass {passes}, {number_of(len(ahead), 'head')}")
        ahead = [index for index, goes_on in zip(ahead, pool.map(go_on, ahead, sums), strict=True) if goes_on]
    return points


def _add_up(task: SumsOfPart, n: int, what: str) -> list[LossSums]:
    """The sums over all n rows: parts side by side, added in their order."""
    parts = [slice(start, min(start + PART_ROWS, n)) for start in range(0, n, PART_ROWS)]
    with ThreadPoolExecutor(n_cores()) as pool:
        found = progress(pool.map(task, parts), total=len(parts), what=what, unit="parts")
        return reduce(lambda so_far, part: list(map(add, so_far, part)), found)
