"""Calibration of a network: logits in, honest probabilities and decisions out; numpy only, so that a server can use it.

A target's calibration is a scaling of its logits and, if it is binary, a threshold; a categorical target decides for
its most probable class after adjustment for how frequent the classes are, or, where relations tie it to others, for
that of the best consistent combination. Module `fit` finds scaling, threshold and adjustment.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lacuna.calibration.consistency import Constraint, connected, constraints_of, contradicting, most_probable
from lacuna.calibration.scaling import Scaling, sigmoid
from lacuna.core.relations import Relation, Relations
from lacuna.core.scores import Floats, Labels, activate
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.io.atomic import read_json, write_json

FORMAT_VERSION = 4

ARGMAX, LOGIT_ADJUSTMENT = "argmax", "logit_adjustment"
"""The rules of categorical targets: the most probable class, or that of the largest calibrated logit less its
adjustment."""


@dataclass(frozen=True)
class Fit:
    """One target's calibration in each replicate: its scaling, and thresholds (replicates,) if it is binary.

    `adjustment` (replicates, n_logits) is taken from a categorical target's calibrated logits before it is decided, and
    changes no probability; 0 for a binary one. `met` (replicates,) is False where a rule's demand, such as a precision,
    could not be met.
    """

    target: Target
    scaling: Scaling
    thresholds: Floats | None
    adjustment: Floats
    met: NDArray[np.bool_]

    @classmethod
    def joined(cls, fits: "Sequence[Fit]", pool: Callable[..., Floats]) -> "Fit":
        """The fits of a sample and of blocks of replicates as those of the sample and its replicates, by
        `Bootstrap.pool`."""
        scale = pool(np.concatenate([fit.scaling.scale for fit in fits]), 0.0)
        bias, adjustment = (
            pool(np.concatenate(arrays))
            for arrays in ([fit.scaling.bias for fit in fits], [fit.adjustment for fit in fits])
        )
        found = [fit.thresholds for fit in fits if fit.thresholds is not None]
        thresholds = pool(np.concatenate(found), 0.0, 1.0) if found else None
        return cls(fits[0].target, Scaling(scale, bias), thresholds, adjustment, np.ones(len(scale), dtype=bool))

    def rows(self, numbers: NDArray[np.intp] | slice) -> "Fit":
        """Those of some replicates, by their numbers."""
        thresholds = None if self.thresholds is None else self.thresholds[numbers]
        scaling = Scaling(self.scaling.scale[numbers], self.scaling.bias[numbers])
        return Fit(self.target, scaling, thresholds, self.adjustment[numbers], self.met[numbers])

    def probabilities(self, logits: NDArray[np.floating]) -> Floats:
        """Calibrated probabilities (replicates, n, n_classes)."""
        return activate(self.target, self.scaling(logits))

    def decide(self, logits: NDArray[np.floating]) -> Labels:
        """Decided class indices (replicates, n)."""
        decided: Labels = np.empty((len(self.met), len(logits)), np.int16)
        if self.thresholds is not None:
            many = len(decided) > 1  # of which each costs a comparison, not an exponential function
            decided[:] = (
                logits[:, 0] >= self._least_present(logits[:, 0])[:, None]
                if many
                else sigmoid(self.scaling(logits)[..., 0]) >= self.thresholds[:, None]
            )
            return decided
        for of_replicate, adjustment, scaled in zip(decided, self.adjustment, self._scaled(logits), strict=True):
            scaled -= adjustment
            of_replicate[:] = scaled.argmax(axis=1)
        return decided

    def true_ranks(self, logits: NDArray[np.floating], labels: Labels) -> Labels:
        """How many classes are more probable than the true one (replicates, n), ties in the order of the classes."""
        ranks: Labels = np.empty((len(self.met), len(logits)), np.int16)
        true, earlier = labels[:, None].astype(np.intp), np.arange(logits.shape[1]) < labels[:, None]
        for of_replicate, scaled in zip(ranks, self._scaled(logits), strict=True):
            truth = np.take_along_axis(scaled, true, axis=1)
            of_replicate[:] = np.count_nonzero(scaled > truth, axis=1)
            equal = scaled == truth
            if np.count_nonzero(equal) > len(labels):
                of_replicate += np.count_nonzero(equal & earlier, axis=1).astype(np.int16)
        return ranks

    def _scaled(self, logits: NDArray[np.floating]) -> Iterator[Floats]:
        """The calibrated logits (n, n_logits) of one replicate after the other, each in the place of the last one: a
        processor's cache holds no more."""
        exact = logits.astype(np.float64)
        scaled = np.empty_like(exact)
        for scale, bias in zip(self.scaling.scale, self.scaling.bias, strict=True):
            np.multiply(exact, scale, out=scaled)
            scaled += bias
            yield scaled

    def _least_present(self, logits: NDArray[np.floating]) -> Floats:
        """The lowest of the logits (n,) that each replicate calls present, (replicates,), infinite where none is.

        Probabilities rise with the logits, so that it is found by halving.
        """
        assert self.thresholds is not None
        rising = np.sort(logits).astype(np.float64)
        low, high = np.zeros(len(self.met), np.intp), np.full(len(self.met), len(rising))
        while (low < high).any():
            middle = (low + high) // 2
            scaled = self.scaling.scale * rising[np.minimum(middle, len(rising) - 1)] + self.scaling.bias[:, 0]
            present = sigmoid(scaled) >= self.thresholds
            low, high = np.where(present, low, np.minimum(middle + 1, high)), np.where(present, middle, high)
        least: Floats = np.append(rising, np.inf)[low]
        return least


