"""Phase 1 without steps or epochs: of each target the one head that minimizes its penalized log loss. No Keras.

Each target is a logistic regression of its own over the images whose label is known, on features standardized by all
training images. How strongly its weights are penalized is chosen by cross-validation within the training images. Rows
that would fill a memory are read from their files in passes (`streamed_head`), all others stand in memory.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from lacuna.config.blocks import Train
from lacuna.core.head_weights import HeadWeights
from lacuna.core.targets import Targets
from lacuna.errors import LacunaError
from lacuna.io.cores import n_cores
from lacuna.stats.logistic_regression import find_axes
from lacuna.training.exact_path import PathStep, SolvedTarget
from lacuna.training.exact_target import TargetProblem, solve_target
from lacuna.training.kept_heads import KeptHeads
from lacuna.training.standard_rows import StandardRows, training_scale
from lacuna.training.statistics import TargetStatistics
from lacuna.training.streamed_head import is_streamed, solve_streamed


@dataclass(frozen=True)
class ExactHead:
    """The head, and by target's name the strengths that were tried, from the strongest on; none of a target without
    known labels."""

    head: HeadWeights
    path: dict[str, list[PathStep]]


def solve_head(
    features: NDArray[np.float32],
    rows: NDArray[np.integer],
    labels: NDArray[np.integer],
    group: NDArray[np.int64],
    targets: Targets,
    statistics: list[TargetStatistics],
    train: Train,
    l2: Mapping[str, float],
    seed: int,
    kept: KeptHeads | None = None,
) -> ExactHead:
    """Solve the head of every target on the training images.

    features: (n_images, views, d), may be memory-mapped; view 0 of `rows` (n,) alone is read. labels (n, n_targets), -1
    unknown, and group (n,) are aligned with `rows`; folds are whole groups. The label's class weight multiplies its
    cell, and `train.label_smoothing` applies; targets do not compete for weights, so that `train.target_weights` has
    nothing to weigh. l2: fixed strengths by target's name, the others are chosen. A target without known labels has
    zero weights and bias, so have those with labels of no weight. kept: of these features; heads that are there are
    not solved again. Same bytes whatever the number of cores, and whatever is kept.

    Raises LacunaError when `l2` names no target, or features are not finite.
    """
    for name in l2:
        if name not in targets.names:
            raise LacunaError(
                f"params.yaml: warmup.l2 names {name!r}, which is not learned; targets are {', '.join(targets.names)}"
            )
    with threadpool_limits(1):  # the order in which threads add up would change the last bits
        standard = StandardRows(features, rows, *training_scale(features, rows))
        # Mean and scale say what was read, where features were changed since their checksum was noted.
        settings = str((train.label_smoothing, seed))
        shared: list[NDArray[Any] | str] = [rows, group, standard.mean, standard.scale, settings]
        problems, inputs = [], []
        for index, target in enumerate(targets):
            weights, fixed = np.asarray(statistics[index].weights, np.float64), l2.get(target.name)
            problems.append(TargetProblem(target, labels[:, index], weights, fixed, train.label_smoothing, seed))
            inputs.append([*shared, str((target, fixed)), labels[:, index], weights])
        found = [kept.find(*shapes_it) if kept else None for shapes_it in inputs]
        missing = [index for index, part in enumerate(found) if part is None]
        solve = solve_streamed if is_streamed(len(standard), standard.columns) else _solve_in_memory
        for index, part in zip(missing, solve(standard, group, [problems[index] for index in missing]), strict=True):
            found[index] = part
            if kept:
                kept.keep(part, *inputs[index])
        solved = [part for part in found if part is not None]
    head = HeadWeights(
        standard.mean,
        standard.scale,
        np.concatenate([part.weights for part in solved], axis=1),
        np.concatenate([part.bias for part in solved]),
    )
    path = {name: part.path for name, part in zip(targets.names, solved, strict=True)}
    return ExactHead(head, path)


def _solve_in_memory(
    rows: StandardRows, group: NDArray[np.int64], problems: Sequence[TargetProblem]
) -> Iterator[SolvedTarget]:
    if problems:
        axes = find_axes(rows.take(slice(None)))
        with ThreadPoolExecutor(min(n_cores(), len(problems))) as pool:
            yield from pool.map(lambda problem: solve_target(problem, axes, group), problems)
