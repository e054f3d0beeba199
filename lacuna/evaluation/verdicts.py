"""What the metrics say: the content of a metrics file, a verdict for each target, a table for people.

The words of the verdicts stand here and nowhere else.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.calibration.population import prevalence_metrics
from lacuna.calibration.selection import describe_selection
from lacuna.core.groups import distinct
from lacuna.core.scores import Floats, Labels
from lacuna.core.targets import UNKNOWN
from lacuna.evaluation.baselines.trivial import trivial_probabilities
from lacuna.evaluation.intervals import with_interval
from lacuna.evaluation.metrics import TARGET_METRICS, row_of
from lacuna.evaluation.scoring import Scored
from lacuna.io.text_table import align
from lacuna.stats.numbers import percent, rounded

LEARNED = "learned"
SIGNAL_ONLY = "signal, no F1 gain shown"
NO_SIGNAL = "no signal shown"
TOO_FEW = "too few of the rarer class"

IN_MACRO = ("f1", "average_precision", "roc_auc", "accuracy")
"""The metrics whose mean over targets the block `macro` holds, and beside it that of the best trivial predictor.
`gain`, those of categorical targets alone, and those of probabilities come in addition."""

PROPER_SCORES = ("log_loss", "brier")
"""The metrics of probabilities that have a trivial predictor: the shares of training for every image."""


def summarise(
    scored: Sequence[Scored], thresholds: Mapping[str, float | None], confidence: float, min_positives: int
) -> dict[str, Any]:
    """The content of a metrics file: blocks `macro` and `targets`, the latter by target.

    A metric that is undefined, or an interval of one, is left out.
    """
    targets = {of_target.target.name: _summarise(of_target, confidence, min_positives) for of_target in scored}
    for name, threshold in thresholds.items():
        if threshold is not None:
            targets[name]["threshold"] = rounded(threshold)
    return {"macro": _macro(scored, targets, confidence), "targets": targets}


def conclude(metrics: dict[str, Any]) -> str:
    """One sentence on which targets were learned.

    >>> conclude({"targets": {"red": {"verdict": "learned"}, "old": {"verdict": "no signal shown"}}})
    '1 of 2 targets beats its best trivial baseline; not old (no signal shown)'
    """
    verdicts = {name: found["verdict"] for name, found in metrics["targets"].items()}
    others = [f"{name} ({verdict})" for name, verdict in verdicts.items() if verdict != LEARNED]
    learned = len(verdicts) - len(others)
    if all(verdict == NO_SIGNAL for verdict in verdicts.values()):
        return "No target beats its best trivial baseline: the images show no signal for these labels"
    if not learned:
        return f"No target beats its best trivial baseline: {', '.join(others)}"
    if not others:
        return "Every target beats its best trivial baseline"
    beats = "beats its" if learned == 1 else "beat their"
    return f"{learned} of {len(verdicts)} targets {beats} best trivial baseline; not {', '.join(others)}"


def describe_missing(metrics: Mapping[str, Any]) -> list[str]:
    """A sentence for each target whose labels are missing for a reason that figures depend on."""
    sentences = [describe_selection(name, found) for name, found in metrics["targets"].items()]
    return [f"{sentence}." for sentence in sentences if sentence]


def table(metrics: dict[str, Any]) -> str:
    """The metrics as lines of text: a row per target, in percent with intervals in brackets."""
    header = ("target", "known", "precision", "recall", "F1", "baseline", "avg. prec.", "baseline", "verdict")
    shown = ("precision", "recall", "f1", "baseline_f1", "average_precision", "baseline_average_precision")
    rows = [
        (name, str(found["n_known"]), *(percent(found, metric) for metric in shown), found["verdict"])
        for name, found in metrics["targets"].items()
    ]
    return align([header, *rows], left=(0, -1))


def _macro(scored: Sequence[Scored], targets: Mapping[str, dict[str, Any]], confidence: float) -> dict[str, Any]:
    """Means over the targets that have the metric, with intervals from the same replicates where there are some."""
    macro: dict[str, Any] = {}
    top_k = sorted({name for of_target in scored for name in of_target.metrics if name.startswith("top_")})
    for name in (*IN_MACRO, "gain", "weighted_f1", *top_k):
        having = [of_target.metrics[name] for of_target in scored if name in _names(of_target)]
        if not having:
            continue
        stacked = np.stack(having)
        if not np.isnan(stacked[:, 0]).all():
            counts = (~np.isnan(stacked)).sum(axis=0)
            with np.errstate(invalid="ignore"):
                macro |= with_interval(name, np.nansum(stacked, axis=0) / counts, confidence)
    baselines = [f"baseline_{name}" for name in (*IN_MACRO, "weighted_f1", *top_k, *PROPER_SCORES)]
    for name in ("ece", "classwise_ece", *PROPER_SCORES, *baselines):
        values = [found[name] for found in targets.values() if name in found]
        if values:
            macro[name] = rounded(float(np.mean(values)))
    return macro


def _summarise(scored: Scored, confidence: float, min_positives: int) -> dict[str, Any]:
    known = scored.labels >= 0
    result: dict[str, Any] = {
        "kind": scored.target.kind,
        "n_known": int(known.sum()),
        "n_unknown": int((scored.labels == UNKNOWN).sum()),
    }
    result |= {"selection": scored.selection, "population": "all" if scored.corrected else "labelled"}
    if scored.shares is not None:
        result |= prevalence_metrics(scored.target, scored.shares, confidence)
    if scored.target.kind == "binary":
        result["n_positive"] = int((scored.labels == 1).sum())
    trials = _trials(scored)
    for name in _names(scored):
        counted = row_of(name).trials
        result |= with_interval(name, scored.metrics[name], confidence, trials[counted] if counted else ())
    if known.any():
        result |= _probability_metrics(scored)
    for name, values in scored.metrics.items():
        if name.startswith("baseline_") and not np.isnan(values[0]):
            result[name] = rounded(values[0])
    if result.get("f1") == 1 and "gain_low" in result:  # the bootstrap of a perfect F1 sees no error
        result["gain_low"] = min(result["gain_low"], rounded(result["f1_low"] - result["baseline_f1"]))
    result["verdict"] = _verdict(scored, result, min_positives)
    return result


def _names(scored: Scored) -> list[str]:
    """The metrics of a target that have an interval."""
    names = [name for name in scored.metrics if not name.startswith("baseline_")]
    return [name for name in names if scored.target.kind == "categorical" or not row_of(name).categorical_only]


def _probability_metrics(scored: Scored) -> dict[str, Any]:
    known = scored.labels >= 0
    labels, probabilities = scored.labels[known], scored.probabilities[known]
    shares = trivial_probabilities(len(labels), scored.prior)
    found = _of_probabilities(labels, probabilities, scored.importance, categorical_only=False)
    trivial = _of_probabilities(labels, shares, scored.importance, categorical_only=False)
    found |= {f"baseline_{name}": trivial[name] for name in PROPER_SCORES}
    if scored.target.kind == "categorical":
        found |= _of_probabilities(labels, probabilities, scored.importance, categorical_only=True)
    return found


def _of_probabilities(
    labels: Labels, probabilities: Floats, importance: Floats, *, categorical_only: bool
) -> dict[str, float]:
    found = {
        name: metric.of_probabilities(labels, probabilities, importance)
        for name, metric in TARGET_METRICS.items()
        if metric.of_probabilities and metric.categorical_only == categorical_only
    }
    return {name: rounded(value) for name, value in found.items() if value is not None}


def _verdict(scored: Scored, result: dict[str, Any], min_positives: int) -> str:
    """What a target's metrics entitle to say; docs/reading-the-result.md explains it."""
    groups = [_n_groups(scored, scored.labels == index) for index in range(scored.target.n_classes)]
    if sum(groups) - max(groups) < min_positives or "gain_low" not in result:
        return TOO_FEW
    if result["gain_low"] > 0:
        return LEARNED
    return SIGNAL_ONLY if result.get("roc_auc_low", 0) > 0.5 else NO_SIGNAL


def _trials(scored: Scored) -> dict[str, list[int]]:
    """Per kind of trial (see `Metric.trials`) the number of groups, of each class where the metric is one of classes.

    Of a binary target "present" alone is counted. A perfect ranking has as many independent pairs of a member and
    another image as there are groups of the rarer side.
    """
    known = scored.labels >= 0
    classes = [1] if scored.target.kind == "binary" else range(scored.target.n_classes)
    actual = [_n_groups(scored, scored.labels == index) for index in classes]
    others = [_n_groups(scored, known & (scored.labels != index)) for index in classes]
    return {
        "known": [_n_groups(scored, known)],
        "actual": actual,
        "predicted": [_n_groups(scored, known & (scored.decisions == index)) for index in classes],
        "pairs": [min(members, rest) for members, rest in zip(actual, others, strict=True)],
    }


def _n_groups(scored: Scored, chosen: NDArray[np.bool_]) -> int:
    return len(distinct(scored.group[chosen]))
