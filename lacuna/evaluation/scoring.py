"""Honest figures: on validation with a calibration that never saw the image, on test with the one that is shipped.

Every figure has the best trivial predictor beside it, and an interval by bootstrap over groups in which calibration and
thresholds are fitted anew in each replicate. Rankings (average precision, ROC-AUC) look at the network's own scores;
calibration does not change the order of a binary target's images.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.calibration.consistency import Constraint, connected, constraints_of
from lacuna.calibration.fit import chunk_size, cross_fitted_probabilities, fit_replicates
from lacuna.calibration.model import Calibration, Fit, decide
from lacuna.config.blocks import Calibrate, Evaluate
from lacuna.core.groups import assign_folds
from lacuna.core.predictions import Predictions
from lacuna.core.relations import Relations
from lacuna.core.scores import Floats, Labels, activate, ranking_metrics
from lacuna.core.targets import Target, Targets
from lacuna.evaluation.baselines.trivial import training_prior, trivial_metrics, trivial_ranks
from lacuna.evaluation.metrics import class_average_precision, class_metrics, over_classes, top_k_accuracy
from lacuna.stats.bootstrap import group_weights

Figures = dict[str, Floats]
"""Figures of one target, each (replicates,); the first replicate is the sample itself."""


@dataclass(frozen=True)
class Scored:
    """One target on one part: what is known (n,), what was said of it, and the figures of every replicate.

    The prior (n_classes,) holds the shares of the classes in training. `alone` (n,) are the decisions that this target
    would take without regard to the others. `classes` has f1 of each class in each replicate (replicates, n_classes),
    and of the sample itself actual, predicted, precision, recall and average_precision (n_classes,).
    """

    target: Target
    labels: Labels
    group: NDArray[np.int64]
    prior: Floats
    probabilities: Floats
    decisions: Labels
    alone: Labels
    figures: Figures
    classes: Figures


@dataclass(frozen=True)
class _Decided:
    """Some replicates' weights (replicates, n), and per target the decisions, those of the target alone, and the rank
    of the true class, all (replicates, n). Ranks of unknown labels mean nothing; a binary target's are all 0."""

    weights: Floats
    together: Sequence[Labels]
    alone: Sequence[Labels]
    ranks: Sequence[Labels]


def score_validation(
    targets: Targets,
    validation: Predictions,
    priors: list[Floats],
    options: Calibrate,
    evaluate: Evaluate,
    relations: Relations = (),
) -> list[Scored]:
    """Score the validation part, each image by a calibration fitted without its fold of groups.

    Decisions respect the relations.
    """
    constraints = constraints_of(relations, targets)
    folds = assign_folds(validation.group, options.folds, options.seed)
    ones = np.ones((1, len(validation)))
    fits = [fit_replicates(targets, validation, ones * (folds != fold), options) for fold in range(options.folds)]
    size = chunk_size(targets, len(validation))
    replicates = group_weights(validation.group, evaluate.bootstrap, evaluate.seed, size)

    def judge(weights: Floats, refit: bool) -> _Decided:
        together, alone, ranks = ([np.zeros(weights.shape, np.intp) for _ in targets] for _ in range(3))
        for fold, fold_fits in enumerate(fits):
            held_out = folds == fold
            if refit:
                whole_fold = (fold_fits, ones * ~held_out)
                fold_fits = fit_replicates(targets, validation, weights * ~held_out, options, whole_fold)
            judged = _judge(targets, fold_fits, validation.take(held_out), weights[:, held_out], constraints)
            for whole, part in ((together, judged.together), (alone, judged.alone), (ranks, judged.ranks)):
                for index in range(len(targets)):
                    whole[index][:, held_out] = part[index]
        return _Decided(weights, together, alone, ranks)

    def decided() -> Iterator[_Decided]:
        yield judge(ones, refit=False)
        for weights in replicates:
            yield judge(weights, refit=True)

    probabilities = cross_fitted_probabilities(targets, validation, options)
    return _score(targets, validation, probabilities, priors, decided(), evaluate.top_k, constraints)


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
    fits, constraints = calibration.fits(targets), constraints_of(calibration.relations, targets)
    size = chunk_size(targets, max(len(validation), len(test)))
    fitted_on = group_weights(validation.group, evaluate.bootstrap, evaluate.seed, size)
    scored_on = group_weights(test.group, evaluate.bootstrap, evaluate.seed + 1, size)

    whole = (fits, np.ones((1, len(validation))))

    def decided() -> Iterator[_Decided]:
        yield _judge(targets, fits, test, np.ones((1, len(test))), constraints)
        for fitting, weights in zip(fitted_on, scored_on, strict=True):
            refitted = fit_replicates(targets, validation, fitting, options, whole)
            yield _judge(targets, refitted, test, weights, constraints)

    probabilities = calibration.apply(targets, test.logits)
    return _score(targets, test, probabilities, priors, decided(), evaluate.top_k, constraints)


