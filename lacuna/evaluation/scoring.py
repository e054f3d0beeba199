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
from lacuna.calibration.fit import Optimum, fit_all_replicates, scarce_targets
from lacuna.calibration.model import Calibration, Fit
from lacuna.calibration.population import Bootstrap, Population, Resample, whole_sample
from lacuna.calibration.prevalence import fitted_priors
from lacuna.calibration.selection import Selection
from lacuna.config.blocks import Calibrate, Evaluate
from lacuna.core.predictions import Predictions
from lacuna.core.relations import Relations
from lacuna.core.scores import Floats, Labels, activate, ranking_metrics
from lacuna.core.targets import UNKNOWN, Target, Targets
from lacuna.evaluation.baselines.trivial import population_prior, training_prior, trivial_metrics, trivial_ranks
from lacuna.evaluation.decided import Decided
from lacuna.evaluation.metrics import class_average_precision, class_metrics, over_classes, top_k_accuracy
from lacuna.stats.label_shift import Priors, Start

SIGNED = ("gain", "consistency_gain")
"""Metrics from -1 to 1; all others that replicates have are from 0 to 1."""


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
    drawn = Bootstrap.of(targets, validation, evaluate, population, evaluate.seed)
    sample = cross_fit(targets, validation, options, population)

    def decided() -> Iterator[Decided]:
        yield Decided.by_folds(sample, constraints, evaluate.top_k)
        for block in drawn.blocks():
            for refitted in map(sample.within(block).refit, block.replicates):
                yield Decided.by_folds(refitted, constraints, evaluate.top_k)

    shares: list[list[Priors]] = [[] for _ in targets]
    if population:
        shares = [[found.priors] if found.told() else [] for found in population.prevalences]
    probabilities = sample.probabilities()
    return _score(drawn, probabilities, priors, decided(), population, shares, constraints)


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
    fitted_on = Bootstrap.of(targets, validation, evaluate, population, evaluate.seed)
    scarce = scarce_targets(targets, validation, options)
    whole = Optimum(fits, whole_sample(targets, validation, population), scarce)
    replicates = fit_all_replicates(fitted_on, options, whole)
    scored_on = Bootstrap.of(targets, test, evaluate, None, evaluate.seed + 1)
    shares: list[list[Priors]] = [[] for _ in targets]
    by_label, starts = [False for _ in targets], [Start() for _ in targets]
    if population:
        by_label = [found.selection(evaluate.confidence) == Selection.BY_LABEL for found in population.prevalences]

    def decide_by(fits: list[Fit], part: Predictions, resample: Resample) -> Decided:
        for index, columns in enumerate(targets.slices):
            if by_label[index]:
                of_target = fits[index], part.logits[:, columns], part.labels[:, index]
                shares[index].append(fitted_priors(*of_target, resample.weights, starts[index]))
                if population and population.corrected[index]:
                    resample.importance[index] = shares[index][-1].importance()
        return Decided.by_fits(targets, fits, part, resample, constraints, evaluate.top_k)

    def decided() -> Iterator[Decided]:
        yield decide_by(fits, test, whole_sample(targets, test, None))
        blocks = scored_on.blocks() if len(replicates[0].met) > 1 else []  # none where a part is one group
        for block in blocks:
            for resample in block.replicates:
                yield decide_by([fit.rows(resample.numbers) for fit in replicates], block.part, resample)

    probabilities = calibration.apply(targets, test.logits)
    return _score(scored_on, probabilities, priors, decided(), population, shares, constraints)


def score_finished(targets: Targets, part: Predictions, calibration: Calibration, evaluate: Evaluate) -> list[Scored]:
    """Score the labelled images of a part by a calibration that stays what it is: a finished model, as it answers.

    Replicates resample images alone, and the same ones for every model of the same targets, groups and labels.
    """
    fits, constraints = calibration.fits(targets), calibration.constraints(targets)
    drawn = Bootstrap.of(targets, part, evaluate, None, evaluate.seed)

    def decided() -> Iterator[Decided]:
        sample = [(part, whole_sample(targets, part, None))]
        for images, resample in chain(
            sample, ((block.part, one) for block in drawn.blocks() for one in block.replicates)
        ):
            yield Decided.by_fits(targets, fits, images, resample, constraints, evaluate.top_k)

    priors = [training_prior([1] * target.n_classes) for target in targets]  # no baseline is asked for
    probabilities = calibration.apply(targets, part.logits)
    return _score(drawn, probabilities, priors, decided(), None, [[] for _ in targets], constraints)


