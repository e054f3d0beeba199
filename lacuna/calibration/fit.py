"""Fits calibrations on the known labels of the validation part: one, or those of many bootstrap replicates at once.

The intervals of a threshold, and of every metric of decisions, so include that calibration could have come out
otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lacuna.calibration.cells import MOST_UNDIVIDED, ScoreCells, divide
from lacuna.calibration.model import ARGMAX, LOGIT_ADJUSTMENT, Calibration, Fit, TargetCalibration
from lacuna.calibration.population import Bootstrap, BootstrapBlock, Population, Resample, whole_sample
from lacuna.calibration.scaling import Scaling, TemperatureStep, fit_platt, fit_temperature, sigmoid
from lacuna.calibration.thresholds import IMAGE_RULES, LABEL_RULES, choose_threshold
from lacuna.config.blocks import Calibrate, Evaluate
from lacuna.core.predictions import Predictions
from lacuna.core.relations import Relations
from lacuna.core.scores import Floats, Labels, sum_by
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.stats.bootstrap import interval

FittedImages = tuple[NDArray[np.floating], Labels, Floats]
"""Of images, or of cells of them: logits (n, n_logits), known labels (n,) and weights (replicates, n)."""


@dataclass(frozen=True)
class Optimum:
    """The fits of a whole sample, and that sample: where the fits of its replicates start.

    `steps`: what the steps of categorical targets have in common, by the target's place, filled as it is needed.
    `scarce`: which binary targets are, in the whole part.
    """

    fits: list[Fit]
    sample: Resample
    scarce: Sequence[bool]
    steps: dict[int, TemperatureStep] = field(default_factory=dict, repr=False, compare=False)

    def within(self, block: BootstrapBlock) -> "Optimum":
        """What replicates of a block are fitted from."""
        return self if block.own is None else Optimum(self.fits, block.own, self.scarce)

    def scaling(self, index: int) -> Scaling:
        """A target's scaling as it was fitted to the labelled images, before biases were moved to the population."""
        fit = self.fits[index]
        return fit.scaling.moved(-bias_shift(fit.target, self.sample.importance[index]))

    def step(
        self, index: int, logits: NDArray[np.floating], labels: Labels, known: NDArray[np.bool_]
    ) -> TemperatureStep:
        """The step of a categorical target; logits and labels are of its `known` images (n,), the same each time."""
        if index not in self.steps:
            weights = self.sample.weights[:, known]
            self.steps[index] = TemperatureStep(logits, labels, self.scaling(index), weights)
        return self.steps[index]


def fit_calibration(
    targets: Targets,
    validation: Predictions,
    options: Calibrate,
    evaluate: Evaluate,
    relations: Relations = (),
    population: Population | None = None,
) -> Calibration:
    """Fit every target's scaling and threshold on the validation part, with a bootstrap interval of the threshold.

    population: for whose images probabilities and thresholds are, None: the labelled ones. Decisions will respect the
    relations. Raises LacunaError when `calibrate.rules` names no target or a
    categorical one.
    """
    whole = fit_sample(targets, validation, whole_sample(targets, validation, population), options)
    drawn = Bootstrap.of(targets, validation, evaluate, population, evaluate.seed)
    replicates, fits = fit_all_replicates(drawn, options, whole), whole.fits

    calibrations = {}
    for index, (target, rule, fit) in enumerate(zip(targets, target_rules(targets, options), fits, strict=True)):
        labels = validation.labels[:, index]
        thresholds = replicates[index].thresholds
        ends = None if thresholds is None or len(thresholds) == 1 else interval(thresholds[1:], evaluate.confidence)
        calibrations[target.name] = TargetCalibration(
            kind=target.kind,
            scale=float(fit.scaling.scale[0]),
            bias=tuple(fit.scaling.bias[0].tolist()),
            adjustment=tuple(fit.adjustment[0].tolist()),
            rule=rule,
            threshold=None if fit.thresholds is None else float(fit.thresholds[0]),
            threshold_low=ends[0] if ends else None,
            threshold_high=ends[1] if ends else None,
            n_known=int((labels >= 0).sum()),
            n_positive=int((labels == 1).sum()) if target.kind == "binary" else None,
            warnings=weaknesses(target, rule, fit, labels, options),
            population="all" if population and population.corrected[index] else "labelled",
        )
    return Calibration(calibrations, relations)


