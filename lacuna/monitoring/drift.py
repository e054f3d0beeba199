"""Have new images drifted away from those that a model was trained on, and in what?

    predictor = Predictor.load("models/bundle")
    comparisons = compare_with_training(predictor, observe(predictor, paths))

Three families are compared: the network's features, its predictions, and the images' own properties. Of batches of
images like the training images, at most 1 in 100 is called drifted in anything: each family may err in a third of that,
and Holm's correction (1979) shares it among the family's comparisons. New images are assumed to come in copies as the
training images do, because nothing says which of them belong together.
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
from lacuna.inference.ood import FalseAlarms
from lacuna.inference.predictor import Predictor
from lacuna.monitoring.observe import Observed
from lacuna.monitoring.two_sample import (
    CONFIDENCE_LEVEL,
    TwoSampleResult,
    compare_categories,
    compare_coordinates,
    compare_numbers,
    compare_shares,
)
from lacuna.stats.intervals import share_interval
from lacuna.stats.multiple_testing import holm

ALPHA = 0.01
"""The share of batches of images like the training images in which something may be called drifted."""

SEED = 0

Family = Literal["features", "predictions", "properties"]
FAMILIES: tuple[Family, ...] = ("features", "predictions", "properties")

UNFAMILIAR, TOLD_APART = "unfamiliar", "told apart"


@dataclass(frozen=True)
class DriftComparison:
    """One number, called `name`, of the training images and of new ones.

    `target` is set where the number is the share of images for which the class `name` of that target is decided.
    `before` and `now` are shares (0 to 1) or, for a numeric property, medians in its unit; for a categorical property
    the share of the training images' commonest value. Where classes are told apart by the features, `now` is the AUC
    and `before` the 0.5 of images that are alike. `low` and `high` are the 95 % interval of `now`, NaN where there is
    none. `p` is corrected for the number of comparisons, NaN before the correction.
    """

    family: Family
    name: str
    target: str | None
    before: float
    now: float
    low: float
    high: float
    result: TwoSampleResult
    p: float = float("nan")

    @property
    def label(self) -> str:
        return self.name if self.target is None else f"{self.target} {self.name}"

    @property
    def drifted(self) -> bool:
        """Whether the difference is both significant and large enough to matter."""
        return self.p <= ALPHA and self.result.large_enough


def compare_with_training(predictor: Predictor, observed: Observed) -> list[DriftComparison]:
    """Every comparison, in the order of FAMILIES and of the bundle's targets.

    Raises LacunaError when the bundle's file of references or predictions is missing or damaged.
    """
    detector, reference = DriftReference.load(predictor.folder / OOD_FILE)
    validation = read_predictions(predictor.folder)["validation"]
    targets = predictor.bundle.targets
    decisions = predictor.bundle.calibration.decide(targets, validation.logits)
    crowding = design_effect(validation.group)
    return correct(
        [
            *compare_features(
                detector.false_alarms, reference.coordinates, observed.unfamiliar, observed.coordinates, crowding
            ),
            *compare_decisions(targets, decisions, observed.decisions, crowding),
            *compare_properties(reference.properties, observed.properties, design_effect(reference.group)),
        ]
    )


def correct(comparisons: Sequence[DriftComparison]) -> list[DriftComparison]:
    """The comparisons with p corrected for their number: each family may err in a third of ALPHA."""
    corrected = []
    for family in FAMILIES:
        inside = [comparison for comparison in comparisons if comparison.family == family]
        adjusted = holm([comparison.result.p for comparison in inside])
        corrected += [
            replace(comparison, p=min(1, len(FAMILIES) * p)) for comparison, p in zip(inside, adjusted, strict=True)
        ]
    return corrected


def compare_features(
    false_alarms: FalseAlarms,
    before: NDArray[np.float32],
    unfamiliar: NDArray[np.bool_],
    now: NDArray[np.float32],
    crowding: float,
) -> Iterator[DriftComparison]:
    """How many new images are unfamiliar (n,), and whether coordinates (n, d) tell them from validation images.

    `crowding`: how many images count as one, because images come in copies.
    """
    n = len(unfamiliar)
    if false_alarms.n_test:
        counts = _independent(int(unfamiliar.sum()), n, crowding)
        result = compare_shares(false_alarms.n_alarms, false_alarms.n_test, *counts, only_more=True)
        low, high = share_interval(*counts, CONFIDENCE_LEVEL)
        share = float(unfamiliar.mean())
        yield DriftComparison("features", UNFAMILIAR, None, false_alarms.measured, share, low, high, result)
    drawn = np.random.default_rng(SEED).permutation(n)[: min(MOST_COORDINATES, int(n / crowding))]
    result = compare_coordinates(before, now[drawn], SEED)
    yield DriftComparison("features", TOLD_APART, None, 0.5, result.effect, result.low, result.high, result)


def compare_decisions(targets: Targets, before: Labels, now: Labels, crowding: float) -> Iterator[DriftComparison]:
    """The share of each class among decisions (n, n_targets), class indices; of a binary target that of "present"."""
    for column, target in enumerate(targets):
        for index in counted_classes(target):
            hits = [(int((decisions[:, column] == index).sum()), len(decisions)) for decisions in (before, now)]
            if hits[0][0] or hits[1][0]:
                was, now_is = (count / n for count, n in hits)
                counts = [_independent(count, n, crowding) for count, n in hits]
                low, high = share_interval(*counts[1], CONFIDENCE_LEVEL)
                result = compare_shares(*counts[0], *counts[1])
                name = target.classes[index]
                yield DriftComparison("predictions", name, target.name, was, now_is, low, high, result)


def compare_properties(before: Properties, now: Properties, crowding: float) -> Iterator[DriftComparison]:
    """Every property of the images."""
    nan = float("nan")
    for name, categories in before.categorical.items():
        values, counts = np.unique(categories, return_counts=True)
        commonest = str(values[counts.argmax()])
        was, now_is = (float((part == commonest).mean()) for part in (categories, now.categorical[name]))
        result = compare_categories(categories, now.categorical[name], SEED, crowding)
        yield DriftComparison("properties", f"{name} {commonest}", None, was, now_is, nan, nan, result)
    for name, numbers in before.numeric.items():
        was, now_is = (float(np.median(part)) for part in (numbers, now.numeric[name]))
        result = compare_numbers(numbers, now.numeric[name], crowding)
        yield DriftComparison("properties", name, None, was, now_is, nan, nan, result)


def _independent(hits: int, n: int, crowding: float) -> tuple[int, int]:
    """Hits and number of the independent images that n images in copies are worth, at the same share."""
    return round(hits / crowding), max(round(n / crowding), 1)
