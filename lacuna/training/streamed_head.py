"""Exact heads of more rows than one memory holds: a sample chooses and steers, passes over all rows decide.

Of each target a sample that stands in memory chooses the penalty, gives the first weights and, at every point, the
curvature; loss and gradient are those of all rows, read block by block, once for all targets. This is sub-sampled
Newton (Byrd et al. 2011, On the use of stochastic Hessian information), its steps mended by L-BFGS: the sample's error
in the curvature costs a few passes, and shifts nothing.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats
from lacuna.io.openvino_runtime import n_cores
from lacuna.io.plurals import number_of
from lacuna.io.progress import progress
from lacuna.stats.logistic_newton import NewtonProblem
from lacuna.stats.logistic_regression import find_axes, fit
from lacuna.stats.logistic_rows import Products, cut_blocks
from lacuna.stats.logistic_sums import LossSums, penalized_mean, sum_rows
from lacuna.stats.quasi_newton import Divide, quasi_newton
from lacuna.training.exact_path import PathStep, SolvedTarget
from lacuna.training.exact_target import (
    SOLVED,
    TargetProblem,
    choose_penalty,
    chosen_penalty,
    nothing_learned,
    solve_target,
)
from lacuna.training.head_sample import draw_sample, relative_noise
from lacuna.training.standard_rows import StandardRows

IN_MEMORY_BYTES = 4 * 10**9
"""Rows of no more than so many bytes are solved in memory. It is a number of the data, not of the machine, because
the last bits of a head depend on the way it is solved."""

SAMPLE_BYTES, SAMPLE_OF_COLUMNS = 5 * 10**8, 4
"""Of a target's sample: bytes of its rows, and how many times the columns they are at least."""

SIDE_BY_SIDE = 4
"""Samples in memory at a time, with all that is derived from each: three times as much."""

STREAMED_GAIN = 1e-6
SAMPLE_FORCING = 0.03
"""What share of a gradient may be left where it is divided by the sample's curvature."""

PART_ROWS, BLOCK_ROWS = 16_384, 512
"""Rows of which one core adds up the sums, and those of them that it looks at at a time."""


@dataclass(frozen=True)
class SteeredTarget:
    """What the sample says: the first weights and bias (d + 1, n_logits), the curvature, the penalty and its path."""

    problem: TargetProblem
    first: Floats
    divide: Divide
    path: list[PathStep]


@dataclass(frozen=True)
class SumsOfPart:
    """Of a part of the rows: the sums of each problem at its point. The rows are read once for all."""

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
    """The head of each problem, in order. A target with no more known labels than a sample has is solved in memory, on
    the rows where they are known. Linear algebra must be limited to one thread."""
    with ThreadPoolExecutor(min(n_cores(), SIDE_BY_SIDE)) as pool:
        begun = list(pool.map(partial(_begin, rows, group), problems))
        steered = [target for target in begun if isinstance(target, SteeredTarget)]
        solved = iter(_descend(rows, steered, pool))
    for target in begun:
        yield next(solved) if isinstance(target, SteeredTarget) else target


def _begin(rows: StandardRows, group: NDArray[np.int64], problem: TargetProblem) -> SolvedTarget | SteeredTarget:
    known = np.flatnonzero(problem.weight)
    if len(known) == 0 or problem.target.n_classes == 1:
        return nothing_learned(problem.target, rows.columns)
    most = max(SAMPLE_BYTES // (4 * rows.columns), SAMPLE_OF_COLUMNS * rows.columns)
    if len(known) <= most:
        return solve_target(problem.take(known), find_axes(rows.take(known)), group[known])
    places, repeats = draw_sample(problem.labels[known], group[known], most, problem.seed)
    sample = problem.take(known[places])
    weight = sample.weight * repeats
    noise = relative_noise(sample.labels, weight, problem.labels[known], problem.weight[known])
    axes = find_axes(_on_disk(rows.take(known[places])))
    path = choose_penalty(sample, axes, group[known[places]], weight, noise)
    l2, n_logits = chosen_penalty(path), problem.target.n_logits
    near = fit(axes, sample.labels, n_logits, weight, noise * l2, problem.smoothing, gain=SOLVED)
    blocks = cut_blocks(sample.labels, n_logits, weight, problem.smoothing, np.zeros(most, np.intp), 1)
    basis = axes.basis
    of_sample = NewtonProblem(Products(axes.rows, None, basis), blocks, axes.variance, 1)

    def divide(there: Floats, gradient: Floats) -> Floats:
        along = of_sample.divide(_turn(basis.T, there), _turn(basis.T, gradient), l2, SAMPLE_FORCING)
        return _turn(basis, along[:, 0])[:, 0]

    return SteeredTarget(problem, np.append(near.weights, near.bias[None], axis=0), divide, path)


def _turn(basis: NDArray[np.float32], point: Floats) -> Floats:
    """Weights (d, n_logits) along other axes, the bias as it is: (d + 1, 1, n_logits)."""
    return np.append(basis @ point[:-1], point[-1:], axis=0)[:, None]


def _descend(rows: StandardRows, steered: Sequence[SteeredTarget], pool: ThreadPoolExecutor) -> Iterator[SolvedTarget]:
    """All targets side by side, so that a pass serves each; those that are solved drop out."""
    descents = [quasi_newton(target.first, target.divide, STREAMED_GAIN) for target in steered]
    ahead = {index: next(descent) for index, descent in enumerate(descents)}
    solved: dict[int, Floats] = {}

    def go_on(index: int, every: LossSums) -> None:
        l2 = chosen_penalty(steered[index].path)
        try:
            ahead[index] = descents[index].send(penalized_mean(every, ahead[index], l2))
        except StopIteration as end:
            solved[index] = end.value
            del ahead[index]

    passes = 0
    while ahead:
        passes += 1
        open_ones = sorted(ahead)
        task = SumsOfPart(rows, [steered[index].problem for index in open_ones], [ahead[index] for index in open_ones])
        sums = _add_up(task, len(rows), f"pass {passes}, {number_of(len(open_ones), 'head')}")
        list(pool.map(go_on, open_ones, sums))
    return (
        SolvedTarget(point[:-1], point[-1], target.path)
        for target, point in zip(steered, (solved[index] for index in range(len(steered))), strict=True)
    )


def _add_up(task: SumsOfPart, n: int, what: str) -> list[LossSums]:
    """The sums over all n rows: parts side by side, added in their order."""
    parts = [slice(start, min(start + PART_ROWS, n)) for start in range(0, n, PART_ROWS)]
    with ThreadPoolExecutor(n_cores()) as pool:
        found = progress(pool.map(task, parts), total=len(parts), what=what, unit="parts")
        return [reduce(add, of_problem) for of_problem in zip(*found, strict=True)]


def _on_disk(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same, memory-mapped from a file that has no name and is gone when nothing reads it any more."""
    with TemporaryFile() as file:
        array.tofile(file)
        return np.asarray(np.memmap(file, array.dtype, "r", shape=array.shape))