def target_rules(targets: Targets, options: Calibrate) -> list[str]:
    """Each target's decision rule. Raises LacunaError when `calibrate.rules` names what has none to choose."""
    kinds = {target.name: target.kind for target in targets}
    for name in options.rules:
        if name not in kinds:
            raise LacunaError(f"calibrate.rules.{name}: no such target; expected one of {', '.join(kinds)}")
        if kinds[name] == "categorical":
            raise LacunaError(
                f"calibrate.rules.{name}: expected a binary target, this one is categorical and is decided by "
                "calibrate.logit_adjustment; remove the line"
            )
    of_classes = LOGIT_ADJUSTMENT if options.logit_adjustment else ARGMAX
    return [of_classes if t.kind == "categorical" else options.rules.get(t.name, options.rule) for t in targets]


def is_scarce(target: Target, labels: Labels, options: Calibrate) -> bool:
    """Whether a binary target has too few known present or absent images for a threshold of its own."""
    counts = [int((labels == value).sum()) for value in (0, 1)]
    return target.kind == "binary" and min(counts) < options.min_positives


def scarce_targets(targets: Targets, predictions: Predictions, options: Calibrate) -> list[bool]:
    """Of each target whether it `is_scarce` in a part."""
    return [is_scarce(target, predictions.labels[:, index], options) for index, target in enumerate(targets)]


def fit_sample(targets: Targets, predictions: Predictions, sample: Resample, options: Calibrate) -> Optimum:
    """Fit to the images as they are weighted in the one row of `sample`."""
    scarce = scarce_targets(targets, predictions, options)
    return Optimum(fit_replicates(targets, predictions, sample, options), sample, scarce)


def fit_all_replicates(drawn: Bootstrap, options: Calibrate, whole: Optimum) -> list[Fit]:
    """The calibration of each target in the sample and all replicates of it; whole: the sample's."""
    found: list[list[Fit]] = [[fit] for fit in whole.fits]
    for block in drawn.blocks():
        near, divided = whole.within(block), divide_many(drawn.targets, block.part)
        for resample in block.replicates:
            counted = {
                index: (cells.logits, cells.labels, cells.sums(resample.drawn(block.part.labels[:, index])))
                for index, cells in divided.items()
            }
            fits = fit_replicates(drawn.targets, block.part, resample, options, near, counted)
            for chunks, fit in zip(found, fits, strict=True):
                chunks.append(fit)
    return [Fit.joined(chunks, drawn.pool) for chunks in found]


def divide_many(targets: Targets, predictions: Predictions) -> dict[int, ScoreCells]:
    """By their places, the binary targets with more than MOST_UNDIVIDED known images: the cells of these."""
    divided = {}
    for index, (target, columns) in enumerate(zip(targets, targets.slices, strict=True)):
        known = np.flatnonzero(predictions.labels[:, index] >= 0)
        if target.kind == "binary" and len(known) > MOST_UNDIVIDED:
            logits, labels = predictions.logits[known][:, columns], predictions.labels[known, index]
            divided[index] = divide(logits, labels, np.zeros(len(labels), np.intp))
    return divided


