"""Figures of merit that know unknown labels: probabilities, rankings and decisions of one target.

Labels are (n,) class indices, -1 = unknown: such a cell never counts, whatever was predicted for it. Probabilities
are (n, n_classes), a binary target's two columns being absent and present. Weights (replicates, n) say how often each
image counts: a row of ones is the plain figure, the rows of a bootstrap its replicates, all computed at once.
"""

import numpy as np
from numpy.typing import NDArray

from lacuna.targets import Target

Labels = NDArray[np.integer]
Floats = NDArray[np.float64]

SMALLEST_PROBABILITY = 1e-15
"""The log loss takes smaller probabilities for this one, so that it stays finite."""

CALIBRATION_BINS = 10


def activate(target: Target, logits: NDArray[np.floating]) -> Floats:
    """The probabilities (n, n_classes) that logits (n, n_logits) stand for: sigmoid if binary, else softmax."""
    exact = logits.astype(np.float64)
    if target.kind == "binary":
        exact = np.concatenate([np.zeros_like(exact), exact], axis=1)
    powers = np.exp(exact - exact.max(axis=1, keepdims=True))
    probabilities: Floats = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def log_loss(labels: Labels, probabilities: Floats) -> float:
    """Mean of -log(probability of the true class) over known labels. Raises ValueError when none is known."""
    labels, probabilities = _known(labels, probabilities)
    if len(labels) == 0:
        raise ValueError("log loss: expected at least one known label, received none")
    return float(-np.log(np.maximum(_of_true_class(labels, probabilities), SMALLEST_PROBABILITY)).mean())


def brier(labels: Labels, probabilities: Floats) -> float | None:
    """Mean squared error of the probabilities; None when no label is known.

    With two classes (p - y)^2, from 0 to 1; with more the sum over the classes, from 0 to 2 (Brier 1950).
    """
    labels, probabilities = _known(labels, probabilities)
    if len(labels) == 0:
        return None
    squares = ((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(axis=1)
    return float(squares.mean() / (2 if probabilities.shape[1] == 2 else 1))


def ece(labels: Labels, probabilities: Floats) -> float | None:
    """Expected calibration error: mean |stated - observed| over ten equal bins, weighted by their images.

    Stated is the probability of "present" with two classes and of the likeliest class with more (Guo et al. 2017).
    None when no label is known.
    """
    stated, observed = stated_and_observed(labels, probabilities)
    return _binned_gap(stated, observed) if len(stated) else None


def classwise_ece(labels: Labels, probabilities: Floats) -> float | None:
    """Class-wise calibration error: the `ece` of each class's own probability, averaged over all classes.

    It also sees a class that is stated too often as the second or third likeliest (Kull et al. 2019). None when no
    label is known.
    """
    labels, probabilities = _known(labels, probabilities)
    if len(labels) == 0:
        return None
    columns = enumerate(probabilities.T)
    return float(np.mean([_binned_gap(stated, (labels == index).astype(np.float64)) for index, stated in columns]))


def stated_and_observed(labels: Labels, probabilities: Floats) -> tuple[Floats, Floats]:
    """What calibration compares, over known labels: a stated probability, and whether (0 or 1) it came true."""
    labels, probabilities = _known(labels, probabilities)
    if probabilities.shape[1] == 2:
        return probabilities[:, 1], labels.astype(np.float64)
    return probabilities.max(axis=1), (probabilities.argmax(axis=1) == labels).astype(np.float64)


def average_precision(labels: Labels, probabilities: Floats) -> float | None:
    """Of "present" with two classes; with more, one class against the rest, averaged over the classes that occur.

    None when no class has both known members and known others.
    """
    return _plain(ranking_figures(*_known(labels, probabilities))["average_precision"])


def roc_auc(labels: Labels, probabilities: Floats) -> float | None:
    """The share of (member, other) pairs ranked right, ties counting half; classes as in average_precision."""
    return _plain(ranking_figures(*_known(labels, probabilities))["roc_auc"])


def ranking_figures(labels: Labels, scores: Floats, weights: Floats | None = None) -> dict[str, Floats]:
    """average_precision and roc_auc of known labels, each (replicates,), NaN where undefined.

    Scores (n, n_classes): with two classes only the second column counts, else each class is ranked against the rest.
    """
    if weights is None:
        weights = np.ones((1, len(labels)))
    classes = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    sums = {"average_precision": np.zeros(len(weights)), "roc_auc": np.zeros(len(weights))}
    defined = np.zeros(len(weights))
    for index in classes:
        for name, values in _rank(labels == index, scores[:, index], weights).items():
            sums[name] += np.nan_to_num(values)
        defined += ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return {name: total / defined for name, total in sums.items()}


def class_average_precision(labels: Labels, scores: Floats) -> Floats:
    """Average precision (n_classes,) of each class against the rest, NaN for a class without members or others."""
    weights = np.ones((1, len(labels)))
    values = [_rank(labels == index, scores[:, index], weights) for index in range(scores.shape[1])]
    return np.array([one["average_precision"][0] for one in values])


def class_figures(labels: Labels, decisions: Labels, weights: Floats, n_classes: int) -> dict[str, Floats]:
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


def decision_figures(labels: Labels, decisions: Labels, weights: Floats, n_classes: int) -> dict[str, Floats]:
    """precision, recall, f1, weighted_f1 and accuracy of decisions on known labels, each (replicates,).

    Decisions (n,) or (replicates, n) are class indices. With two classes the first three are those of "present"; with
    more their means over the classes that the labels hold, a class that is never predicted having precision 0.
    NaN where undefined: precision without a predicted, the others without an actual member.
    """
    return over_classes(class_figures(labels, decisions, weights, n_classes))


def over_classes(figures: dict[str, Floats]) -> dict[str, Floats]:
    """The figures of a target (see decision_figures) from those of its classes (see class_figures)."""
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


def _rank(member: NDArray[np.bool_], scores: Floats, weights: Floats) -> dict[str, Floats]:
    order = np.argsort(-scores, kind="stable")
    members, others = weights[:, order] * member[order], weights[:, order] * ~member[order]
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.nan) != 0)
    if len(starts) < len(order):  # tied images step together
        members, others = (np.add.reduceat(part, starts, axis=1) for part in (members, others))
    found, wrong = np.cumsum(members, axis=1), np.cumsum(others, axis=1)
    n_members, n_others = members.sum(axis=1), others.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.nan_to_num(found / (found + wrong))
        pairs = n_members * n_others
        average = np.einsum("rn,rn->r", precision, members) / n_members
        area = np.einsum("rn,rn->r", members, n_others[:, None] - wrong + others / 2) / pairs
    return {"average_precision": np.where(pairs > 0, average, np.nan), "roc_auc": area}


def _binned_gap(stated: Floats, observed: Floats) -> float:
    bins = np.minimum((stated * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=stated - observed, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(stated))


def _known(labels: Labels, probabilities: Floats) -> tuple[Labels, Floats]:
    known = labels >= 0
    return labels[known], probabilities[known]


def _of_true_class(labels: Labels, probabilities: Floats) -> Floats:
    chosen: Floats = np.take_along_axis(probabilities, labels[:, None].astype(np.intp), axis=1)[:, 0]
    return chosen


def _plain(values: Floats) -> float | None:
    return None if np.isnan(values[0]) else float(values[0])
