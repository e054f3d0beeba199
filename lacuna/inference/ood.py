"""Out-of-distribution detection: is an image unlike the training images?

    detector = OodDetector.load(Path("models/bundle/out_of_distribution.npz"))
    unfamiliar = detector.is_unfamiliar(features[:, layout.top])

The measure is the Mahalanobis distance from the training images in the trained network's pooled features, brought to
length 1 first: their length depends more on contrast than on content, and without this step the distance is worthless
for noise and one-coloured images (Mueller and Hein 2025, "Mahalanobis++"; compared in docs/results.md).

`lacuna.export.ood_fit` fits the detector. numpy only, so that a server can use it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats
from lacuna.errors import LacunaError
from lacuna.io.atomic import load_arrays

DETECTOR_FORMAT = 1
MAX_DETECTOR_BYTES = 100_000_000

SHORTEST = 1e-12
"""Features of this length or less, those of a network that puts out nothing, stay as they are."""

MEND = "run `dvc repro bundle`, or copy the whole bundle again"


@dataclass(frozen=True)
class FalseAlarms:
    """How often images of the training distribution are called unfamiliar: rates between 0 and 1.

    asked: the rate in params.yaml. promised: the highest chance of a false alarm for a new image that the validation
    part can promise; above `asked` where `n_validation` groups are too few. On test, `n_alarms` of `n_test` groups were
    called unfamiliar, and `low` to `high` is the exact 95 % interval of that share (Clopper and Pearson 1934). One
    image stands for each group.
    """

    asked: float
    promised: float
    n_validation: int
    n_alarms: int
    n_test: int
    low: float
    high: float

    @property
    def measured(self) -> float:
        """The share on test; NaN without test images."""
        return self.n_alarms / self.n_test if self.n_test else float("nan")


@dataclass(frozen=True)
class OodDetector:
    """Mean (channels,) and covariance of the training images' features of length 1, and the distance above which an
    image is out of distribution.

    The covariance is kept as its `axes` (channels, k) of largest variance and the standard deviations along them,
    `scales` (k,); in all other directions the standard deviation is `rest`.
    """

    mean: Floats
    axes: Floats
    scales: Floats
    rest: float
    threshold: float
    false_alarms: FalseAlarms

    def is_unfamiliar(self, features: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Whether images with these pooled features (n, channels) are out of distribution (n,)."""
        unfamiliar: NDArray[np.bool_] = self.distance(features) > self.threshold
        return unfamiliar

    def coordinates(self, features: NDArray[np.floating]) -> Floats:
        """Features (n, channels) along the axes in standard deviations (n, k), the axis of largest variance first."""
        return self._coordinates(self._centre(features))

    def distance(self, features: NDArray[np.floating]) -> Floats:
        """Mahalanobis distances (n,) of pooled features (n, channels). Raises ValueError for another shape."""
        away = self._centre(features)
        along = self._coordinates(away)
        outside = (away**2).sum(axis=1) - ((along * self.scales) ** 2).sum(axis=1)
        distance: Floats = np.sqrt((along**2).sum(axis=1) + np.maximum(outside, 0) / self.rest**2)
        return distance

    def _centre(self, features: NDArray[np.floating]) -> Floats:
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise ValueError(f"expected features (n, {len(self.mean)}), received {features.shape}")
        return unit_length(features) - self.mean

    def _coordinates(self, away: Floats) -> Floats:
        along: Floats = away @ self.axes / self.scales
        return along

    def describe(self) -> dict[str, float]:
        """Threshold and false alarms for a metrics file; what was not measured is left out."""
        rates = self.false_alarms
        metrics = {
            "threshold": self.threshold,
            "false_alarms_asked": rates.asked,
            "false_alarms_promised": rates.promised,
            "validation_groups": rates.n_validation,
            "test_groups": rates.n_test,
        }
        if rates.n_test:
            metrics["false_alarm_rate"] = rates.measured
            metrics["false_alarm_rate_low"], metrics["false_alarm_rate_high"] = rates.low, rates.high
        return metrics

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """As arrays for `lacuna.io.atomic.save_arrays`."""
        rates = self.false_alarms
        return {
            "format_version": np.array(DETECTOR_FORMAT),
            "mean": self.mean.astype(np.float32),
            "axes": self.axes.astype(np.float32),
            "scales": self.scales.astype(np.float32),
            "rest": np.array(self.rest),
            "threshold": np.array(self.threshold),
            "rates": np.array([rates.asked, rates.promised, rates.low, rates.high]),
            "counts": np.array([rates.n_validation, rates.n_alarms, rates.n_test], np.int64),
        }

    @classmethod
    def load(cls, path: Path) -> "OodDetector":
        """Read the file that stage out_of_distribution wrote. Raises LacunaError when it is missing or damaged."""
        return cls.from_arrays(load_arrays(path, MAX_DETECTOR_BYTES), path)

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], path: Path) -> "OodDetector":
        """The detector that `to_arrays` gave; `path` is for messages. Raises LacunaError as `load` does."""
        try:
            version = int(arrays["format_version"])
            if version != DETECTOR_FORMAT:
                raise LacunaError(f"{path}: of format {version}, this Lacuna reads {DETECTOR_FORMAT}; {MEND}")
            mean, axes, scales = (arrays[name].astype(np.float64) for name in ("mean", "axes", "scales"))
            asked, promised, low, high = arrays["rates"].tolist()
            n_validation, n_alarms, n_test = arrays["counts"].tolist()
            false_alarms = FalseAlarms(asked, promised, n_validation, n_alarms, n_test, low, high)
            detector = cls(mean, axes, scales, float(arrays["rest"]), float(arrays["threshold"]), false_alarms)
            shapes = mean.ndim == 1 and axes.shape == (len(mean), len(scales)) and scales.ndim == 1
        except (KeyError, TypeError, ValueError) as error:
            raise LacunaError(f"{path}: damaged, {type(error).__name__}: {error}; {MEND}") from None
        numbers = (mean, axes, scales, np.array([detector.rest, detector.threshold]))
        finite = shapes and all(np.isfinite(some).all() for some in numbers)
        if not finite or (scales <= 0).any() or detector.rest <= 0:
            raise LacunaError(f"{path}: damaged, impossible statistics; {MEND}")
        return detector


def unit_length(features: NDArray[np.floating]) -> Floats:
    """Features (n, channels), each divided by its length."""
    values = np.asarray(features, np.float64)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    scaled: Floats = values / np.where(length > SHORTEST, length, 1)
    return scaled
