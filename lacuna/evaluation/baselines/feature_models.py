"""What a trained network has to beat, from simple to less simple: class shares, nearest neighbours, a linear probe.

All but the first look at pooled features, the means of the frozen backbone's last feature map. Each answers with
logits, as a network does, so that the same calibration and the same metrics serve for all. Unknown labels (-1) are left
out, target by target.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats, Labels
from lacuna.core.targets import Target, Targets
from lacuna.evaluation.baselines.trivial import training_prior
from lacuna.stats.logistic_regression import decision, find_axes, fit
from lacuna.training.standard_rows import standardize, training_scale

RIDGE = 0.01
"""The probe's C on standardized features, as scikit-learn has it, the same for all data: nothing is searched. Of 1e-5
to 1 it has the best ROC-AUC, average precision and log loss on the emoji's validation part."""

MOST_IMAGES = 50_000
"""Neighbours and probe learn from at most so many training images, drawn at random: what they gain from more is small,
and their features have to fit into memory."""

ASKED_AT_ONCE = 512
"""The likeness of so many images to 50,000 training images takes 100 MB."""

ENOUGH = 1e-4
"""The probe is solved when a step promises to lower its loss by no more than this share: far below the noise."""


AnswerTarget = Callable[[Target, Labels, NDArray[np.bool_]], Floats]
"""From a target, its known training labels and which rows those are, to probabilities (n, n_classes)."""


def logits_of(target: Target, probabilities: Floats) -> NDArray[np.float32]:
    """The logits (n, n_logits) that stand for positive probabilities (n, n_classes)."""
    logs = np.log(probabilities)
    logits = logs[:, 1:] - logs[:, :1] if target.kind == "binary" else logs
    return np.asarray(logits, np.float32)


def answer_with_shares(targets: Targets, labels: Labels, n: int) -> NDArray[np.float32]:
    """Logits (n, n_logits) of the class shares among known training labels (n_train, n_targets), for all images."""
    return _by_target(targets, labels, lambda target, known, _: np.repeat(_prior(target, known)[None], n, axis=0))


def answer_with_neighbours(
    targets: Targets, features: NDArray[np.float32], labels: Labels, asked: NDArray[np.float32], k: int
) -> NDArray[np.float32]:
    """Logits (n, n_logits) of the classes of the k training images most alike, those with a known label.

    Alike is the cosine of pooled features: (n_train, d) with labels (n_train, n_targets), asked (n, d). The class
    shares of training count as one more neighbour, so that no class is impossible.
    """

    unit, questions = (_unit_length(part) for part in (features, asked))
    starts = range(0, len(asked), ASKED_AT_ONCE)
    blocks = [_votes(targets, questions[start : start + ASKED_AT_ONCE] @ unit.T, labels, k) for start in starts]
    return np.concatenate(blocks)


def _votes(targets: Targets, likeness: NDArray[np.float32], labels: Labels, k: int) -> NDArray[np.float32]:
    """Logits (n, n_logits) by the votes of the k known training images of the largest likeness (n, n_train)."""

    def answer(target: Target, known: Labels, rows: NDArray[np.bool_]) -> Floats:
        near = np.tile(np.arange(len(known)), (len(likeness), 1))
        if k < len(known):
            near = np.argpartition(-likeness[:, rows], k, axis=1)[:, :k]
        votes = np.eye(target.n_classes)[known[near]].sum(axis=1)
        shares: Floats = (votes + _prior(target, known)) / (near.shape[1] + 1)
        return shares

    return _by_target(targets, labels, answer)


def _unit_length(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features (n, d) brought to length 1; those that are all 0 stay so."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.where(lengths > 0, lengths, 1), np.float32)


def answer_with_probe(
    targets: Targets, features: NDArray[np.float32], labels: Labels, asked: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Logits (n, n_logits) of a logistic regression with the penalty RIDGE for each target, on standardized features.

    Features (n_train, d) with labels (n_train, n_targets), asked (n, d).
    """
    mean, scale = training_scale(features[:, None], np.arange(len(features)))
    standard, questions = (standardize(part[:, None], np.arange(len(part)), mean, scale) for part in (features, asked))
    axes = find_axes(standard)
    columns = []
    for index, target in enumerate(targets):
        known = labels[:, index] >= 0
        if not known.any():
            columns.append(np.zeros((len(asked), target.n_logits), np.float32))
            continue
        weight = known.astype(np.float64)
        found = fit(axes, labels[:, index], target.n_logits, weight, 1 / (RIDGE * known.sum()), gain=ENOUGH)
        columns.append(decision(questions, found.weights, found.bias))
    return np.concatenate(columns, axis=1)


def _by_target(targets: Targets, labels: Labels, answer: AnswerTarget) -> NDArray[np.float32]:
    columns = []
    for index, target in enumerate(targets):
        rows = labels[:, index] >= 0
        columns.append(logits_of(target, answer(target, labels[rows, index], rows)))
    return np.concatenate(columns, axis=1)


def _prior(target: Target, known: Labels) -> Floats:
    return training_prior(np.bincount(known, minlength=target.n_classes).tolist())
