"""Is one experiment better than another? Both on the same validation images, the difference resampled by groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from lacuna.calibration.cross_fit import CrossFit, cross_fit
from lacuna.calibration.model import Calibration
from lacuna.calibration.population import Bootstrap, Population, whole_sample
from lacuna.calibration.prevalence import estimate_population
from lacuna.config.blocks import Calibrate, Evaluate
from lacuna.core.predictions import Predictions
from lacuna.core.relations import Relations
from lacuna.core.scores import SMALLEST_PROBABILITY, Floats, log_loss
from lacuna.core.targets import Targets
from lacuna.errors import LacunaError
from lacuna.evaluation.baselines.trivial import training_prior
from lacuna.evaluation.scoring import Scored, score_finished, score_validation
from lacuna.io.plurals import number_of
from lacuna.io.text_table import align
from lacuna.stats.bootstrap import interval
from lacuna.stats.numbers import signed_interval

MACRO = "macro"
"""What the row of means over targets is called in tables."""

COMPARED = ("f1", "average_precision", "log_loss")
"""The metrics that `compare` compares."""

RANKING = ("average_precision", "roc_auc")
"""The metrics of the network's own scores, without a threshold."""


@dataclass(frozen=True)
class Replicates:
    """The metrics of each target, by name, and their means over targets, `macro`.

    Each metric (1 + evaluate.bootstrap,), first that of the sample itself, then of its bootstrap replicates; NaN where
    undefined.
    """

    targets: Mapping[str, Mapping[str, Floats]]
    macro: Mapping[str, Floats]


@dataclass(frozen=True)
class MetricDifference:
    """One metric of one target, or its mean over targets (None), in both experiments.

    `low` to `high` is the interval of b - a.
    """

    target: str | None
    metric: str
    a: float
    b: float
    low: float
    high: float

    @property
    def better(self) -> str:
        """`a` or `b`, or "" when the interval holds 0. Of log loss less is better, of the other metrics more."""
        if self.low <= 0 <= self.high:
            return ""
        return "b" if (self.low > 0) != (self.metric == "log_loss") else "a"


@dataclass(frozen=True)
class ExperimentComparison:
    """The differences, on how many common images, and how many cells their labels contradict each other in."""

    differences: list[MetricDifference]
    n_images: int
    n_contradictions: int


def compare(
    targets: Targets,
    a: Predictions,
    b: Predictions,
    options_a: Calibrate,
    options_b: Calibrate,
    evaluate: Evaluate,
    relations_a: Relations = (),
    relations_b: Relations = (),
) -> ExperimentComparison:
    """Compare two experiments' validation predictions on the images that both validated on.

    Both are calibrated by cross-fitting, each with its own rules and relations, in the same folds and replicates. Cells
    known to one only, or labelled differently, count as unknown. Groups are those of `a`. The class shares of the
    population are those that the experiment with less log loss tells: they are the images', whichever model is asked.
    A metric that is undefined is left out. Raises LacunaError when they have no validation image in common.
    """
    a, b, n_contradictions = align_images(a, b)
    folds = options_b.model_copy(update={"folds": options_a.folds, "seed": options_a.seed})
    fitted = cross_fit(targets, a, options_a), cross_fit(targets, b, folds)
    population = estimate_population(min(fitted, key=_mean_log_loss), evaluate, correcting_only=True)
    replicates_a, replicates_b = (
        metric_replicates(targets, predictions, options, evaluate, relations, population)
        for predictions, options, relations in ((a, options_a, relations_a), (b, folds, relations_b))
    )
    return ExperimentComparison(differences(replicates_a, replicates_b, evaluate.confidence), len(a), n_contradictions)


def differences(
    a: Replicates, b: Replicates, confidence: float, metrics: Sequence[str] = COMPARED
) -> list[MetricDifference]:
    """What b has more than a, in each of the metrics of each target and then in their macro means, if it is defined.

    Both are of the same images in the same replicates (`metric_replicates`).
    """
    pairs: list[tuple[str | None, Mapping[str, Floats], Mapping[str, Floats]]] = [
        *((name, a.targets[name], b.targets[name]) for name in a.targets),
        (None, a.macro, b.macro),
    ]
    found = []
    for target, of_a, of_b in pairs:
        for metric in metrics:
            before, after = of_a[metric], of_b[metric]
            ends = interval((after - before)[1:], confidence)
            if ends is not None and not np.isnan(before[0] + after[0]):
                found.append(MetricDifference(target, metric, float(before[0]), float(after[0]), *ends))
    return found


def metric_replicates(
    targets: Targets,
    predictions: Predictions,
    options: Calibrate,
    evaluate: Evaluate,
    relations: Relations,
    population: Population | None,
) -> Replicates:
    """Calibrate validation predictions by cross-fitting and score them, in the sample and its bootstrap replicates.

    population: of validation, the same for all models that are compared: it is the images', not the model's.
    """
    priors = [training_prior([1] * target.n_classes) for target in targets]  # no baseline is asked for
    scored = score_validation(targets, predictions, priors, options, evaluate, relations, population)
    return _replicates(scored, Bootstrap.of(targets, predictions, evaluate, population, evaluate.seed))


def finished_replicates(
    targets: Targets, predictions: Predictions, calibration: Calibration, evaluate: Evaluate
) -> Replicates:
    """As `metric_replicates`, of a model with the calibration it came with, on images that it was not fitted on."""
    scored = score_finished(targets, predictions, calibration, evaluate)
    return _replicates(scored, Bootstrap.of(targets, predictions, evaluate, None, evaluate.seed))


