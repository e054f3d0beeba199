"""What a sample of a target's rows says of its head: the penalty, the first weights, the curvature."""

from dataclasses import dataclass
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats
from lacuna.stats.logistic_newton import NewtonProblem
from lacuna.stats.logistic_regression import Axes, find_axes, fit
from lacuna.stats.logistic_rows import Products, cut_blocks
from lacuna.stats.quasi_newton import Divide
from lacuna.training.exact_path import PathStep
from lacuna.training.exact_target import SOLVED, TargetProblem, choose_penalty, chosen_penalty
from lacuna.training.head_sample import draw_sample, relative_noise
from lacuna.training.standard_rows import StandardRows

SAMPLE_BYTES, LEAST_OF_COLUMNS = 10**9, 4
"""Of a sample: bytes of its rows, of 2,912 columns 29 times as many rows as columns, and how many times as many there
are at least. With 30 times as many, 6 to 8 passes solve a head, with 15 times 7 to 11, with 4 times 11 to 56."""

FORCING = 0.03
"""What share of a gradient may be left where it is divided by the sample's curvature."""


@dataclass(frozen=True)
class SteeredTarget:
    """`first` weights and bias (d + 1, n_logits), `divide` by the sample's curvature, and the path of the penalty."""

    problem: TargetProblem
    first: Floats
    divide: Divide
    path: list[PathStep]


def sample_rows(columns: int) -> int:
    """How many rows a sample has."""
    return max(SAMPLE_BYTES // (4 * columns), LEAST_OF_COLUMNS * columns)


def steer(
    problem: TargetProblem, rows: StandardRows, group: NDArray[np.int64], known: NDArray[np.intp]
) -> SteeredTarget:
    """Steer a target by a sample of the rows where it is known, which are more.

    A penalty holds back noise, of which the sample has more: there each strength is tried so many times as strong.
    """
    places, repeats = draw_sample(problem.labels[known], group[known], sample_rows(rows.columns), problem.seed)
    drawn = known[places]
    sample = problem.take(drawn)
    weight = sample.weight * repeats
    noise = relative_noise(sample.labels, weight, problem.labels[known], problem.weight[known])
    axes = find_axes(_on_disk(rows.take(drawn)))
    path = choose_penalty(sample, axes, group[drawn], weight, noise)
    l2, n_logits = chosen_penalty(path), problem.target.n_logits
    near = fit(axes, sample.labels, n_logits, weight, noise * l2, problem.smoothing, gain=SOLVED)
    first = np.append(near.weights, near.bias[None], axis=0)
    return SteeredTarget(problem, first, _curvature(axes, sample, weight, l2), path)


def _curvature(axes: Axes, sample: TargetProblem, weight: Floats, l2: float) -> Divide:
    basis, every = axes.basis, np.zeros(len(weight), np.intp)
    blocks = cut_blocks(sample.labels, sample.target.n_logits, weight, sample.smoothing, every, 1)
    along_axes = NewtonProblem(Products(axes.rows, None, basis), blocks, axes.variance, 1)

    def turn(onto: NDArray[np.float32], point: Floats) -> Floats:
        return np.append(onto @ point[:-1], point[-1:], axis=0)

    def divide(there: Floats, gradient: Floats) -> Floats:
        divided = along_axes.divide(turn(basis.T, there)[:, None], turn(basis.T, gradient)[:, None], l2, FORCING)
        return turn(basis, divided[:, 0])

    return divide


def _on_disk(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same, memory-mapped from a file that has no name and is gone when nothing reads it any more."""
    with TemporaryFile() as file:
        rows.tofile(file)
        return np.asarray(np.memmap(file, rows.dtype, "r", shape=rows.shape))