def decide(
    targets: Targets, fits: Sequence[Fit], logits: NDArray[np.floating], constraints: Sequence[Constraint]
) -> tuple[list[Labels], list[Labels]]:
    """Decided class indices per target, each (replicates, n): the consistent ones, and each target's own.

    Where the targets' own decisions fit together they are the most probable combination already.
    """
    alone = [fit.decide(logits[:, columns]) for fit, columns in zip(fits, targets.slices, strict=True)]
    replicate, image = np.nonzero(contradicting(constraints, alone))
    if len(image) == 0:
        return alone, alone
    scores = {}
    for place in connected(constraints):
        scaling = fits[place].scaling  # calibrated logits are log probabilities up to a constant
        shift = scaling.bias - fits[place].adjustment
        scores[place] = scaling.scale[replicate, None] * logits[image, targets.slices[place]] + shift[replicate]
    together = list(alone)
    for place, decisions in most_probable(constraints, scores).items():
        together[place] = alone[place].copy()
        together[place][replicate, image] = decisions
    return together, alone


@dataclass(frozen=True)
class TargetCalibration:
    """One target's calibration: probabilities are activate(scale * logits + bias), by `rule` come decisions.

    `adjustment`, of as many numbers as logits, is what a categorical target's decision takes from its calibrated
    logits. `threshold` is on the probability of "present" and None for a categorical target. `n_positive` counts
    "present" in validation, `warnings` say what makes this calibration weak. `population`: whose probabilities and
    decisions they are, those of all images, labelled or not, or of labelled ones.
    """

    kind: str
    scale: float
    bias: tuple[float, ...]
    adjustment: tuple[float, ...]
    rule: str
    threshold: float | None
    threshold_low: float | None
    threshold_high: float | None
    n_known: int
    n_positive: int | None
    warnings: tuple[str, ...]
    population: Literal["all", "labelled"] = "labelled"


@dataclass(frozen=True)
class Calibration:
    """The calibration of every target, by name, and the relations between targets that decisions respect."""

    targets: dict[str, TargetCalibration]
    relations: Relations = ()
    _prepared: dict[Targets, tuple[list[Fit], list[Constraint]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def apply(self, targets: Targets, logits: NDArray[np.floating]) -> list[Floats]:
        """Calibrated probabilities of logits (n, n_logits): per target (n, n_classes)."""
        return [
            fit.probabilities(logits[:, columns])[0]
            for fit, columns in zip(self.fits(targets), targets.slices, strict=True)
        ]

    def decide(self, targets: Targets, logits: NDArray[np.floating]) -> NDArray[np.int16]:
        """Decided class indices (n, n_targets) of logits (n, n_logits)."""
        decisions, _ = decide(targets, self.fits(targets), logits, self.constraints(targets))
        return np.stack([of_target[0] for of_target in decisions], axis=1).astype(np.int16)

    def fits(self, targets: Targets) -> list[Fit]:
        """As one replicate. Raises LacunaError when a target or relation is missing or does not fit."""
        return self._prepare(targets)[0]

    def constraints(self, targets: Targets) -> list[Constraint]:
        """The relations in numbers. Raises LacunaError as `fits` does."""
        return self._prepare(targets)[1]

    def _prepare(self, targets: Targets) -> tuple[list[Fit], list[Constraint]]:
        """Built once for these targets: a server asks for the same ones with every batch."""
        if targets not in self._prepared:
            fits = [self._fit(target) for target in targets]
            self._prepared[targets] = fits, constraints_of(self.relations, targets)
        return self._prepared[targets]

    def _fit(self, target: Target) -> Fit:
        found = self.targets.get(target.name)
        if found is None or found.kind != target.kind or {len(found.bias), len(found.adjustment)} != {target.n_logits}:
            raise LacunaError(f"the calibration does not fit the target {target.name}: run `dvc repro calibrate`")
        scaling = Scaling(np.array([found.scale]), np.array([found.bias]))
        thresholds = None if found.threshold is None else np.array([found.threshold])
        return Fit(target, scaling, thresholds, np.array([found.adjustment]), np.ones(1, dtype=bool))

    def to_json(self) -> dict[str, Any]:
        return {
            "version": FORMAT_VERSION,
            "targets": {name: _to_json(calibrated) for name, calibrated in self.targets.items()},
            "relations": [relation.to_json() for relation in self.relations],
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Calibration":
        """What `to_json` gave. Raises LacunaError for another format version."""
        if content["version"] != FORMAT_VERSION:
            raise LacunaError(
                f"calibration of format {content['version']}, this Lacuna reads {FORMAT_VERSION}; "
                "run `dvc repro calibrate`"
            )
        targets = {name: _from_json(part) for name, part in content["targets"].items()}
        return cls(targets, tuple(Relation.from_json(relation) for relation in content["relations"]))

    def save(self, path: Path) -> None:
        write_json(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> "Calibration":
        """Read what `save` wrote. Raises LacunaError for another format version."""
        return cls.from_json(read_json(path))


def _to_json(calibrated: TargetCalibration) -> dict[str, Any]:
    content = asdict(calibrated)
    parameters = {"scale": content.pop("scale"), **{key: list(content.pop(key)) for key in ("bias", "adjustment")}}
    content = {"kind": content.pop("kind"), "parameters": parameters, **content, "warnings": list(calibrated.warnings)}
    return {key: value for key, value in content.items() if value is not None}


def _from_json(content: dict[str, Any]) -> TargetCalibration:
    optional = {key: content.get(key) for key in ("threshold", "threshold_low", "threshold_high", "n_positive")}
    return TargetCalibration(
        kind=content["kind"],
        scale=content["parameters"]["scale"],
        bias=tuple(content["parameters"]["bias"]),
        adjustment=tuple(content["parameters"]["adjustment"]),
        rule=content["rule"],
        n_known=content["n_known"],
        warnings=tuple(content["warnings"]),
        population=content["population"],
        **optional,
    )
