"""From calibrated probabilities to "present" or "absent": the threshold that each rule chooses.

A threshold lies midway between two neighbouring scores, so that no decision hangs on a rounding error and images with
equal scores are decided alike. An image is present when its probability reaches the threshold.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats, Labels

if TYPE_CHECKING:
    from lacuna.config.blocks import Calibrate
from lacuna.config.types import Rule

NO_DATA_THRESHOLD = 0.5
"""The threshold when not a single label is known."""


def choose_threshold(
    rule: "Rule", options: "Calibrate", probabilities: Floats, labels: Labels, weights: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """Each replicate's threshold, and whether it meets what the rule demands; both (replicates,).

    Probabilities (replicates, n) of "present", known labels (n,), weights (replicates, n).

    - expected_f1: the highest expected F1 if the probabilities are right: with the k highest present, about
      2 * (sum of their probabilities) / (k + sum of all probabilities). It looks at no label.
    - pr_argmax: the highest F1 on the precision-recall curve of the labels.
    - min_recall: the highest threshold that finds `min_recall` of the present images.
    - min_precision: the lowest threshold above which `min_precision` are present, else the most precise one.
    - cost: the least expected cost, at c_fp / (c_fp + c_fn) (Elkan 2001).
    - fixed: `threshold`.
    """
    met = np.ones(len(weights), dtype=bool)
    if rule == "cost":
        cost = options.cost_false_positive / (options.cost_false_positive + options.cost_false_negative)
        return np.full(len(weights), cost), met
    if rule == "fixed":
        return np.full(len(weights), options.threshold), met
    if len(labels) == 0:
        return np.full(len(weights), NO_DATA_THRESHOLD), ~met

    scores = np.where(weights > 0, probabilities, -1.0)  # images that a replicate left out come last
    order = np.argsort(-scores, axis=1, kind="stable")
    scores, counts = np.take_along_axis(scores, order, axis=1), np.take_along_axis(weights, order, axis=1)
    below = np.maximum(np.concatenate([scores[:, 1:], np.full((len(scores), 1), -1.0)], axis=1), 0)
    border = (counts > 0) & (scores > below)  # a threshold fits below this image
    chosen = np.cumsum(counts, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        if rule == "expected_f1":
            expected = np.cumsum(counts * scores, axis=1)
            place = _best(2 * expected / (chosen + expected[:, -1:]), border)
        else:
            found = np.cumsum(counts * (labels[order] == 1), axis=1)
            precision, recall = found / chosen, found / found[:, -1:]
            if rule == "pr_argmax":
                place = _best(2 * found / (chosen + found[:, -1:]), border)
            elif rule == "min_recall":
                enough = border & (recall >= options.min_recall - 1e-9)
                met = enough.any(axis=1)
                place = np.where(met, enough.argmax(axis=1), _last(border))
            else:
                enough = border & (precision >= options.min_precision - 1e-9)
                met = enough.any(axis=1)
                place = np.where(met, _last(enough), _best(precision, border))
    rows = np.arange(len(scores))
    thresholds = (scores[rows, place] + below[rows, place]) / 2
    known = border.any(axis=1)
    return np.where(known, thresholds, NO_DATA_THRESHOLD), met & known


def _best(values: Floats, border: NDArray[np.bool_]) -> NDArray[np.intp]:
    place: NDArray[np.intp] = np.where(border, values, -1).argmax(axis=1)
    return place


def _last(chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
    place: NDArray[np.intp] = chosen.shape[1] - 1 - chosen[:, ::-1].argmax(axis=1)
    return place
