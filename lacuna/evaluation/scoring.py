"""Scoring predictions: on validation with a calibration that never saw the image, on test with the one that is shipped.

Every metric has the best trivial predictor beside it, and an interval by bootstrap over groups in which calibration,
thresholds and the class shares of the population are estimated anew in each replicate. Rankings (average precision,
ROC-AUC) look at the network's own scores; calibration does not change the order of a binary target's images.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from lacuna.calibration.consistency import Constraint, connected, constraints_of
from lacuna.calibration.cross_fit import cross_fit
from lacuna.calibration.fit import CHUNK_CELLS, Optimum, chunk_size, fit_replicates
from lacuna.calibration.model import Calibration, Fit, decide
from lacuna.calibration.population import Population, Resample, resamples
from lacuna.calibration.selection import Selection
from lacuna.config.blocks import Calibrate, Evaluate
from lacuna.core.predictions import Predictions
from lacuna.core.relations import Relations
from lacuna.core.scores import Floats, Labels, activate, ranking_metrics
from lacuna.core.targets import UNKNOWN, Target, Targets
from lacuna.evaluation.baselines.trivial import population_prior, training_prior, trivial_metrics, trivial_ranks
from lacuna.evaluation.metrics import class_average_precision, class_metrics, over_classes, top_k_accuracy
from lacuna.stats.bootstrap import group_weights
from lacuna.stats.label_shift import Priors, Start, class_priors


@dataclass(frozen=True)
class Scored:
    """One target on one part: what is known (n,), what was predicted, and the metrics of every replicate.

    labels (n,), -1 = unknown; group (n,). The prior (n_classes,) holds the shares of the classes in training, as
    far as that can be told among all images.
    probabilities (n, n_classes); decisions (n,) are class indices, `alone` (n,) those that this target would take
    without regard to the others. `metrics` (replicates,), the first replicate being the sample itself, hold those of
    `evaluation.metrics.TARGET_METRICS` that replicates have and, as baseline_NAME, the best trivial predictor's.
    `classes` has f1 of each class in each replicate (replicates, n_classes), and of the sample itself actual,
    predicted, precision, recall and average_precision (n_classes,). `shares` are those of the classes in the
    replicates, None where those of all images are not told. `corrected` says whether metrics are of all images,
    `selection` why labels are missing, `importance` (n_classes,) what a labelled image of each class stands for in the
    sample.
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
    shares: Priors | None
    corrected: bool
    selection: Selection
    importance: Floats


@dataclass(frozen=True)
class _Decided:
    """Some replicates, and per target the decisions, those of the target alone, and the rank of the true class, all
    (replicates, n). Ranks of unknown labels mean nothing; those that no metric asks for are all 0."""

    resample: Resample
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
    population: Population | None = None,
) -> list[Scored]:
    """Score the validation part, each image by a calibration fitted without its fold of groups.

    population: whose figures are asked for, None: those of the labelled images. Decisions respect the relations.
    """
    constraints = constraints_of(relations, targets)
    drawn = resamples(targets, validation, evaluate, chunk_size(targets, len(validation)), population)
    sample = cross_fit(targets, validation, options, population)
    next(drawn)  # the sample itself
    top_k = evaluate.top_k

    def decided() -> Iterator[_Decided]:
        for fitted in chain([sample], map(sample.refit, drawn)):
            quantities = fitted.apply(lambda fits, part: _decide_and_rank(targets, fits, part, constraints, top_k))
            yield _Decided(fitted.resample, *quantities)

    shares: list[list[Priors]] = [[] for _ in targets]
    if population:
        shares = [[found.priors] if found.told() else [] for found in population.prevalences]
    probabilities = sample.probabilities()
    return _score(targets, validation, probabilities, priors, decided(), population, shares, evaluate, constraints)


def score_test(
    targets: Targets,
    validation: Predictions,
    test: Predictions,
    calibration: Calibration,
    priors: list[Floats],
    options: Calibrate,
    evaluate: Evaluate,
    population: Population | None = None,
) -> list[Scored]:
    """Score the test part by the calibration fitted on the whole validation part.

    population: validation's. Where labels are missing by their value, the class shares among all test images are
    estimated from the unlabelled ones of test, in each replicate by the calibration that is fitted in it.
    """
    fits, constraints = calibration.fits(targets), calibration.constraints(targets)
    size = chunk_size(targets, max(len(validation), len(test)))
    fitted_on = resamples(targets, validation, evaluate, size, population)
    whole = Optimum(fits, next(fitted_on))
    scored_on = group_weights(test.group, evaluate.bootstrap, evaluate.seed + 1, size)
    shares: list[list[Priors]] = [[] for _ in targets]
    by_label, starts = [False for _ in targets], [Start() for _ in targets]
    if population:
        by_label = [found.selection(evaluate.confidence) == Selection.BY_LABEL for found in population.prevalences]

    def decide_by(fits: list[Fit], weights: Floats) -> _Decided:
        resample = Resample.of_labelled(targets, weights)
        for index, columns in enumerate(targets.slices):
            if by_label[index]:
                chances = fits[index].probabilities(test.logits[:, columns])
                shares[index].append(class_priors(chances, test.labels[:, index], weights, start=starts[index]))
                if population and population.corrected[index]:
                    resample.importance[index] = shares[index][-1].importance()
        return _Decided(resample, *_decide_and_rank(targets, fits, test, constraints, evaluate.top_k))

    def decided() -> Iterator[_Decided]:
        yield decide_by(fits, np.ones((1, len(test))))
        for fitting, weights in zip(fitted_on, scored_on, strict=False):  # none where a part is one group
            yield decide_by(fit_replicates(targets, validation, fitting, options, whole), weights)

    probabilities = calibration.apply(targets, test.logits)
    return _score(targets, test, probabilities, priors, decided(), population, shares, evaluate, constraints)


