"""Scoring predictions: on validation with a calibration that never saw the image, on test with the one that is shipped.

Every metric has the best trivial predictor beside it, and an interval by bootstrap over groups in which calibration and
thresholds are fitted anew in each replicate. Rankings (average precision, ROC-AUC) look at the network's own scores;
calibration does not change the order of a binary target's images.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.calibration.consistency import Constraint, connected, constraints_of
from lacuna.calibration.cross_fit import CrossFit, cross_fit
from lacuna.calibration.fit import chunk_size, fit_replicates
from lacuna.calibration.model import Calibration, Fit, decide
from lacuna.config.blocks import Calibrate, Evaluate
from lacuna.core.predictions import Predictions
from lacuna.core.relations import Relations
from lacuna.core.scores import Floats, Labels, activate, ranking_metrics
from lacuna.core.targets import Target, Targets
from lacuna.evaluation.baselines.trivial import training_prior, trivial_metrics, trivial_ranks
from lacuna.evaluation.metrics import class_average_precision, class_metrics, over_classes, top_k_accuracy
from lacuna.stats.bootstrap import group_weights


@dataclass(frozen=True)
class Scored:
    """One target on one part: what is known (n,), what was predicted, and the metrics of every replicate.

    labels (n,), -1 = unknown; group (n,). The prior (n_classes,) holds the shares of the classes in training.
    probabilities (n, n_classes); decisions (n,) are class indices, `alone` (n,) those that this target would take
    without regard to the others. `metrics` (replicates,), the first replicate being the sample itself, hold those of
    `evaluation.metrics.TARGET_METRICS` that replicates have and, as baseline_NAME, the best trivial predictor's.
    `classes` has f1 of each class in each replicate (replicates, n_classes), and of the sample itself actual,
    predicted, precision, recall and average_precision (n_classes,).
    """

    target: Target
    labels: Labels
    group: NDArray[np.int64]
    prior: Floats
    probabilities: Floats
    decisions: Labels
    alone: Labels
    metrics: dict[str, Floats]
    classes: dict[str, Floats]


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
    sample = cross_fit(targets, validation, options)
    size = chunk_size(targets, len(validation))
    resampled = group_weights(validation.group, evaluate.bootstrap, evaluate.seed, size)

    def decide_by(fitted: CrossFit) -> _Decided:
        quantities = fitted.apply(lambda fits, part: _decide_and_rank(targets, fits, part, constraints))
        return _Decided(fitted.weights, *quantities)

    def decided() -> Iterator[_Decided]:
        yield decide_by(sample)
        for weights in resampled:
            yield decide_by(sample.refit(weights))

    return _score(targets, validation, sample.probabilities(), priors, decided(), evaluate.top_k, constraints)


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
    fits, constraints = calibration.fits(targets), calibration.constraints(targets)
    size = chunk_size(targets, max(len(validation), len(test)))
    fitted_on = group_weights(validation.group, evaluate.bootstrap, evaluate.seed, size)
    scored_on = group_weights(test.group, evaluate.bootstrap, evaluate.seed + 1, size)

    whole = (fits, np.ones((1, len(validation))))

    def decided() -> Iterator[_Decided]:
        yield _Decided(np.ones((1, len(test))), *_decide_and_rank(targets, fits, test, constraints))
        for fitting, weights in zip(fitted_on, scored_on, strict=True):
            refitted = fit_replicates(targets, validation, fitting, options, whole)
            yield _Decided(weights, *_decide_and_rank(targets, refitted, test, constraints))

    probabilities = calibration.apply(targets, test.logits)
    return _score(targets, test, probabilities, priors, decided(), evaluate.top_k, constraints)


def priors_of(targets: Targets, class_weights: Mapping[str, Mapping[str, list[int]]]) -> list[Floats]:
    """Each target's class shares in training, from the content of class_weights.json."""
    return [training_prior(class_weights[target.name]["counts"]) for target in targets]


def _decide_and_rank(
    targets: Targets, fits: Sequence[Fit], part: Predictions, constraints: Sequence[Constraint]
) -> tuple[Sequence[Labels], Sequence[Labels], Sequence[Labels]]:
    """`together`, `alone` and `ranks` of `_Decided`, by the replicates of `fits`."""
    together, alone = decide(targets, fits, part.logits, constraints)
    ranks = [
        np.zeros(decisions.shape, np.intp)
        if fit.target.kind == "binary"
        else fit.true_ranks(part.logits[:, columns], np.maximum(part.labels[:, index], 0))
        for index, (fit, columns, decisions) in enumerate(zip(fits, targets.slices, alone, strict=True))
    ]
    return together, alone, ranks


def _score(
    targets: Targets,
    part: Predictions,
    probabilities: list[Floats],
    priors: list[Floats],
    decided: Iterator[_Decided],
    top_k: int,
    constraints: Sequence[Constraint],
) -> list[Scored]:
    tied = connected(constraints)
    sample: _Decided | None = None
    chunks: list[list[tuple[dict[str, Floats], dict[str, Floats]]]] = [[] for _ in targets]
    for decisions in decided:
        sample = sample or decisions
        for index in range(len(targets)):
            chunks[index].append(_metrics(targets, index, part, decisions, priors[index], top_k, index in tied))
    assert sample is not None

    scored = []
    for index, (target, columns) in enumerate(zip(targets, targets.slices, strict=True)):
        known = part.labels[:, index] >= 0
        scores = activate(target, part.logits[known][:, columns])
        metrics, classes = ([chunk[which] for chunk in chunks[index]] for which in (0, 1))
        of_sample = {name: values[0] for name, values in classes[0].items()}
        of_sample["average_precision"] = class_average_precision(part.labels[known, index], scores)
        scored.append(
            Scored(
                target,
                part.labels[:, index],
                part.group,
                priors[index],
                probabilities[index],
                sample.together[index][0],
                sample.alone[index][0],
                {name: np.concatenate([chunk[name] for chunk in metrics]) for name in metrics[0]},
                {**of_sample, "f1": np.concatenate([chunk["f1"] for chunk in classes])},
            )
        )
    return scored


def _metrics(
    targets: Targets, index: int, part: Predictions, decided: _Decided, prior: Floats, top_k: int, tied: bool
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """A target's metrics, each (replicates,), and those of its classes, each (replicates, n_classes)."""
    target, known = targets[index], part.labels[:, index] >= 0
    labels, weights = part.labels[known, index], decided.weights[:, known]
    classes = class_metrics(labels, decided.together[index][:, known], weights, target.n_classes)
    scores = activate(target, part.logits[known][:, targets.slices[index]])
    metrics = over_classes(classes) | ranking_metrics(labels, scores, weights)
    trivial = trivial_metrics(labels, weights, prior)
    if target.n_classes > top_k:
        name = f"top_{top_k}_accuracy"
        metrics[name] = top_k_accuracy(decided.ranks[index][:, known], weights, top_k)
        trivial[name] = top_k_accuracy(trivial_ranks(labels, prior)[None], weights, top_k)
    if tied:
        alone = class_metrics(labels, decided.alone[index][:, known], weights, target.n_classes)
        metrics["independent_accuracy"] = over_classes(alone)["accuracy"]
        metrics["consistency_gain"] = metrics["accuracy"] - metrics["independent_accuracy"]
    metrics["gain"] = metrics["f1"] - trivial["f1"]
    return metrics | {f"baseline_{name}": values for name, values in trivial.items()}, classes
