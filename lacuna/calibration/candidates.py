"""Which of several models is kept: the cheapest, unless a dearer one is shown to be better on validation."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.calibration.cross_fit import cross_fit
from lacuna.config.blocks import Calibrate, Evaluate
from lacuna.core.predictions import Predictions
from lacuna.core.scores import SMALLEST_PROBABILITY, Floats
from lacuna.core.targets import Targets
from lacuna.stats.bootstrap import group_weights, interval
from lacuna.stats.numbers import rounded, signed_interval

LEAST_GAIN = 0.01
"""What share of the log loss a dearer model must take away: a sure thousandth is still no reason to pay for it."""

NUMBERS_DRAWN_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Gain:
    """What one model has less of log loss than another, and the ends of its paired interval; None where undefined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ModelChoice:
    """The name of the kept candidate, every candidate's log loss, and what each but the first gains over the first.

    gains: by candidate, of each target by name and of their mean under None; those without a known label are left out.
    """

    kept: str
    log_loss: Mapping[str, float]
    gains: Mapping[str, Mapping[str | None, Gain]]

    def to_json(self) -> dict[str, Any]:
        """For a file of metrics: {kept, log_loss: {candidate}, gain: {candidate: {macro or target: …}}}."""
        gains = {
            name: {
                key or "macro": {field: rounded(value) for field, value in asdict(gain).items()}
                for key, gain in of.items()
            }
            for name, of in self.gains.items()
        }
        return {"kept": self.kept, "log_loss": {k: rounded(v) for k, v in self.log_loss.items()}, "gain": gains}

    def describe(self) -> str:
        """One line: what is kept, and what the others would bring."""
        said = [
            f"{name} {of[None].value:+.4f} {signed_interval(of[None].low, of[None].high)}"
            for name, of in self.gains.items()
            if None in of
        ]
        against = f"; less log loss on validation than the head: {', '.join(said)}" if said else ""
        return f"kept: {self.kept}{against}"


def choose(
    targets: Targets, candidates: Mapping[str, Predictions], options: Calibrate, evaluate: Evaluate
) -> ModelChoice:
    """Choose among the validation predictions of candidates, named from the cheapest to the dearest.

    Each is calibrated by cross-fitting, so that none gains by being less sure of itself. Compared is the log loss over
    known labels, averaged over targets. A dearer candidate takes the place of the kept one where the interval of what
    it gains, paired by groups of images, lies above 0, and the gain is LEAST_GAIN of the kept one's loss or more.
    """
    losses = {name: _losses(targets, predictions, options) for name, predictions in candidates.items()}
    means = _means(losses, next(iter(candidates.values())).group, evaluate)
    first = kept = next(iter(candidates))
    for name in candidates:
        before = _macro(means[kept])
        gain = _gain(before, _macro(means[name]), evaluate.confidence)
        if gain is not None and gain.low > 0 and gain.value >= LEAST_GAIN * before[0]:
            kept = name
    names = [target.name for target in targets]
    gains = {}
    for name in candidates:
        if name != first:
            of_target = [_gain(a, b, evaluate.confidence) for a, b in zip(means[first], means[name], strict=True)]
            of_target.append(_gain(_macro(means[first]), _macro(means[name]), evaluate.confidence))
            gains[name] = {key: gain for key, gain in zip([*names, None], of_target, strict=True) if gain is not None}
    return ModelChoice(kept, {name: float(_macro(means[name])[0]) for name in candidates}, gains)


def _losses(targets: Targets, predictions: Predictions, options: Calibrate) -> Floats:
    """The loss (n_targets, n) of each cell by cross-fitted probabilities, NaN where the label is unknown."""
    losses = np.full((len(targets), len(predictions)), np.nan)
    for index, probabilities in enumerate(cross_fit(targets, predictions, options).probabilities()):
        known = predictions.labels[:, index] >= 0
        true = predictions.labels[known, index].astype(np.intp)
        losses[index, known] = -np.log(
            np.maximum(probabilities[known][np.arange(len(true)), true], SMALLEST_PROBABILITY)
        )
    return losses


def _means(losses: Mapping[str, Floats], group: NDArray[np.int64], evaluate: Evaluate) -> dict[str, Floats]:
    """The mean loss (n_targets, 1 + replicates) of each target over its known cells, NaN where none is known.

    losses: by candidate (n_targets, n); group (n,). The sample stands first. A mean's replicates need of a group no
    more than the sums over its images, which is what keeps those of a million images cheap.
    """
    names, member = np.unique(group, return_inverse=True)
    sums = {name: _sums(np.nan_to_num(of_cells), member) for name, of_cells in losses.items()}
    known = {name: _sums(~np.isnan(of_cells), member) for name, of_cells in losses.items()}
    chunk = max(1, NUMBERS_DRAWN_AT_ONCE // max(1, len(names)))
    drawn = group_weights(names, evaluate.bootstrap, evaluate.seed, chunk)
    found: dict[str, list[Floats]] = {name: [] for name in losses}
    with np.errstate(invalid="ignore"):
        for weights in chain([np.ones((1, len(names)))], drawn):
            for name, chunks in found.items():
                chunks.append(sums[name] @ weights.T / (known[name] @ weights.T))
    return {name: np.concatenate(chunks, axis=1) for name, chunks in found.items()}


def _sums(values: NDArray[Any], member: NDArray[np.intp]) -> Floats:
    """Of values (n_targets, n) those of each group, by the place (n,) of each image's group."""
    return np.array([np.bincount(member, of_target) for of_target in values])


def _macro(means: Floats) -> Floats:
    """The mean over the targets that have known labels in a replicate (replicates,)."""
    with np.errstate(invalid="ignore"):
        macro: Floats = np.nansum(means, axis=0) / (~np.isnan(means)).sum(axis=0)
    return macro


def _gain(before: Floats, after: Floats, confidence: float) -> Gain | None:
    ends = interval((before - after)[1:], confidence)
    return None if ends is None or np.isnan(before[0] - after[0]) else Gain(float(before[0] - after[0]), *ends)
