"""The head of one target, whose rows stand in memory: a penalty by cross-validation, then the optimum."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lacuna.core.groups import assign_folds
from lacuna.core.scores import Floats
from lacuna.core.targets import Target
from lacuna.stats.logistic_regression import PATH, Axes, cross_validate, fit
from lacuna.training.exact_path import PathStep, SolvedTarget

FEW_LABELS, FOLDS_OF_FEW, FOLDS_OF_MANY = 3000, 5, 3
"""Folds of a target by its known labels. With few a third held out would be missed, and five folds take seconds."""

SOLVED = 1e-6
"""A head is solved when a step promises to lower its loss by no more than this share, by the curvature along each axis.
Where classes are separable, and the loss is next to nothing, ten times as much may be left."""


@dataclass(frozen=True)
class TargetProblem:
    """What of a target shapes its head beside the rows: `labels` (n,), -1 unknown, the weight of each class, the
    strength of the penalty if it is `fixed`, the share by which labels are smoothed, and the seed of the folds."""

    target: Target
    labels: NDArray[np.integer]
    class_weights: Floats
    fixed: float | None
    smoothing: float
    seed: int

    @property
    def weight(self) -> Floats:
        """Of each row (n,), 0 where the label is unknown."""
        return np.where(self.labels >= 0, self.class_weights[np.maximum(self.labels, 0)], 0.0)

    def take(self, places: NDArray[np.integer] | slice) -> "TargetProblem":
        """The problem of these rows alone."""
        return replace(self, labels=self.labels[places])


def solve_target(problem: TargetProblem, axes: Axes, group: NDArray[np.int64]) -> SolvedTarget:
    """The head of the rows of `axes`, with which labels and group (n,) are aligned."""
    weight, n_logits = problem.weight, problem.target.n_logits
    if not weight.any() or problem.target.n_classes == 1:
        return nothing_learned(problem.target, len(axes.basis))
    path = choose_penalty(problem, axes, group, weight)
    found = fit(axes, problem.labels, n_logits, weight, chosen_penalty(path), problem.smoothing, gain=SOLVED)
    return SolvedTarget(found.weights, found.bias, path)


def nothing_learned(target: Target, columns: int) -> SolvedTarget:
    """The head of a target of which nothing is known, or nothing is to be told apart."""
    return SolvedTarget(np.zeros((columns, target.n_logits)), np.zeros(target.n_logits), [])


def chosen_penalty(path: Sequence[PathStep]) -> float:
    """The strength that the head has."""
    return next(step.l2 for step in path if step.chosen)


def choose_penalty(
    problem: TargetProblem, axes: Axes, group: NDArray[np.int64], weight: Floats, noise: float = 1.0
) -> list[PathStep]:
    """The strengths with their held-out losses, or the fixed one. Where all images are one group nothing can be held
    out, and the strongest is chosen.

    noise: of a sample, by which to multiply each strength there.
    """
    if problem.fixed is not None:
        return [PathStep(problem.fixed, None, True)]
    counts = weight > 0
    wanted = FOLDS_OF_FEW if counts.sum() <= FEW_LABELS else FOLDS_OF_MANY
    n_folds = min(wanted, len(np.unique(group[counts])))
    if n_folds < 2:
        return [PathStep(PATH[0], None, True)]
    folds = np.zeros(len(weight), np.intp)
    folds[counts] = assign_folds(group[counts], n_folds, problem.seed)
    n_logits = problem.target.n_logits
    losses = cross_validate(axes, problem.labels, n_logits, weight, folds, problem.smoothing, noise)
    best = int(losses.argmin())
    return [
        PathStep(l2, float(loss), index == best) for index, (l2, loss) in enumerate(zip(PATH, losses, strict=False))
    ]
