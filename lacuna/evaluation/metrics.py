"""Metrics of decisions on known labels, of all bootstrap replicates at once.

Shapes are those of module `lacuna.core.scores`.
"""

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats, Labels, rank


def class_average_precision(labels: Labels, scores: Floats) -> Floats:
    """Average precision (n_classes,) of each class against the rest, NaN for a class without members or others."""
    weights = np.ones((1, len(labels)))
    values = [rank(labels == index, scores[:, index], weights) for index in range(scores.shape[1])]
    return np.array([one["average_precision"][0] for one in values])


def class_metrics(labels: Labels, decisions: Labels, weights: Floats, n_classes: int) -> dict[str, Floats]:
    """Of each class the figures of decisions on known labels, all (replicates, n_classes).

    Decisions (n,) or (replicates, n) are class indices. `actual`, `predicted` and `right` count images; `precision` is
    NaN for a class never predicted, `recall` for one without a member, `f1` where it is neither.
    """
    decisions = np.broadcast_to(decisions, weights.shape)
    actual = weights @ np.eye(n_classes)[labels]
    hits = (weights * (decisions == labels)) @ np.eye(n_classes)[labels]
    cells = decisions + n_classes * np.arange(len(weights))[:, None]
    predicted = np.bincount(cells.ravel(), weights=weights.ravel(), minlength=weights.shape[0] * n_classes)
    predicted = predicted.reshape(len(weights), n_classes)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "actual": actual,
            "predicted": predicted,
            "right": hits,
            "precision": hits / predicted,
            "recall": hits / actual,
            "f1": 2 * hits / (actual + predicted),
        }


def decision_metrics(labels: Labels, decisions: Labels, weights: Floats, n_classes: int) -> dict[str, Floats]:
    """precision, recall, f1, weighted_f1 and accuracy of decisions on known labels, each (replicates,).

    Decisions (n,) or (replicates, n) are class indices. With two classes the first three are those of "present"; with
    more their means over the classes that the labels hold, a class that is never predicted having precision 0.
    NaN where undefined: precision without a predicted, the others without an actual member.
    """
    return over_classes(class_metrics(labels, decisions, weights, n_classes))


def over_classes(figures: dict[str, Floats]) -> dict[str, Floats]:
    """The figures of a target (see decision_metrics) from those of its classes (see class_metrics)."""
    actual, precision, recall, f1 = (figures[name] for name in ("actual", "precision", "recall", "f1"))
    present = actual > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        common = {
            "weighted_f1": np.nansum(f1 * actual, axis=1) / actual.sum(axis=1),
            "accuracy": figures["right"].sum(axis=1) / actual.sum(axis=1),
        }
        if actual.shape[1] == 2:
            f1_of_present = np.where(present[:, 1], f1[:, 1], np.nan)
            return {"precision": precision[:, 1], "recall": recall[:, 1], "f1": f1_of_present, **common}
        count = present.sum(axis=1)
        return {
            "precision": np.where(present, np.nan_to_num(precision), 0).sum(axis=1) / count,
            "recall": np.where(present, recall, 0).sum(axis=1) / count,
            "f1": np.where(present, f1, 0).sum(axis=1) / count,
            **common,
        }


def top_k_accuracy(ranks: NDArray[np.integer], weights: Floats, k: int) -> Floats:
    """How often the true class is among the k most probable ones (replicates,); NaN without a known label.

    Ranks (replicates, n) are those of the true class, 0 = the most probable.
    """
    with np.errstate(invalid="ignore"):
        shares: Floats = (weights * (ranks < k)).sum(axis=1) / weights.sum(axis=1)
    return shares