def _replicates(scored: Sequence[Scored], drawn: Bootstrap) -> Replicates:
    samples = {
        of_target.target.name: {
            **{metric: of_target.metrics[metric] for metric in ("f1", *RANKING)},
            "log_loss": log_losses,
        }
        for of_target, log_losses in zip(scored, _log_losses(scored, drawn), strict=True)
    }
    macro = {}
    with np.errstate(invalid="ignore"):
        for metric in ("f1", *RANKING, "log_loss"):
            stacked = np.stack([of_target[metric] for of_target in samples.values()])
            macro[metric] = np.nansum(stacked, axis=0) / (~np.isnan(stacked)).sum(axis=0)
    return Replicates(samples, macro)


def comparison_table(
    comparison: ExperimentComparison, name_a: str, name_b: str, images: str = "validation image"
) -> str:
    """The comparison as lines of text: a row per target and metric, and which experiment is better, if that shows."""
    names = {"a": name_a, "b": name_b, "": "no difference shown"}
    rows = [("target", "metric", name_a, name_b, "difference", "interval", "better")]
    rows += [
        (
            MACRO if d.target is None else d.target,
            d.metric.replace("_", " "),
            f"{d.a:.3f}",
            f"{d.b:.3f}",
            f"{d.b - d.a:+.3f}",
            signed_interval(d.low, d.high),
            names[d.better],
        )
        for d in comparison.differences
    ]
    lines = [align(rows, left=(0, 1, -1))]
    lines.append(f"{number_of(comparison.n_images, images)} in common")
    if comparison.n_contradictions:
        lines.append(f"{number_of(comparison.n_contradictions, 'cell')} with different labels left out")
    return "\n".join(lines)


def targets_in_common(a: Targets, b: Targets) -> tuple[Targets, list[str]]:
    """The targets that both predict, in the order of `a`, and in words those left out: in one only, or other classes.

    Raises LacunaError when none is left.
    """
    both = [target for target in a if target in b.items]
    left_out = [name for name in dict.fromkeys((*a.names, *b.names)) if name not in {target.name for target in both}]
    if not both:
        raise LacunaError(
            f"the experiments have no target in common: one predicts {_describe(a)}, the other {_describe(b)}; "
            "expected at least one with the same name and classes"
        )
    reasons = [
        f"{name} ({'other classes' if name in a.names and name in b.names else 'in one experiment only'})"
        for name in left_out
    ]
    return Targets(tuple(both)), reasons


def of_targets(predictions: Predictions, targets: Targets, chosen: Targets) -> Predictions:
    """The predictions of `targets`, cut down to the columns of the `chosen` ones, in their order."""
    indices = [targets.names.index(name) for name in chosen.names]
    columns = np.concatenate([np.arange(targets.n_logits)[targets.slices[index]] for index in indices])
    return replace(predictions, logits=predictions.logits[:, columns], labels=predictions.labels[:, indices])


def _describe(targets: Targets) -> str:
    return ", ".join(f"{target.name} ({len(target.classes)} classes)" for target in targets)


def align_images(a: Predictions, b: Predictions, part: str = "validation") -> tuple[Predictions, Predictions, int]:
    """Both on the images that both have, with the labels and groups of `a`, and how many cells contradict each other:
    these, and those known to one only, are unknown. Raises LacunaError when they have no image of the part in common.
    """
    names, rows_a, rows_b = np.intersect1d(a.image, b.image, return_indices=True)
    if len(names) == 0:
        raise LacunaError(
            f"the experiments have no {part} image in common; compare experiments on the same data and split"
        )
    a, b = a.take(rows_a), b.take(rows_b)
    n_contradictions = int(((a.labels != b.labels) & (a.labels >= 0) & (b.labels >= 0)).sum())
    labels = np.where(a.labels == b.labels, a.labels, -1).astype(np.int16)
    return (
        replace(a, labels=labels),
        replace(a, labels=labels, logits=b.logits),
        n_contradictions,
    )


def _mean_log_loss(fitted: CrossFit) -> float:
    """Over the targets with a known label; 0 without any."""
    pairs = zip(fitted.validation.labels.T, fitted.probabilities(), strict=True)
    losses = [log_loss(labels, probabilities) for labels, probabilities in pairs if (labels >= 0).any()]
    return float(np.mean(losses)) if losses else 0.0


def _log_losses(scored: Sequence[Scored], drawn: Bootstrap) -> list[Floats]:
    """The log loss of each target in each replicate, NaN where no label is known."""
    losses = []
    for of_target in scored:
        true = np.maximum(of_target.labels, 0)[:, None].astype(np.intp)
        chances = np.take_along_axis(of_target.probabilities, true, axis=1)[:, 0]
        losses.append(-np.log(np.maximum(chances, SMALLEST_PROBABILITY)))
    everything: slice | NDArray[np.intp] = slice(None)
    sample = whole_sample(drawn.targets, drawn.part, drawn.population)
    replicates = (  # one chunk at a time: the weights of all would fill the memory
        (everything if block.rows is None else block.rows, resample)
        for block in drawn.blocks()
        for resample in block.replicates
    )
    found: list[list[Floats]] = [[] for _ in scored]
    with np.errstate(invalid="ignore"):
        for rows, resample in chain([(everything, sample)], replicates):
            for index, (chunks, of_target) in enumerate(zip(found, scored, strict=True)):
                labels = of_target.labels[rows]
                counted = resample.of_known(index, labels)
                chunks.append(counted @ losses[index][rows][labels >= 0] / counted.sum(axis=1))
    return [drawn.pool(np.concatenate(chunks), 0.0) for chunks in found]
