"""What the figures say: numbers with intervals for the metrics files, a verdict per target, a table for people."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lacuna.calibration.reliability import brier, classwise_ece, ece
from lacuna.core.scores import Floats, log_loss
from lacuna.evaluation.baselines.trivial import trivial_probabilities
from lacuna.evaluation.scoring import Scored
from lacuna.io.text_table import align
from lacuna.presentation.numbers import percent
from lacuna.stats.bootstrap import interval
from lacuna.stats.intervals import exact_bound

LEARNED = "learned"
SIGNAL_ONLY = "signal, no F1 gain shown"
NO_SIGNAL = "no signal shown"
TOO_FEW = "too few labels"

CATEGORICAL_ONLY = ("weighted_f1", "independent_accuracy", "consistency_gain")
MACRO = ("f1", "average_precision", "roc_auc", "accuracy")

Metrics = dict[str, Any]


def summarise(
    scored: Sequence[Scored], thresholds: Mapping[str, float | None], confidence: float, min_positives: int
) -> Metrics:
    """The content of a metrics file. A figure that is undefined, or an interval of one, is left out."""
    targets = {one.target.name: _summarise(one, confidence, min_positives) for one in scored}
    for name, threshold in thresholds.items():
        if threshold is not None:
            targets[name]["threshold"] = _rounded(threshold)
    macro: Metrics = {}
    top_k = sorted({name for one in scored for name in one.figures if name.startswith("top_")})
    for name in (*MACRO, "gain", "weighted_f1", *top_k):
        having = [one for one in scored if name in _names(one)]
        if not having:
            continue
        stacked = np.stack([one.figures[name] for one in having])
        some = ~np.isnan(stacked[:, 0])
        if some.any():
            counts = (~np.isnan(stacked)).sum(axis=0)
            with np.errstate(invalid="ignore"):
                macro |= _with_interval(name, np.nansum(stacked, axis=0) / counts, confidence)
    others = ("log_loss", "brier")
    baselines = [f"baseline_{name}" for name in (*MACRO, "weighted_f1", *top_k, *others)]
    for name in ("ece", "classwise_ece", *others, *baselines):
        values = [figures[name] for figures in targets.values() if name in figures]
        if values:
            macro[name] = _rounded(float(np.mean(values)))
    return {"macro": macro, "targets": targets}


def conclude(metrics: Metrics) -> str:
    """One sentence on which targets were learned.

    >>> conclude({"targets": {"red": {"verdict": "learned"}, "old": {"verdict": "no signal shown"}}})
    '1 of 2 targets beats its best trivial baseline; not old (no signal shown)'
    """
    verdicts = {name: figures["verdict"] for name, figures in metrics["targets"].items()}
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


def table(metrics: Metrics) -> str:
    """The metrics as lines of text: a row per target, figures in percent with intervals in brackets."""
    header = ("target", "known", "precision", "recall", "F1", "baseline", "avg. prec.", "baseline", "verdict")
    rows = [header]
    for name, figures in metrics["targets"].items():
        percents = (
            percent(figures, "precision"),
            percent(figures, "recall"),
            percent(figures, "f1"),
            percent(figures, "baseline_f1"),
            percent(figures, "average_precision"),
            percent(figures, "baseline_average_precision"),
        )
        rows.append((name, str(figures["n_known"]), *percents, figures["verdict"]))
    return align(rows, left=(0, -1))


def _summarise(one: Scored, confidence: float, min_positives: int) -> Metrics:
    known = one.labels >= 0
    labels, probabilities = one.labels[known], one.probabilities[known]
    result: Metrics = {"kind": one.target.kind, "n_known": int(known.sum()), "n_unknown": int((~known).sum())}
    if one.target.kind == "binary":
        result["n_positive"] = int((labels == 1).sum())
    for name in _names(one):
        result |= _with_interval(name, one.figures[name], confidence)
    result |= _exact(one, result, confidence)
    if len(labels):
        plain = {"log_loss": log_loss(labels, probabilities), "brier": brier(labels, probabilities)}
        guess = trivial_probabilities(len(labels), one.prior)
        plain |= {"ece": ece(labels, probabilities), "baseline_log_loss": log_loss(labels, guess)}
        plain["baseline_brier"] = brier(labels, guess)
        if one.target.kind == "categorical":
            plain["classwise_ece"] = classwise_ece(labels, probabilities)
        result |= {name: _rounded(value) for name, value in plain.items() if value is not None}
    for name, values in one.figures.items():
        if name.startswith("baseline_") and not np.isnan(values[0]):
            result[name] = _rounded(values[0])
    if result.get("f1") == 1 and "gain_low" in result:  # the bootstrap of a perfect figure sees no error
        result["gain_low"] = min(result["gain_low"], _rounded(result["f1_low"] - result["baseline_f1"]))
    result["verdict"] = _verdict(one, result, min_positives)
    return result


def _names(one: Scored) -> list[str]:
    """The figures of a target that have an interval."""
    left_out = CATEGORICAL_ONLY if one.target.kind == "binary" else ()
    return [name for name in one.figures if not name.startswith("baseline_") and name not in left_out]


def _verdict(one: Scored, result: Metrics, min_positives: int) -> str:
    """What a target's figures entitle to say; docs/reading-the-result.md explains it."""
    groups = [_groups(one, one.labels == index) for index in range(one.target.n_classes)]
    if sum(groups) - max(groups) < min_positives or "gain_low" not in result:
        return TOO_FEW
    if result["gain_low"] > 0:
        return LEARNED
    return SIGNAL_ONLY if result.get("roc_auc_low", 0) > 0.5 else NO_SIGNAL


