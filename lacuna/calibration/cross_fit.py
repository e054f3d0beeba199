"""Cross-fitting: each validation image is judged by a calibration that was fitted without its fold of groups.

So no image is judged by probabilities or thresholds that its own label helped to choose. Stage `evaluate` scores what
comes out, `calibrate` draws it, `explain` and `report` look at it image by image.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.calibration.cells import ScoreCells
from lacuna.calibration.consistency import constraints_of
from lacuna.calibration.fit import FittedImages, Optimum, divide_many, fit_replicates, fit_sample
from lacuna.calibration.model import Fit, decide
from lacuna.calibration.population import BootstrapBlock, Population, Resample, whole_sample
from lacuna.config.blocks import Calibrate
from lacuna.core.groups import assign_folds
from lacuna.core.predictions import Predictions
from lacuna.core.relations import Relations
from lacuna.core.scores import Floats, Labels
from lacuna.core.targets import Target, Targets

OfFold = Callable[[list[Fit], Predictions], Sequence[Sequence[NDArray[Any]]]]
"""From the calibrations of all targets, and the images that these never saw, to one or more quantities, each as one
array (replicates, n, ...) per target."""


@dataclass(frozen=True)
class CrossFit:
    """A calibration of all targets for each fold of the validation part, fitted on the images outside of the fold.

    `folds` (n,) holds the number of each image's fold, `fits` the calibrations by fold; folds without an image have
    none. `resample` says how often each image counted in the fits, and what its label stood for. `optima`: by fold, the
    calibrations of the sample itself.
    """

    targets: Targets
    validation: Predictions
    options: Calibrate
    folds: NDArray[np.intp]
    fits: dict[int, list[Fit]]
    resample: Resample
    optima: dict[int, Optimum]

    def within(self, block: BootstrapBlock) -> "CrossFit":
        """The images of a block, and what its replicates are fitted from."""
        if block.rows is None or block.own is None:
            return self
        folds = self.folds[block.rows]
        optima = {
            fold: Optimum(optimum.fits, block.own.without(folds == fold), optimum.scarce)
            for fold, optimum in self.optima.items()
        }
        return replace(self, validation=block.part, folds=folds, resample=block.own, optima=optima)

    def refit(self, resample: Resample) -> "CrossFit":
        """Fitted anew in each replicate, from the sample's calibrations on."""
        targets, part, place = self.targets, self.validation, np.searchsorted(list(self.optima), self.folds)
        counted: list[dict[int, FittedImages]] = [{} for _ in self.optima]
        for index, cells in self._divided.items():  # cells are the same in each fold, and are summed once for all
            labels = part.labels[:, index]
            summed = cells.sums_without(place[labels >= 0], len(counted), resample.drawn(labels))
            for of_fold, weights in zip(counted, summed, strict=True):
                of_fold[index] = cells.logits, cells.labels, weights
        fits = {
            fold: fit_replicates(targets, part, resample.without(self.folds == fold), self.options, optimum, of_fold)
            for (fold, optimum), of_fold in zip(self.optima.items(), counted, strict=True)
        }
        return replace(self, fits=fits, resample=resample)

    @cached_property
    def _divided(self) -> dict[int, ScoreCells]:
        return divide_many(self.targets, self.validation)

    def apply(self, of_fold: OfFold) -> list[list[NDArray[Any]]]:
        """The quantities of `of_fold`, put together for the images of all folds in their order."""
        whole: list[list[NDArray[Any]]] = []
        for fold, fits in self.fits.items():
            inside = self.folds == fold
            found = of_fold(fits, self.validation.take(inside))
            if not whole:
                n = len(self.folds)
                whole = [[np.empty((len(a), n, *a.shape[2:]), a.dtype) for a in arrays] for arrays in found]
            for arrays, parts in zip(whole, found, strict=True):
                for array, part in zip(arrays, parts, strict=True):
                    array[:, inside] = part
        return whole

    def probabilities(self) -> list[Floats]:
        """Calibrated probabilities in the first replicate, per target (n, n_classes)."""
        (probabilities,) = self.apply(lambda fits, part: [_probabilities(self.targets, fits, part)])
        return [array[0] for array in probabilities]