def fit_replicates(
    targets: Targets,
    predictions: Predictions,
    resample: Resample,
    options: Calibrate,
    whole: Optimum | None = None,
    counted: Mapping[int, FittedImages] | None = None,
) -> list[Fit]:
    """Fit every target's calibration in each replicate of `resample`.

    whole: replicates are fitted from there on, those of categorical targets by one step. counted: the targets that are
    fitted to cells of images with almost the same logit instead, where no rule looks at each label. Scalings are fitted
    to the labelled images; then their biases are moved by the logarithm of each class's importance, as Bayes' rule has
    it for other priors, so that probabilities, thresholds and adjustments are those of the population.
    Scarce binary targets get the threshold of all binary targets' images pooled. The logits of a categorical target are
    adjusted by `options.logit_adjustment` times the logarithm of each class's share of the images (Menon et al. 2021):
    0 decides for the most probable class, which has the highest accuracy, 1 as if all classes were as frequent.
    """
    rules = target_rules(targets, options)
    samples, scalings, adjustments = [], [], []
    for index, (target, columns) in enumerate(zip(targets, targets.slices, strict=True)):
        importance, cells = resample.importance[index], (counted or {}).get(index)
        shift = bias_shift(target, importance)
        if target.kind == "binary":
            images = cells or known_images(predictions, resample, index, columns)
            scaling = fit_platt(*images, whole.scaling(index) if whole else None).moved(shift)
            if cells and rules[index] in LABEL_RULES:
                images = known_images(predictions, resample, index, columns)
            logits, labels, weights = images
            adjustments.append(np.zeros((len(weights), 1)))
            samples.append((sigmoid(scaling(logits)[..., 0]), labels, weights * importance[:, labels]))
        else:
            logits, labels, weights = known_images(predictions, resample, index, columns)
            counts = weights * importance[:, labels]
            known = predictions.labels[:, index] >= 0
            fitted = whole.step(index, logits, labels, known)(weights) if whole else None
            scaling = (fitted or fit_temperature(logits, labels, weights)).moved(shift)
            samples.append((np.empty((len(weights), 0)), labels[:0], weights[:, :0]))
            adjustments.append(options.logit_adjustment * np.log(class_shares(labels, target.n_classes, counts)))
        scalings.append(scaling)

    fits = []
    for index, (target, rule) in enumerate(zip(targets, rules, strict=True)):
        thresholds, met = None, np.ones(len(weights), dtype=bool)
        if target.kind == "binary":
            scarce = whole.scarce[index] if whole else is_scarce(target, predictions.labels[:, index], options)
            scores, labels, counts = _pool(samples) if scarce else samples[index]
            thresholds, met = choose_threshold(rule, options, scores, labels, counts)
        fits.append(Fit(target, scalings[index], thresholds, adjustments[index], met))
    return fits


def known_images(predictions: Predictions, resample: Resample, index: int, columns: slice) -> FittedImages:
    """Those whose label of a target is known."""
    labels = predictions.labels[:, index]
    known = labels >= 0
    return predictions.logits[known][:, columns], labels[known], resample.drawn(labels)


def bias_shift(target: Target, importance: Floats) -> Floats:
    """What a scaling's biases get added (replicates, n_logits), from the importance (replicates, n_classes).

    A class without a labelled image has importance 0, and keeps its odds.
    """
    logs = np.log(np.where(importance > 0, importance, 1.0))
    return logs[:, 1:] - logs[:, :1] if target.kind == "binary" else logs


def class_shares(labels: Labels, n_classes: int, weights: Floats) -> Floats:
    """Each class's share (replicates, n_classes) of known labels (n,) with weights (replicates, n), as if there were
    one image more of each class: a class that validation lacks is rare, not impossible."""
    counts = sum_by(labels, weights, n_classes) + 1
    shares: Floats = counts / counts.sum(axis=1, keepdims=True)
    return shares


def weaknesses(target: Target, rule: str, fit: Fit, labels: Labels, options: Calibrate) -> tuple[str, ...]:
    """What makes a target's calibration weak, in words; labels (n,) are the validation part's."""
    counts = np.bincount(labels[labels >= 0], minlength=target.n_classes)
    warnings = []
    if counts.sum() == 0:
        warnings.append("no known label in validation: the probabilities are the network's own, not calibrated")
    elif (counts > 0).sum() == 1:
        only = target.classes[int(counts.argmax())]
        warnings.append(f"validation knows only {only}: the probabilities can't be checked")
    elif fit.scaling.scale[0] == 0:
        warnings.append("the logits don't rise with the labels: every image gets the same probability")
    if rule in IMAGE_RULES and is_scarce(target, labels, options):
        warnings.append(
            f"{counts[1]} present and {counts[0]} absent in validation, calibrate.min_positives asks for "
            f"{options.min_positives} of each: the threshold is pooled over all binary targets"
        )
    if not fit.met[0]:
        reason = "the most precise one is taken" if rule == "min_precision" else "too few labels are known"
        warnings.append(f"no threshold meets {rule}: {reason}")
    return tuple(warnings)


def _pool(samples: list[tuple[Floats, Labels, Floats]]) -> tuple[Floats, Labels, Floats]:
    scores, labels, weights = zip(*samples, strict=True)
    return np.concatenate(scores, axis=1), np.concatenate(labels), np.concatenate(weights, axis=1)