def _exact(one: Scored, result: Metrics, confidence: float) -> Metrics:
    """Exact bounds for figures that are all right or all wrong, which the bootstrap would call certain.

    The trials are groups: for recall the present ones, for precision those predicted present, for a perfect ranking
    as many (present, absent) pairs without a common member as there are. Means over classes average their bounds.
    """
    classes = [1] if one.target.kind == "binary" else range(one.target.n_classes)
    actual = [_groups(one, one.labels == index) for index in classes]
    others = [_groups(one, (one.labels >= 0) & (one.labels != index)) for index in classes]
    predicted = [_groups(one, (one.labels >= 0) & (one.decisions == index)) for index in classes]
    known = [_groups(one, one.labels >= 0)]
    pairs = [min(members, rest) for members, rest in zip(actual, others, strict=True)]
    trials = {
        "precision": predicted,
        "recall": actual,
        "f1": actual,
        "accuracy": known,
        "independent_accuracy": known,
        "weighted_f1": known,
        **{name: known for name in result if name.startswith("top_") and not name.endswith(("_low", "_high"))},
        "average_precision": actual,
        "roc_auc": pairs,
    }
    bounds: Metrics = {}
    for name, counts in trials.items():
        if result.get(name) not in (0, 1) or not any(counts):
            continue
        bound = float(np.mean([exact_bound(count, confidence) for count in counts if count]))
        wrong = 1 - bound
        if name == "f1":  # from the share right among all that is or is said to be present, or from recall alone
            bound, wrong = 2 * bound / (1 + bound), 2 * wrong / (1 + wrong)
        low, high = (bound, 1.0) if result[name] == 1 else (0.0, wrong)
        bounds |= {f"{name}_low": _rounded(low), f"{name}_high": _rounded(high)}
    return bounds


def _groups(one: Scored, chosen: Any) -> int:
    return len(np.unique(one.group[chosen]))


def _with_interval(name: str, values: Floats, confidence: float) -> Metrics:
    if np.isnan(values[0]):
        return {}
    result = {name: _rounded(values[0])}
    ends = interval(values[1:], confidence)
    if ends is not None:
        result |= {f"{name}_low": _rounded(ends[0]), f"{name}_high": _rounded(ends[1])}
    return result


def _rounded(value: float) -> float:
    return round(float(value), 6) + 0.0  # + 0.0: no minus zero
