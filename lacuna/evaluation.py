"""Honest figures: on validation with a calibration that never saw the image, on test with the one that is shipped.

Every figure has the best trivial predictor beside it, and an interval by bootstrap over groups in which calibration and
thresholds are fitted anew in each replicate. Rankings (average precision, ROC-AUC) look at the network's own scores;
calibration does not change the order of a binary target's images.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.baselines import training_prior, trivial_figures
from lacuna.bootstrap import assign_folds, group_weights
from lacuna.calibration import Calibration, Fit
from lacuna.calibration_fit import chunk_size, cross_fitted_probabilities, fit_replicates
from lacuna.config import Calibrate, Evaluate
from lacuna.metrics import Floats, Labels, activate, decision_figures, ranking_figures
from lacuna.predictions import Predictions
from lacuna.targets import Target, Targets

Figures = dict[str, Floats]
"""Figures of one target, each (replicates,); the first replicate is the sample itself."""


@dataclass(frozen=True)
class Scored:
    """One target on one part: what is known (n,), what was said of it, and the figures of every replicate.

    The prior (n_classes,) holds the shares of the classes in training.
    """

    target: Target
    labels: Labels
    group: NDArray[np.int64]
    prior: Floats
    probabilities: Floats
    decisions: Labels
    figures: Figures


def score_validation(
    targets: Targets, validation: Predictions, priors: list[Floats], options: Calibrate, evaluate: Evaluate
) -> list[Scored]:
    """Score the validation part, each image by a calibration fitted without its fold of groups."""
    folds = assign_folds(validation.group, options.folds, options.seed)
    ones = np.ones((1, len(validation)))
    fits = [fit_replicates(targets, validation, ones * (folds != fold), options) for fold in range(options.folds)]
    size = chunk_size(targets, len(validation))
    replicates = group_weights(validation.group, evaluate.bootstrap, evaluate.seed, size)

    def decide(weights: Floats, refit: bool) -> list[Labels]:
        decisions: list[Labels] = [np.zeros(weights.shape, dtype=np.intp) for _ in targets]
        for fold, start in enumerate(fits):
            held_out = folds == fold
            fold_fits = fit_replicates(targets, validation, weights * ~held_out, options, start) if refit else start
            for index, (fit, columns) in enumerate(zip(fold_fits, targets.slices, strict=True)):
                decisions[index][:, held_out] = fit.decide(validation.logits[held_out][:, columns])
        return decisions

    def decided() -> Iterator[tuple[Floats, list[Labels]]]:
        yield ones, decide(ones, refit=False)
        for weights in replicates:
            yield weights, decide(weights, refit=True)

    probabilities = cross_fitted_probabilities(targets, validation, options)
    return _score(targets, validation, probabilities, priors, decided())


def score_test(
    targets: Targets,
    validation: Predictions,
    test: Predictions,
    calibration: Calibration,
    priors: list[Floats],
    options: Calibrate,
    evaluate: Evaluate,
) -> list[Scored]:
    """Score the test part by the calibration fitted on the whole validation part."""
    fits = calibration.fits(targets)
    size = chunk_size(targets, max(len(validation), len(test)))
    fitted_on = group_weights(validation.group, evaluate.bootstrap, evaluate.seed, size)
    scored_on = group_weights(test.group, evaluate.bootstrap, evaluate.seed + 1, size)

    def decide(fits: list[Fit]) -> list[Labels]:
        return [fit.decide(test.logits[:, where]) for fit, where in zip(fits, targets.slices, strict=True)]

    def decided() -> Iterator[tuple[Floats, list[Labels]]]:
        yield np.ones((1, len(test))), decide(fits)
        for fitting, weights in zip(fitted_on, scored_on, strict=True):
            yield weights, decide(fit_replicates(targets, validation, fitting, options, fits))

    return _score(targets, test, calibration.apply(targets, test.logits), priors, decided())


def priors_of(targets: Targets, class_weights: Mapping[str, Mapping[str, list[int]]]) -> list[Floats]:
    """Each target's class shares in training, from the content of class_weights.json."""
    return [training_prior(class_weights[target.name]["counts"]) for target in targets]


def _score(
    targets: Targets,
    part: Predictions,
    probabilities: list[Floats],
    priors: list[Floats],
    decided: Iterator[tuple[Floats, list[Labels]]],
) -> list[Scored]:
    chunks: list[list[Figures]] = [[] for _ in targets]
    first: list[Labels] = []
    for weights, decisions in decided:
        first = first or [decision[0] for decision in decisions]
        for index, (target, columns) in enumerate(zip(targets, targets.slices, strict=True)):
            known = part.labels[:, index] >= 0
            figures = _figures(
                target,
                part.labels[known, index],
                activate(target, part.logits[known][:, columns]),
                decisions[index][:, known],
                weights[:, known],
                priors[index],
            )
            chunks[index].append(figures)
    return [
        Scored(
            targets[index],
            part.labels[:, index],
            part.group,
            priors[index],
            probabilities[index],
            first[index],
            {name: np.concatenate([figures[name] for figures in chunk]) for name in chunk[0]},
        )
        for index, chunk in enumerate(chunks)
    ]


def _figures(
    target: Target, labels: Labels, scores: Floats, decisions: Labels, weights: Floats, prior: Floats
) -> Figures:
    figures = decision_figures(labels, decisions, weights, target.n_classes) | ranking_figures(labels, scores, weights)
    trivial = trivial_figures(labels, weights, prior)
    return {
        **figures,
        "gain": figures["f1"] - trivial["f1"],
        **{f"baseline_{name}": values for name, values in trivial.items()},
    }