def priors_of(targets: Targets, class_weights: Mapping[str, Mapping[str, list[int]]]) -> list[Floats]:
    """Each target's class shares in training, from the content of class_weights.json."""
    return [training_prior(class_weights[target.name]["counts"]) for target in targets]


def _decide_and_rank(
    targets: Targets, fits: Sequence[Fit], part: Predictions, constraints: Sequence[Constraint], top_k: int
) -> tuple[Sequence[Labels], Sequence[Labels], Sequence[Labels]]:
    """`together`, `alone` and `ranks` of `_Decided`, by the replicates of `fits`."""
    together, alone = decide(targets, fits, part.logits, constraints)
    ranks = [
        np.zeros(decisions.shape, np.int16)
        if fit.target.n_classes <= top_k
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
    population: Population | None,
    shares: Sequence[Sequence[Priors]],
    evaluate: Evaluate,
    constraints: Sequence[Constraint],
) -> list[Scored]:
    """shares: by target, none where they are not told; complete once `decided` is read."""
    tied = connected(constraints)
    sample: _Decided | None = None
    chunks: list[list[tuple[dict[str, Floats], dict[str, Floats]]]] = [[] for _ in targets]
    rankings = [_Rankings(targets, index, part) for index in range(len(targets))]
    for decisions in decided:
        if sample is None:
            sample = decisions
            priors = [population_prior(*both) for both in zip(priors, sample.resample.first_importance(), strict=True)]
        for index in range(len(targets)):
            chunks[index].append(
                _metrics(targets, index, part, decisions, priors[index], evaluate.top_k, index in tied)
            )
            rankings[index].add(decisions.resample)
    assert sample is not None

    scored = []
    for index, (target, columns) in enumerate(zip(targets, targets.slices, strict=True)):
        known = part.labels[:, index] >= 0
        scores = activate(target, part.logits[known][:, columns])
        metrics, classes = ([chunk[which] for chunk in chunks[index]] for which in (0, 1))
        told = Priors.joined(shares[index]) if shares[index] else None
        if told is not None and not np.isfinite(told.every[0]).all():
            told = None
        of_sample = {name: values[0] for name, values in classes[0].items()}
        of_sample["average_precision"] = class_average_precision(
            part.labels[known, index], scores, sample.resample.of_known(index, part.labels[:, index])
        )
        scored.append(
            Scored(
                target,
                part.labels[:, index],
                part.group,
                priors[index],
                probabilities[index],
                sample.together[index][0],
                sample.alone[index][0],
                {name: np.concatenate([chunk[name] for chunk in metrics]) for name in metrics[0]}
                | rankings[index].finish(),
                {**of_sample, "f1": np.concatenate([chunk["f1"] for chunk in classes])},
                told,
                told is not None and population is not None and population.corrected[index],
                _selection(population, index, told, part.labels[:, index], evaluate.confidence),
                sample.resample.first_importance()[index],
            )
        )
    return scored


class _Rankings:
    """The ranking metrics of a target in all replicates, of as many at a time as memory allows.

    They need no decisions, which come a few replicates at a time where classes are many, and are cheapest together:
    images are sorted once for each class and batch of replicates.
    """

    def __init__(self, targets: Targets, index: int, part: Predictions) -> None:
        known = part.labels[:, index] >= 0
        self._index, self._part_labels, self._labels = index, part.labels[:, index], part.labels[known, index]
        self._scores = activate(targets[index], part.logits[known][:, targets.slices[index]])
        self._waiting: list[Floats] = []
        self._done: list[dict[str, Floats]] = []

    def add(self, resample: Resample) -> None:
        self._waiting.append(resample.of_known(self._index, self._part_labels))
        if sum(map(len, self._waiting)) * len(self._labels) >= CHUNK_CELLS:
            self._rank()

    def finish(self) -> dict[str, Floats]:
        """The metrics, each (replicates,), in the order in which replicates were added."""
        if self._waiting:
            self._rank()
        return {name: np.concatenate([chunk[name] for chunk in self._done]) for name in self._done[0]}

    def _rank(self) -> None:
        self._done.append(ranking_metrics(self._labels, self._scores, np.concatenate(self._waiting)))
        self._waiting = []


def _selection(
    population: Population | None, index: int, told: Priors | None, labels: Labels, confidence: float
) -> Selection:
    """Why labels of a part are missing, which is tested on validation, as far as this part's labels tell it."""
    if not (labels == UNKNOWN).any():
        return Selection.NONE_MISSING
    found = population.prevalences[index].selection(confidence) if population else Selection.NOT_TOLD
    untold = found == Selection.NONE_MISSING or (found == Selection.BY_LABEL and told is None)
    return Selection.NOT_TOLD if untold else found


def _metrics(
    targets: Targets, index: int, part: Predictions, decided: _Decided, prior: Floats, top_k: int, tied: bool
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """A target's metrics, each (replicates,), and those of its classes, each (replicates, n_classes)."""
    target, known = targets[index], part.labels[:, index] >= 0
    labels, weights = part.labels[known, index], decided.resample.of_known(index, part.labels[:, index])
    classes = class_metrics(labels, decided.together[index][:, known], weights, target.n_classes)
    metrics = over_classes(classes)
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
