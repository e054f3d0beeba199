"""Probabilities of one target, and how well they and its rankings do, whatever labels are unknown.

Labels are (n,) class indices, -1 = unknown: such a cell never counts, whatever was predicted for it. Probabilities
are (n, n_classes), a binary target's two columns being absent and present. Weights (replicates, n) say how often each
image counts: a row of ones gives the sample's own value, the rows of a bootstrap its replicates, all at once.
"""

import numpy as np
from numpy.typing import NDArray

from lacuna.core.targets import Target

Labels = NDArray[np.integer]
Floats = NDArray[np.float64]

SMALLEST_PROBABILITY = 1e-15
"""The log loss takes smaller probabilities for this one, so that it stays finite."""

SUMMED_AT_ONCE = 20_000
"""So many numbers and their places stay in a processor's cache."""


def activate(target: Target, logits: NDArray[np.floating]) -> Floats:
    """The probabilities (…, n_classes) that logits (…, n_logits) stand for: sigmoid if binary, else softmax."""
    exact = logits.astype(np.float64)
    if target.kind == "binary":
        fading = np.exp(-np.abs(exact))
        rising = exact >= 0
        both = [np.where(rising, fading, 1), np.where(rising, 1, fading)]
        chances: Floats = np.concatenate(both, axis=-1) / (1 + fading)
        return chances
    powers = np.exp(exact - exact.max(axis=-1, keepdims=True))
    probabilities: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def log_loss(labels: Labels, probabilities: Floats, importance: Floats | None = None) -> float:
    """Mean of -log(probability of the true class) over known labels. Raises ValueError when none is known.

    importance (n_classes,): what a label of each class counts in the mean, 1 unless given.
    """
    labels, probabilities = known_only(labels, probabilities)
    if len(labels) == 0:
        raise ValueError("log loss: expected at least one known label, received none")
    losses = -np.log(np.maximum(_of_true_class(labels, probabilities), SMALLEST_PROBABILITY))
    return float(np.average(losses, weights=None if importance is None else importance[labels]))


def average_precision(labels: Labels, probabilities: Floats) -> float | None:
    """Of "present" with two classes; with more, one class against the rest, averaged over the classes that occur.

    None when no class has both known members and known others.
    """
    return _plain(ranking_metrics(*known_only(labels, probabilities))["average_precision"])


def roc_auc(labels: Labels, probabilities: Floats) -> float | None:
    """The share of (member, other) pairs ranked right, ties counting half; classes as in average_precision."""
    return _plain(ranking_metrics(*known_only(labels, probabilities))["roc_auc"])


def ranking_metrics(labels: Labels, scores: Floats, weights: Floats | None = None) -> dict[str, Floats]:
    """average_precision and roc_auc of known labels, each (replicates,), NaN where undefined.

    Scores (n, n_classes): with two classes only the second column counts, else each class is ranked against the rest.
    """
    if weights is None:
        weights = np.ones((1, len(labels)))
    classes = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    sums = {"average_precision": np.zeros(len(weights)), "roc_auc": np.zeros(len(weights))}
    defined = np.zeros(len(weights))
    for index in classes:
        for name, values in rank(labels == index, scores[:, index], weights).items():
            sums[name] += np.nan_to_num(values)
        defined += ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return {name: total / defined for name, total in sums.items()}


def rank(member: NDArray[np.bool_], scores: Floats, weights: Floats) -> dict[str, Floats]:
    """average_precision and roc_auc (replicates,) of one class: its members (n,) against all others, by score (n,).

    Images of one score step together: what counts at a member is where its block of them begins and ends. A class has
    few members, so that images between two such edges are counted together.
    """
    order = np.argsort(-scores)
    firsts = np.flatnonzero(np.diff(scores[order], prepend=np.nan) != 0)
    places = np.flatnonzero(member[order])
    block = np.searchsorted(firsts, places, side="right") - 1
    begin, end = firsts[block], np.append(firsts, len(order))[block + 1]
    is_edge = np.zeros(len(order) + 1, dtype=bool)
    for edges in ([0], begin, end):
        is_edge[edges] = True
    edge_of = np.cumsum(is_edge) - 1  # of each place the last edge up to it
    between = np.empty(len(order), np.intp)
    between[order] = edge_of[:-1]
    seen, of_members = _running(sum_by(between, weights, edge_of[-1] + 1)), weights[:, order[places]]
    found_before, found = (_running(of_members)[:, np.searchsorted(places, edge)] for edge in (begin, end))
    seen_before, seen_by = seen[:, edge_of[begin]], seen[:, edge_of[end]]
    n_members = of_members.sum(axis=1)
    n_others = seen[:, -1] - n_members
    wrong = ((seen_before - found_before) + (seen_by - found)) / 2  # halfway through the block: ties count half
    precision = np.divide(found, seen_by, out=np.zeros_like(found), where=seen_by > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        pairs = n_members * n_others
        average = (of_members * precision).sum(axis=1) / n_members
        area = (of_members * (n_others[:, None] - wrong)).sum(axis=1) / pairs
    return {"average_precision": np.where(pairs > 0, average, np.nan), "roc_auc": area}


def sum_by(place: NDArray[np.integer], weights: Floats, n_places: int) -> Floats:
    """The weights (replicates, n) of images summed by the place of each, (n,) or (1 or replicates, n), from 0 to
    n_places - 1: (replicates, n_places)."""
    sums = np.empty((len(weights), n_places))
    size = max(1, SUMMED_AT_ONCE // max(1, weights.shape[1]))
    offsets = n_places * np.arange(min(size, len(weights)), dtype=np.intp)[:, None]
    shared = place + offsets if place.ndim == 1 or len(place) == 1 else None
    for first in range(0, len(weights), size):
        some = weights[first : first + size]
        places = place[first : first + size] + offsets[: len(some)] if shared is None else shared[: len(some)]
        of_some = np.bincount(places.ravel(), some.ravel(), len(some) * n_places)
        sums[first : first + size] = of_some.reshape(len(some), n_places)
    return sums


def _running(values: Floats) -> Floats:
    """The sums (r, n + 1) of the first 0 to n of values (r, n)."""
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def known_only(labels: Labels, probabilities: Floats) -> tuple[Labels, Floats]:
    """Labels and probabilities of the images whose label is known."""
    known = labels >= 0
    return labels[known], probabilities[known]


def _of_true_class(labels: Labels, probabilities: Floats) -> Floats:
    chosen: Floats = np.take_along_axis(probabilities, labels[:, None].astype(np.intp), axis=1)[:, 0]
    return chosen


def _plain(values: Floats) -> float | None:
    return None if np.isnan(values[0]) else float(values[0])