def cross_fit(
    targets: Targets, validation: Predictions, options: Calibrate, population: Population | None = None
) -> CrossFit:
    """Fit the calibrations of each fold, `options.folds` of them in whole groups. Each image counts once.

    population: for whose images they are; None: the labelled ones.
    """
    folds, sample = (
        assign_folds(validation.group, options.folds, options.seed),
        whole_sample(targets, validation, population),
    )
    numbers = np.unique(folds).tolist() or [0]
    optima = {}
    for fold in numbers:
        others = sample.without(folds == fold)
        optima[fold] = fit_sample(targets, validation, others, options)
    fits = {fold: optimum.fits for fold, optimum in optima.items()}
    return CrossFit(targets, validation, options, folds, fits, sample, optima)


@dataclass(frozen=True)
class Judgement:
    """What cross-fitted calibrations say of one target on the validation images.

    labels (n,), -1 = unknown; probabilities (n, n_classes); decisions (n,) are class indices. `certainty` (n,), from 0
    to 1, says how far a decision is from another one: for a binary target the distance of the probability from the
    threshold, as a share of the distance between the threshold and 0 or 1; for a categorical one the lead over the next
    class, 0 where another target overruled the most probable class.
    """

    target: Target
    labels: Labels
    probabilities: Floats
    decisions: Labels
    certainty: Floats

    @property
    def known(self) -> NDArray[np.bool_]:
        return self.labels >= 0

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the decision is the label (n,); False where the label is unknown."""
        right: NDArray[np.bool_] = self.labels == self.decisions
        return right

    def explained_class(self) -> Labels:
        """The class (n,) whose evidence a map shows: the decided one, of a binary target always "present".

        Absence has no place in an image.
        """
        return np.ones_like(self.decisions) if self.target.kind == "binary" else self.decisions


def judge(
    targets: Targets,
    validation: Predictions,
    options: Calibrate,
    relations: Relations,
    population: Population | None = None,
) -> list[Judgement]:
    """Judge every validation image as `evaluate` does, one judgement per target; decisions respect the relations."""
    constraints = constraints_of(relations, targets)

    def of_fold(fits: list[Fit], part: Predictions) -> list[Sequence[NDArray[Any]]]:
        decisions, _ = decide(targets, fits, part.logits, constraints)
        return [_probabilities(targets, fits, part), decisions, [_threshold(fit, len(part)) for fit in fits]]

    quantities = cross_fit(targets, validation, options, population).apply(of_fold)
    judgements = []
    for index, target in enumerate(targets):
        probabilities, decisions, thresholds = (arrays[index][0] for arrays in quantities)
        certainty = _certainty(probabilities, decisions, thresholds)
        judgements.append(Judgement(target, validation.labels[:, index], probabilities, decisions, certainty))
    return judgements


def _probabilities(targets: Targets, fits: list[Fit], part: Predictions) -> list[Floats]:
    """Per target (replicates, n, n_classes)."""
    return [fit.probabilities(part.logits[:, columns]) for fit, columns in zip(fits, targets.slices, strict=True)]


def _threshold(fit: Fit, n: int) -> Floats:
    """The threshold of each image (1, n), NaN for a categorical target."""
    return np.full((1, n), np.nan if fit.thresholds is None else fit.thresholds[0])


def _certainty(probabilities: Floats, decisions: Labels, thresholds: Floats) -> Floats:
    if not np.isnan(thresholds).any():
        present, reach = probabilities[:, 1], np.where(decisions == 1, 1 - thresholds, thresholds)
        distance: Floats = np.clip(np.abs(present - thresholds) / np.maximum(reach, 1e-9), 0, 1)
        return distance
    chosen = np.take_along_axis(probabilities, decisions[:, None], axis=1)[:, 0]
    others = probabilities.copy()
    np.put_along_axis(others, decisions[:, None], -1, axis=1)
    lead: Floats = np.maximum(chosen - others.max(axis=1), 0)
    return lead
