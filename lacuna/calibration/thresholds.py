"""From calibrated probabilities to "present" or "absent": the threshold that each decision rule chooses.

An image is called present when its probability reaches the threshold. A threshold that is chosen on images lies midway
between two neighbouring scores, so that no decision hangs on a rounding error and images with equal scores are decided
alike.

Adding a rule: one function, one row in PARAMETER_RULES or IMAGE_RULES, and its name in `config.types.Rule`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.config.blocks import Calibrate
from lacuna.core.scores import Floats, Labels
from lacuna.errors import LacunaError

NO_DATA_THRESHOLD = 0.5
"""The threshold of a rule that looks at images when not a single label is known."""

Choice = tuple[NDArray[np.intp], NDArray[np.bool_]]
"""Of each replicate: the place of the last image that is called present, and whether the rule's demand is met."""


@dataclass(frozen=True)
class Candidates:
    """The thresholds that each replicate can choose from: one below each image, sorted from the highest score down.

    All arrays are (replicates, n). `scores`: the probability of "present"; `possible`: whether a threshold fits below
    this image. `called`, `found`: how many images are called present if it lies there, and how many of them are present
    by their label; `expected`: how many of them are expected to be, which is the sum of their probabilities.
    """

    scores: Floats
    possible: NDArray[np.bool_]
    called: Floats
    found: Floats
    expected: Floats

    @property
    def precision(self) -> Floats:
        return self.found / self.called

    @property
    def recall(self) -> Floats:
        return self.found / self.found[:, -1:]

    @property
    def none_fails(self) -> NDArray[np.bool_]:
        """That the demand is met in each replicate (replicates,): for rules that only look for the best."""
        return np.ones(len(self.scores), dtype=bool)

    def best(self, values: Floats) -> NDArray[np.intp]:
        """The place of the largest of `values` (replicates, n) among the possible thresholds, the first of equals."""
        place: NDArray[np.intp] = np.where(self.possible, values, -1).argmax(axis=1)
        return place

    def thresholds(self, place: NDArray[np.intp]) -> Floats:
        """Midway between the images that the replicate holds on either side of a place (replicates,); the last image
        has a score of 0 below it."""
        rows = np.arange(len(place))
        called = self.called[rows, place][:, None]
        last, following = (self.called < called).sum(axis=1), (self.called <= called).sum(axis=1)
        within = following < self.called.shape[1]
        below = np.where(within, self.scores[rows, np.where(within, following, 0)], 0)
        middle: Floats = (self.scores[rows, last] + below) / 2
        return middle


def sort_candidates(probabilities: Floats, labels: Labels, weights: Floats) -> Candidates:
    """The candidates from probabilities of "present" (replicates, n), known labels (n,) and weights (replicates, n)."""
    if len(labels) == 0:  # one image that no replicate holds stands in: no threshold is possible
        probabilities, labels, weights = np.zeros((len(weights), 1)), np.zeros(1, np.intp), np.zeros((len(weights), 1))
    order = np.argsort(-probabilities[0])
    scores, counts, present = probabilities[:, order], weights[:, order], labels[order] == 1
    falling = scores[:, :-1] > scores[:, 1:]
    if not (falling | (scores[:, :-1] == scores[:, 1:])).all():  # pooled targets lie differently in each replicate
        orders = np.argsort(-probabilities, axis=1)
        scores, counts = np.take_along_axis(probabilities, orders, axis=1), np.take_along_axis(weights, orders, axis=1)
        falling, present = scores[:, :-1] > scores[:, 1:], labels[orders] == 1
    called = np.cumsum(counts, axis=1)
    return Candidates(
        scores,
        possible=np.concatenate([falling, scores[:, -1:] > 0], axis=1) & (called > 0),
        called=called,
        found=np.cumsum(counts * present, axis=1),
        expected=np.cumsum(counts * scores, axis=1),
    )


def fixed(options: Calibrate) -> float:
    return options.threshold


def least_cost(options: Calibrate) -> float:
    """The least expected cost if the probabilities are right: at c_fp / (c_fp + c_fn) (Elkan 2001)."""
    return options.cost_false_positive / (options.cost_false_positive + options.cost_false_negative)


def highest_expected_f1(options: Calibrate, candidates: Candidates) -> Choice:
    """The highest expected F1 if the probabilities are right. It looks at no label.

    With the k highest called present it is about 2 * (sum of their probabilities) / (k + sum of all probabilities).
    """
    expected = candidates.expected
    return candidates.best(2 * expected / (candidates.called + expected[:, -1:])), candidates.none_fails


def highest_f1(options: Calibrate, candidates: Candidates) -> Choice:
    """The highest F1 on the precision-recall curve of the labels."""
    found = candidates.found
    return candidates.best(2 * found / (candidates.called + found[:, -1:])), candidates.none_fails


def enough_recall(options: Calibrate, candidates: Candidates) -> Choice:
    """The highest threshold that finds `min_recall` of the present images."""
    enough = candidates.possible & (candidates.recall >= options.min_recall - 1e-9)
    met = np.logical_or.reduce(enough, axis=1)
    return np.where(met, enough.argmax(axis=1), _last(candidates.possible)), met


def enough_precision(options: Calibrate, candidates: Candidates) -> Choice:
    """The lowest threshold above which `min_precision` are present, else the most precise one."""
    precision = candidates.precision
    enough = candidates.possible & (precision >= options.min_precision - 1e-9)
    met = np.logical_or.reduce(enough, axis=1)
    return np.where(met, _last(enough), candidates.best(precision)), met


PARAMETER_RULES: Mapping[str, Callable[[Calibrate], float]] = {"cost": least_cost, "fixed": fixed}
"""The rules whose threshold follows from the parameters alone."""

IMAGE_RULES: Mapping[str, Callable[[Calibrate, Candidates], Choice]] = {
    "expected_f1": highest_expected_f1,
    "pr_argmax": highest_f1,
    "min_recall": enough_recall,
    "min_precision": enough_precision,
}
"""The rules that choose among the scores of the validation images."""


LABEL_RULES = ("pr_argmax", "min_recall", "min_precision")
"""Those that jump from one label to the next; the others are smooth in the scores."""


def choose_threshold(
    rule: str, options: Calibrate, probabilities: Floats, labels: Labels, weights: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """Each replicate's threshold, from 0 to 1, and whether it meets what the rule demands; both (replicates,).

    Probabilities (replicates, n) of "present", known labels (n,), weights (replicates, n). Raises LacunaError for a
    rule that stands in neither table.
    """
    if rule in PARAMETER_RULES:
        return np.full(len(weights), PARAMETER_RULES[rule](options)), np.ones(len(weights), dtype=bool)
    if rule not in IMAGE_RULES:
        expected = ", ".join((*IMAGE_RULES, *PARAMETER_RULES))
        raise LacunaError(f"calibrate.rule: there is no rule {rule!r}; expected one of {expected}")
    candidates = sort_candidates(probabilities, labels, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        place, met = IMAGE_RULES[rule](options, candidates)
    known = candidates.possible.any(axis=1)
    return np.where(known, candidates.thresholds(place), NO_DATA_THRESHOLD), met & known


def _last(chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
    place: NDArray[np.intp] = chosen.shape[1] - 1 - chosen[:, ::-1].argmax(axis=1)
    return place