def priors_of(targets: Targets, class_weights: Mapping[str, Mapping[str, list[int]]]) -> list[Floats]:
    """Each target's class shares in training, from the content of class_weights.json."""
    return [training_prior(class_weights[target.name]["counts"]) for target in targets]


def _judge(
    targets: Targets, fits: list[Fit], part: Predictions, weights: Floats, constraints: list[Constraint]
) -> _Decided:
    together, alone = decide(targets, fits, part.logits, constraints)
    ranks = [
        np.zeros(weights.shape, np.intp)
        if fit.target.kind == "binary"
        else fit.true_ranks(part.logits[:, columns], np.maximum(part.labels[:, index], 0))
        for index, (fit, columns) in enumerate(zip(fits, targets.slices, strict=True))
    ]
    return _Decided(weights, together, alone, ranks)


def _score(
    targets: Targets,
    part: Predictions,
    probabilities: list[Floats],
    priors: list[Floats],
    decided: Iterator[_Decided],
    top_k: int,
    constraints: list[Constraint],
) -> list[Scored]:
    tied = connected(constraints)
    first: _Decided | None = None
    chunks: list[list[tuple[Figures, Figures]]] = [[] for _ in targets]
    for judged in decided:
        first = first or judged
        for index in range(len(targets)):
            chunks[index].append(_figures(targets, index, part, judged, priors[index], top_k, index in tied))
    assert first is not None

    scored = []
    for index, (target, columns) in enumerate(zip(targets, targets.slices, strict=True)):
        known = part.labels[:, index] >= 0
        scores = activate(target, part.logits[known][:, columns])
        figures, classes = ([chunk[which] for chunk in chunks[index]] for which in (0, 1))
        sample = {name: values[0] for name, values in classes[0].items()}
        sample["average_precision"] = class_average_precision(part.labels[known, index], scores)
        scored.append(
            Scored(
                target,
                part.labels[:, index],
                part.group,
                priors[index],
                probabilities[index],
                first.together[index][0],
                first.alone[index][0],
                {name: np.concatenate([chunk[name] for chunk in figures]) for name in figures[0]},
                {**sample, "f1": np.concatenate([chunk["f1"] for chunk in classes])},
            )
        )
    return scored


def _figures(
    targets: Targets, index: int, part: Predictions, judged: _Decided, prior: Floats, top_k: int, tied: bool
) -> tuple[Figures, Figures]:
    """A target's figures, each (replicates,), and those of its classes, each (replicates, n_classes)."""
    target, known = targets[index], part.labels[:, index] >= 0
    labels, weights = part.labels[known, index], judged.weights[:, known]
    classes = class_metrics(labels, judged.together[index][:, known], weights, target.n_classes)
    scores = activate(target, part.logits[known][:, targets.slices[index]])
    figures = over_classes(classes) | ranking_metrics(labels, scores, weights)
    trivial = trivial_metrics(labels, weights, prior)
    if target.n_classes > top_k:
        name = f"top_{top_k}_accuracy"
        figures[name] = top_k_accuracy(judged.ranks[index][:, known], weights, top_k)
        trivial[name] = top_k_accuracy(trivial_ranks(labels, prior)[None], weights, top_k)
    if tied:
        alone = class_metrics(labels, judged.alone[index][:, known], weights, target.n_classes)
        figures["independent_accuracy"] = over_classes(alone)["accuracy"]
        figures["consistency_gain"] = figures["accuracy"] - figures["independent_accuracy"]
    figures["gain"] = figures["f1"] - trivial["f1"]
    return figures | {f"baseline_{name}": values for name, values in trivial.items()}, classes
