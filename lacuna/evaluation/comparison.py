"""Is one experiment better than another? Both on the same validation images, the difference resampled by groups."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lacuna.calibration.fit import chunk_size
from lacuna.config.blocks import Calibrate, Evaluate
from lacuna.core.predictions import Predictions
from lacuna.core.relations import Relations
from lacuna.core.scores import SMALLEST_PROBABILITY, Floats
from lacuna.core.targets import Targets
from lacuna.errors import LacunaError
from lacuna.evaluation.baselines.trivial import training_prior
from lacuna.evaluation.scoring import score_validation
from lacuna.io.text_table import align
from lacuna.stats.bootstrap import group_weights, interval

MACRO = "macro"
"""The name of the row of means over targets."""

FIGURES = ("f1", "average_precision", "log_loss")
"""What `compare` compares."""

RANKING = ("average_precision", "roc_auc")
"""Figures of the network's own scores, without a threshold."""

Replicates = dict[str, dict[str, Floats]]
"""Per target, and for the macro mean, each figure's replicates (1 + evaluate.bootstrap,), first the sample itself."""


@dataclass(frozen=True)
class Difference:
    """One figure of one target in both experiments; `low` to `high` is the interval of b - a."""

    target: str
    figure: str
    a: float
    b: float
    low: float
    high: float

    @property
    def better(self) -> str:
        """`a` or `b`, or "" when the interval holds 0. Of log loss less is better, of the other figures more."""
        if self.low <= 0 <= self.high:
            return ""
        return "b" if (self.low > 0) != (self.figure == "log_loss") else "a"


@dataclass(frozen=True)
class Comparison:
    """The differences, on how many common images, and how many cells their labels contradict each other in."""

    differences: list[Difference]
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
) -> Comparison:
    """Compare two experiments' validation predictions on the images that both validated on.

    Both are calibrated by cross-fitting, each with its own rules and relations, in the same folds and replicates. Cells
    known to one only, or labelled differently, count as unknown. Groups are those of `a`. A figure that is undefined is
    left out. Raises LacunaError when they have no validation image in common.
    """
    a, b, n_contradictions = _align(a, b)
    folds = options_b.model_copy(update={"folds": options_a.folds, "seed": options_a.seed})
    replicates_a, replicates_b = (
        metric_replicates(targets, predictions, options, evaluate, relations)
        for predictions, options, relations in ((a, options_a, relations_a), (b, folds, relations_b))
    )
    return Comparison(differences(replicates_a, replicates_b, evaluate.confidence), len(a), n_contradictions)


def differences(a: Replicates, b: Replicates, confidence: float, figures: Sequence[str] = FIGURES) -> list[Difference]:
    """What b has more than a, in each of the figures of each target and in their macro means, if it is defined.

    Both are of the same images in the same replicates (`metric_replicates`).
    """
    found = []
    for name in a:
        for figure in figures:
            one, other = a[name][figure], b[name][figure]
            ends = interval((other - one)[1:], confidence)
            if ends is not None and not np.isnan(one[0] + other[0]):
                found.append(Difference(name, figure, float(one[0]), float(other[0]), *ends))
    return found


def metric_replicates(
    targets: Targets, predictions: Predictions, options: Calibrate, evaluate: Evaluate, relations: Relations
) -> Replicates:
    """Calibrate validation predictions by cross-fitting and score them, in the sample and its bootstrap replicates."""
    priors = [training_prior([1] * target.n_classes) for target in targets]  # no baseline is asked for
    samples = {}
    for one in score_validation(targets, predictions, priors, options, evaluate, relations):
        known = one.labels >= 0
        chance = np.take_along_axis(one.probabilities[known], one.labels[known, None].astype(np.intp), axis=1)[:, 0]
        losses = -np.log(np.maximum(chance, SMALLEST_PROBABILITY))
        samples[one.target.name] = {name: one.figures[name] for name in ("f1", *RANKING)}
        with np.errstate(invalid="ignore"):
            log_loss = [
                weights[:, known] @ losses / weights[:, known].sum(axis=1)
                for weights in _weights(targets, predictions, evaluate)
            ]
        samples[one.target.name]["log_loss"] = np.concatenate(log_loss)
    with np.errstate(invalid="ignore"):
        samples[MACRO] = {}
        for figure in ("f1", *RANKING, "log_loss"):
            stacked = np.stack([samples[name][figure] for name in targets.names])
            samples[MACRO][figure] = np.nansum(stacked, axis=0) / (~np.isnan(stacked)).sum(axis=0)
    return samples


def comparison_table(comparison: Comparison, name_a: str, name_b: str) -> str:
    """The comparison as lines of text: a row per target and figure, and which experiment is better, if that shows."""
    names = {"a": name_a, "b": name_b, "": "no difference shown"}
    rows = [("target", "figure", name_a, name_b, "difference", "interval", "better")]
    rows += [
        (
            d.target,
            d.figure.replace("_", " "),
            f"{d.a:.3f}",
            f"{d.b:.3f}",
            f"{d.b - d.a:+.3f}",
            f"[{d.low:+.3f}, {d.high:+.3f}]",
            names[d.better],
        )
        for d in comparison.differences
    ]
    lines = [align(rows, left=(0, 1, -1))]
    lines.append(f"{comparison.n_images} validation images in common")
    if comparison.n_contradictions:
        lines.append(f"{comparison.n_contradictions} cells with different labels left out")
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


def _align(a: Predictions, b: Predictions) -> tuple[Predictions, Predictions, int]:
    names, rows_a, rows_b = np.intersect1d(a.image, b.image, return_indices=True)
    if len(names) == 0:
        raise LacunaError(
            "the experiments have no validation image in common; compare experiments on the same data and split"
        )
    a, b = a.take(rows_a), b.take(rows_b)
    n_contradictions = int(((a.labels != b.labels) & (a.labels >= 0) & (b.labels >= 0)).sum())
    labels = np.where(a.labels == b.labels, a.labels, -1).astype(np.int16)
    return (
        Predictions(a.logits, labels, names, a.group),
        Predictions(b.logits, labels, names, a.group),
        n_contradictions,
    )


def _weights(targets: Targets, predictions: Predictions, evaluate: Evaluate) -> Iterator[Floats]:
    yield np.ones((1, len(predictions)))
    size = chunk_size(targets, len(predictions))
    yield from group_weights(predictions.group, evaluate.bootstrap, evaluate.seed, size)
