"""Have new images drifted away from those that a model was trained on, and in what?

    predictor = Predictor.load("models/bundle")
    drift = compare_with_training(predictor, observe(predictor, paths))

Three families are compared: the network's features, what it predicts, and the images' own properties. In at most 1 of
100 batches of images like the training images is anything called drifted: each family may err in a third of that, and
Holm (1979) shares it among the family's comparisons. New images are taken to come in copies as those of training do,
because no one says which of them belong together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lacuna.core.groups import design_effect
from lacuna.core.scores import Labels
from lacuna.core.targets import Targets, counted_classes
from lacuna.inference.bundle import OOD_FILE, read_predictions
from lacuna.inference.drift_reference import MOST_COORDINATES, DriftReference, Properties
from lacuna.inference.ood import Alarms
from lacuna.inference.predictor import Predictor
from lacuna.monitoring.observe import Observed
from lacuna.monitoring.two_sample import (
    CONFIDENCE,
    Difference,
    compare_coordinates,
    compare_numbers,
    compare_shares,
    compare_words,
)
from lacuna.stats.intervals import share_interval
from lacuna.stats.multiple_testing import holm

ALPHA = 0.01
"""In so many batches of images like the training images something may be called drifted."""

SEED = 0

Family = Literal["features", "predictions", "properties"]
FAMILIES: tuple[Family, ...] = ("features", "predictions", "properties")

UNFAMILIAR, TOLD_APART = "unfamiliar", "told apart"


@dataclass(frozen=True)
class Comparison:
    """One figure, `name`, of training and of new images.

    `target` is set where it is the share of images for which this class of a target is decided. `before` and `now` are
    shares or numbers: for a property's words the share of the commonest word of training, for its numbers the median;
    of the features' AUC, `before` is the 0.5 of images that are alike. `low` and `high` are the 95 % interval of
    `now`, NaN where there is none. `p` is corrected for the number of comparisons, NaN before.
    """

    family: Family
    name: str
    target: str | None
    before: float
    now: float
    low: float
    high: float
    difference: Difference
    p: float = float("nan")

    @property
    def label(self) -> str:
        return self.name if self.target is None else f"{self.target} {self.name}"

    @property
    def drifted(self) -> bool:
        return self.p <= ALPHA and self.difference.large_enough


def compare_with_training(predictor: Predictor, observed: Observed) -> list[Comparison]:
    """Every comparison, in the order of FAMILIES and of the bundle's targets."""
    detector, reference = DriftReference.load(predictor.folder / OOD_FILE)
    validation = read_predictions(predictor.folder)["validation"]
    targets = predictor.bundle.targets
    decisions = predictor.bundle.calibration.decide(targets, validation.logits)
    crowding = design_effect(validation.group)
    return correct(
        [
            *compare_features(
                detector.alarms, reference.coordinates, observed.unfamiliar, observed.coordinates, crowding
            ),
            *compare_decisions(targets, decisions, observed.decisions, crowding),
            *compare_properties(reference.properties, observed.properties, design_effect(reference.group)),
        ]
    )


def correct(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons with p corrected for their number: each family's may err in a third of ALPHA."""
    corrected = []
    for family in FAMILIES:
        inside = [one for one in comparisons if one.family == family]
        adjusted = holm([one.difference.p for one in inside])
        corrected += [replace(one, p=min(1, len(FAMILIES) * p)) for one, p in zip(inside, adjusted, strict=True)]
    return corrected


def compare_features(
    alarms: Alarms,
    before: NDArray[np.float32],
    unfamiliar: NDArray[np.bool_],
    now: NDArray[np.float32],
    crowding: float,
) -> Iterator[Comparison]:
    """How many new images are unfamiliar (n,), and whether coordinates (n, d) tell them from validation images."""
    n = len(unfamiliar)
    if alarms.n_test:
        counts = _independent(int(unfamiliar.sum()), n, crowding)
        difference = compare_shares(alarms.n_alarms, alarms.n_test, *counts, only_more=True)
        low, high = share_interval(*counts, CONFIDENCE)
        share = float(unfamiliar.mean())
        yield Comparison("features", UNFAMILIAR, None, alarms.measured, share, low, high, difference)
    drawn = np.random.default_rng(SEED).permutation(n)[: min(MOST_COORDINATES, int(n / crowding))]
    found = compare_coordinates(before, now[drawn], SEED)
    yield Comparison("features", TOLD_APART, None, 0.5, found.effect, found.low, found.high, found)


def compare_decisions(targets: Targets, before: Labels, now: Labels, crowding: float) -> Iterator[Comparison]:
    """The share of each class among decisions (n, n_targets); of a binary target "present" says it all."""
    for column, target in enumerate(targets):
        for index in counted_classes(target):
            hits = [(int((one[:, column] == index).sum()), len(one)) for one in (before, now)]
            if hits[0][0] or hits[1][0]:
                was, now_is = (count / n for count, n in hits)
                counts = [_independent(count, n, crowding) for count, n in hits]
                low, high = share_interval(*counts[1], CONFIDENCE)
                difference = compare_shares(*counts[0], *counts[1])
                yield Comparison("predictions", target.classes[index], target.name, was, now_is, low, high, difference)


def _independent(hits: int, n: int, crowding: float) -> tuple[int, int]:
    """As many independent images as these are worth, with the same share."""
    return round(hits / crowding), max(round(n / crowding), 1)


def compare_properties(before: Properties, now: Properties, crowding: float) -> Iterator[Comparison]:
    """Every property of the images."""
    nan = float("nan")
    for name, words in before.words.items():
        values, counts = np.unique(words, return_counts=True)
        commonest = str(values[counts.argmax()])
        was, now_is = (float((one == commonest).mean()) for one in (words, now.words[name]))
        difference = compare_words(words, now.words[name], SEED, crowding)
        yield Comparison("properties", f"{name} {commonest}", None, was, now_is, nan, nan, difference)
    for name, numbers in before.numbers.items():
        was, now_is = (float(np.median(one)) for one in (numbers, now.numbers[name]))
        difference = compare_numbers(numbers, now.numbers[name], crowding)
        yield Comparison("properties", name, None, was, now_is, nan, nan, difference)
