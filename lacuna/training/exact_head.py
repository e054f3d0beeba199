"""Phase 1 without steps or epochs: of each target the one head that minimizes its penalized log loss. No Keras.

Each target is a logistic regression of its own over the images whose label is known, on features standardized by all
training images. How strongly its weights are penalized is chosen by cross-validation within the training images.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from lacuna.config.blocks import Train
from lacuna.core.groups import assign_folds
from lacuna.core.head_weights import HeadWeights
from lacuna.core.scores import Floats
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.io.openvino_runtime import n_cores
from lacuna.stats.logistic_regression import PATH, Axes, cross_validate, find_axes, fit
from lacuna.training.exact_path import PathStep, SolvedTarget
from lacuna.training.kept_heads import KeptHeads
from lacuna.training.statistics import TargetStatistics

FEW_LABELS, FOLDS_OF_FEW, FOLDS_OF_MANY = 3000, 5, 3
"""Folds of a target by its known labels. With few a third held out would be missed, and five folds take seconds."""

SOLVED = 1e-6
"""A head is solved when a step promises to lower its loss by no more than this share, by the curvature along each axis.
Where classes are separable, and the loss is next to nothing, ten times as much may be left."""

SMALLEST_DEVIATION = 1e-6
"""A column whose standard deviation is no larger, absolutely or against its mean, is constant but for rounding."""

READ_AT_ONCE = 2048


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
        mean, scale = training_scale(features, rows)
        axes = cache(lambda: find_axes(standardize(features, rows, mean, scale)))
        # Mean and scale say what was read, where features were changed since their checksum was noted.
        shared: list[NDArray[Any] | str] = [rows, group, mean, scale, str((train.label_smoothing, seed))]

        def solve(index: int) -> SolvedTarget:
            target, weights = targets[index], np.asarray(statistics[index].weights, np.float64)
            fixed = l2.get(target.name)
            inputs = [*shared, str((target, fixed)), labels[:, index], weights]
            found = kept.find(*inputs) if kept else None
            if found is None:
                with one_at_a_time:
                    of_rows = axes()
                found = _solve(target, of_rows, labels[:, index], group, weights, train.label_smoothing, fixed, seed)
                if kept:
                    kept.keep(found, *inputs)
            return found

        one_at_a_time = Lock()
        with ThreadPoolExecutor(min(n_cores(), max(len(targets), 1))) as pool:
            solved = list(pool.map(solve, range(len(targets))))
    head = HeadWeights(
        mean,
        scale,
        np.concatenate([part.weights for part in solved], axis=1),
        np.concatenate([part.bias for part in solved]),
    )
    path = {name: part.path for name, part in zip(targets.names, solved, strict=True)}
    return ExactHead(head, path)


def _solve(
    target: Target,
    axes: Axes,
    labels: NDArray[np.integer],
    group: NDArray[np.int64],
    class_weights: Floats,
    smoothing: float,
    fixed: float | None,
    seed: int,
) -> SolvedTarget:
    known = labels >= 0
    weight = np.where(known, class_weights[np.maximum(labels, 0)], 0.0)
    if not weight.any() or target.n_classes == 1:
        return SolvedTarget(np.zeros((len(axes.basis), target.n_logits)), np.zeros(target.n_logits), [])
    if fixed is None:
        path = _choose(target, axes, labels, group, weight, smoothing, seed)
    else:
        path = [PathStep(fixed, None, True)]
    chosen = next(step.l2 for step in path if step.chosen)
    found = fit(axes, labels, target.n_logits, weight, chosen, smoothing, gain=SOLVED)
    return SolvedTarget(found.weights, found.bias, path)


def _choose(
    target: Target,
    axes: Axes,
    labels: NDArray[np.integer],
    group: NDArray[np.int64],
    weight: Floats,
    smoothing: float,
    seed: int,
) -> list[PathStep]:
    """The strengths with their held-out losses. Where all images are one group nothing can be held out, and the
    strongest is chosen."""
    counts = weight > 0
    wanted = FOLDS_OF_FEW if counts.sum() <= FEW_LABELS else FOLDS_OF_MANY
    n_folds = min(wanted, len(np.unique(group[counts])))
    if n_folds < 2:
        return [PathStep(PATH[0], None, True)]
    folds = np.zeros(len(labels), np.intp)
    folds[counts] = assign_folds(group[counts], n_folds, seed)
    losses = cross_validate(axes, labels, target.n_logits, weight, folds, smoothing)
    best = int(losses.argmin())
    return [
        PathStep(l2, float(loss), index == best) for index, (l2, loss) in enumerate(zip(PATH, losses, strict=False))
    ]


def training_scale(features: NDArray[np.float32], rows: NDArray[np.integer]) -> tuple[Floats, Floats]:
    """Mean and standard deviation (d,) of view 0 of the rows; the deviation of constant columns counts as 1.

    Raises LacunaError for values that are not finite, and without a row.
    """
    n, d = len(rows), features.shape[2]
    if n == 0:
        raise LacunaError("no training images; expected at least one")
    mean, squares = np.zeros(d), np.zeros(d)
    for block in _blocks(features, rows):
        mean += block.sum(axis=0) / n
    if not np.isfinite(mean).all():
        raise LacunaError("features of training images are not finite; run dvc repro featurize")
    for block in _blocks(features, rows):
        squares += ((block - mean) ** 2).sum(axis=0) / n
    scale = np.sqrt(squares)
    scale[scale <= SMALLEST_DEVIATION * np.maximum(np.abs(mean), 1)] = 1
    return mean, scale


def standardize(
    features: NDArray[np.float32], rows: NDArray[np.integer], mean: Floats, scale: Floats
) -> NDArray[np.float32]:
    """View 0 of the rows (n, d) less the mean, by the scale; constant columns are 0."""
    standardized = np.empty((len(rows), features.shape[2]), np.float32)
    for start, block in enumerate(_blocks(features, rows)):
        standardized[start * READ_AT_ONCE : (start + 1) * READ_AT_ONCE] = (block - mean) / scale
    return standardized


def _blocks(features: NDArray[np.float32], rows: NDArray[np.integer]) -> Iterator[Floats]:
    for start in range(0, len(rows), READ_AT_ONCE):
        yield np.asarray(features[rows[start : start + READ_AT_ONCE], 0], np.float64)