def priors_of(targets: Targets, class_weights: Mapping[str, Mapping[str, list[int]]]) -> list[Floats]:
    """Each target's class shares in training, from the content of class_weights.json."""
    return [training_prior(class_weights[target.name]["counts"]) for target in targets]


def _score(
    drawn: Bootstrap,
    probabilities: list[Floats],
    priors: list[Floats],
    decided: Iterator[Decided],
    population: Population | None,
    shares: Sequence[Sequence[Priors]],
    constraints: Sequence[Constraint],
) -> list[Scored]:
    """decided: of the sample, then of the blocks of `drawn`. shares: by target, none where they are not told; complete
    once `decided` is read, and of the replicates in the same order unless one for all."""
    targets, part, evaluate = drawn.targets, drawn.part, drawn.evaluate
    tied = connected(constraints)
    sample: Decided | None = None
    chunks: list[list[tuple[dict[str, Floats], dict[str, Floats]]]] = [[] for _ in targets]
    for decisions in decided:
        if sample is None:
            sample = decisions
            priors = [population_prior(*both) for both in zip(priors, sample.resample.first_importance(), strict=True)]
        for index in range(len(targets)):
            chunks[index].append(_metrics(targets, index, decisions, priors[index], evaluate.top_k, index in tied))
    assert sample is not None

    scored = []
    for index, (target, columns) in enumerate(zip(targets, targets.slices, strict=True)):
        known = part.labels[:, index] >= 0
        scores = activate(target, part.logits[known][:, columns])
        metrics, classes = ([chunk[which] for chunk in chunks[index]] for which in (0, 1))
        told = None
        if shares[index]:
            told = shares[index][0] if len(shares[index]) == 1 else Priors.joined(shares[index], drawn.pool)
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
                {
                    name: drawn.pool(values, -1.0 if name in SIGNED else 0.0, 1.0)
                    for name, values in _joined(metrics).items()
                },
                {**of_sample, "f1": drawn.pool(np.concatenate([chunk["f1"] for chunk in classes]), 0.0, 1.0)},
                told,
                told is not None and population is not None and population.corrected[index],
                _selection(population, index, told, part.labels[:, index], evaluate.confidence),
                sample.resample.first_importance()[index],
            )
        )
    return scored


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
    targets: Targets, index: int, decided: Decided, prior: Floats, top_k: int, tied: bool
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """A target's metrics, each (replicates,), and those of its classes, each (replicates, n_classes)."""
    target, part = targets[index], decided.part
    known = part.labels[:, index] >= 0
    labels, weights = part.labels[known, index], decided.resample.of_known(index, part.labels[:, index])
    classes = class_metrics(labels, decided.together[index][:, known], weights, target.n_classes)
    metrics = over_classes(classes)
    trivial = trivial_metrics(classes["actual"], prior)
    if target.n_classes > top_k:
        name = f"top_{top_k}_accuracy"
        metrics[name] = top_k_accuracy(decided.ranks[index][:, known], weights, top_k)
        trivial[name] = top_k_accuracy(trivial_ranks(labels, prior)[None], weights, top_k)
    if tied:
        alone = class_metrics(labels, decided.alone[index][:, known], weights, target.n_classes)
        metrics["independent_accuracy"] = over_classes(alone)["accuracy"]
        metrics["consistency_gain"] = metrics["accuracy"] - metrics["independent_accuracy"]
    metrics["gain"] = metrics["f1"] - trivial["f1"]
    metrics |= ranking_metrics(labels, activate(target, part.logits[known][:, targets.slices[index]]), weights)
    return metrics | {f"baseline_{name}": values for name, values in trivial.items()}, classes


def _joined(chunks: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    """Each metric in the replicates of all chunks."""
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
