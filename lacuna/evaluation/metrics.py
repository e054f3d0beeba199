"""The metrics of a target: which there are, and those of decisions, in all bootstrap replicates at once.

Shapes are those of module `lacuna.core.scores`.

Adding a metric of decisions or probabilities: one function, one row in TARGET_METRICS, one line in
docs/reading-the-result.md.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lacuna.calibration.reliability import brier, classwise_ece, ece
from lacuna.core.scores import Floats, Labels, log_loss, rank, sum_by

ClassMetrics = Mapping[str, Floats]
"""What `class_metrics` gives: by name arrays (replicates, n_classes)."""


def class_average_precision(labels: Labels, scores: Floats, weights: Floats) -> Floats:
    """Average precision (n_classes,) of each class against the rest, NaN for a class without members or others.

    Weights (1, n).
    """
    values = [rank(labels == index, scores[:, index], weights) for index in range(scores.shape[1])]
    return np.array([ranked["average_precision"][0] for ranked in values])


def class_metrics(labels: Labels, decisions: Labels, weights: Floats, n_classes: int) -> dict[str, Floats]:
    """Of each class the metrics of decisions on known labels, all (replicates, n_classes).

    Decisions (n,) or (replicates, n) are class indices. `actual`, `predicted` and `right` count images; `precision` is
    NaN for a class never predicted, `recall` for one without a member, `f1` where it is neither.
    """
    if n_classes == 2:
        cells = sum_by(2 * decisions + labels, weights, 4).reshape(-1, 2, 2)
        actual, predicted, hits = cells.sum(axis=1), cells.sum(axis=2), cells[:, [0, 1], [0, 1]]
    else:
        actual, predicted = sum_by(labels, weights, n_classes), sum_by(decisions, weights, n_classes)
        hits = sum_by(labels, weights * (decisions == labels), n_classes)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "actual": actual,
            "predicted": predicted,
            "right": hits,
            "precision": hits / predicted,
            "recall": hits / actual,
            "f1": 2 * hits / (actual + predicted),
        }


def precision(classes: ClassMetrics) -> Floats:
    """Of "present" with two classes, else the mean over the classes that occur, 0 for one never predicted."""
    if _is_binary(classes):
        return classes["precision"][:, 1]
    return _mean_over_occurring(classes, np.nan_to_num(classes["precision"]))


def recall(classes: ClassMetrics) -> Floats:
    """Of "present" with two classes, else the mean over the classes that occur."""
    return classes["recall"][:, 1] if _is_binary(classes) else _mean_over_occurring(classes, classes["recall"])


def f1(classes: ClassMetrics) -> Floats:
    """Of "present" with two classes, NaN where none is; else the mean over the classes that occur."""
    if _is_binary(classes):
        return np.where(classes["actual"][:, 1] > 0, classes["f1"][:, 1], np.nan)
    return _mean_over_occurring(classes, classes["f1"])


def weighted_f1(classes: ClassMetrics) -> Floats:
    """The mean over the classes, each with the weight of its images."""
    mean: Floats = np.nansum(classes["f1"] * classes["actual"], axis=1) / classes["actual"].sum(axis=1)
    return mean


def accuracy(classes: ClassMetrics) -> Floats:
    share: Floats = classes["right"].sum(axis=1) / classes["actual"].sum(axis=1)
    return share


def top_k_accuracy(ranks: NDArray[np.integer], weights: Floats, k: int) -> Floats:
    """How often the true class is among the k most probable ones (replicates,); NaN without a known label.

    Ranks (replicates, n) are those of the true class, 0 = the most probable.
    """
    with np.errstate(invalid="ignore"):
        shares: Floats = (weights * (ranks < k)).sum(axis=1) / weights.sum(axis=1)
    return shares


@dataclass(frozen=True)
class Metric:
    """How a metric of a target comes about, and how the metrics files treat it.

    `of_decisions`: from the metrics of the classes to the metric (replicates,), NaN where undefined.
    `of_probabilities`: from labels (n,), probabilities (n, n_classes) and what a label of each class counts to the
    metric, None where undefined; it has no interval. Metrics with neither are computed in module `scoring`, which has
    their other ingredients.
    `trials`: the groups of images that an exact interval counts where all or nothing is right: those whose label is
    known, is the class, or which are predicted to be it, or pairs of one of the class and one of the others. None: the
    bootstrap alone says how far the metric could be off.
    """

    of_decisions: Callable[[ClassMetrics], Floats] | None = None
    of_probabilities: Callable[[Labels, Floats, Floats], float | None] | None = None
    trials: Literal["known", "actual", "predicted", "pairs"] | None = None
    categorical_only: bool = False


TARGET_METRICS: Mapping[str, Metric] = {
    "precision": Metric(precision, trials="predicted"),
    "recall": Metric(recall, trials="actual"),
    "f1": Metric(f1, trials="actual"),
    "weighted_f1": Metric(weighted_f1, trials="known", categorical_only=True),
    "accuracy": Metric(accuracy, trials="known"),
    "average_precision": Metric(trials="actual"),
    "roc_auc": Metric(trials="pairs"),
    "top_k_accuracy": Metric(trials="known", categorical_only=True),
    "independent_accuracy": Metric(trials="known", categorical_only=True),
    "consistency_gain": Metric(categorical_only=True),
    "gain": Metric(),
    "log_loss": Metric(of_probabilities=log_loss),
    "brier": Metric(of_probabilities=brier),
    "ece": Metric(of_probabilities=ece),
    "classwise_ece": Metric(of_probabilities=classwise_ece, categorical_only=True),
}
"""All metrics of a target by the name that they have in the metrics files; `k` stands for evaluate.top_k."""


def row_of(name: str) -> Metric:
    """The row of a metric by its name in a metrics file, such as top_3_accuracy. Raises KeyError when it has none."""
    return TARGET_METRICS[re.sub(r"^top_\d+_", "top_k_", name)]


def decision_metrics(labels: Labels, decisions: Labels, weights: Floats, n_classes: int) -> dict[str, Floats]:
    """The metrics of decisions on known labels, each (replicates,), NaN where undefined.

    Decisions (n,) or (replicates, n) are class indices.
    """
    return over_classes(class_metrics(labels, decisions, weights, n_classes))


def over_classes(classes: ClassMetrics) -> dict[str, Floats]:
    """The metrics of a target's decisions (see decision_metrics) from those of its classes (see class_metrics)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return {name: metric.of_decisions(classes) for name, metric in TARGET_METRICS.items() if metric.of_decisions}


def _is_binary(classes: ClassMetrics) -> bool:
    return len(classes["actual"][0]) == 2


def _mean_over_occurring(classes: ClassMetrics, values: Floats) -> Floats:
    occurs = classes["actual"] > 0
    mean: Floats = np.where(occurs, values, 0).sum(axis=1) / occurs.sum(axis=1)
    return mean
