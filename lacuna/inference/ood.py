"""Is an image like the training images? Its Mahalanobis distance from them, in the trained network's pooled features.

    detector = OutlierDetector.load(Path("models/bundle/out_of_distribution.npz"))
    unfamiliar = detector.distance(features.mean(axis=(1, 2))) > detector.threshold

Features are brought to length 1 first: their length tells more of contrast than of content, and the distance is
worthless for noise and one-coloured images without it (Mueller and Hein 2025, "Mahalanobis++"; compared in
docs/results.md).
Module `ood_fit` finds the statistics. numpy only, so that a server can use it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats
from lacuna.errors import LacunaError
from lacuna.io.atomic import load_arrays

FORMAT_VERSION = 1
MAX_BYTES = 100_000_000

SHORTEST = 1e-12
"""Features of this length or less, those of a network that is silent, stay as they are."""


@dataclass(frozen=True)
class Alarms:
    """How often images like the training images are called unfamiliar.

    asked: the rate in params.yaml. promised: what the validation part could promise, of a new image's chance to be
    called so; above `asked` where `n_validation` groups are too few. On test, `n_alarms` of `n_test` groups were, a
    share whose 95 % interval is `low` to `high` (Clopper and Pearson 1934). An image stands for its group.
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
        return self.n_alarms / self.n_test if self.n_test else float("nan")


@dataclass(frozen=True)
class OutlierDetector:
    """Mean (channels,) and covariance of the training images' features of length 1, and from which distance on an image
    is unfamiliar.

    The covariance is kept by its `axes` (channels, k) of largest variance and the standard deviations along them,
    `scales` (k,); in all other directions the standard deviation is `rest`.
    """

    mean: Floats
    axes: Floats
    scales: Floats
    rest: float
    threshold: float
    alarms: Alarms

    @property
    def false_alarm_rate(self) -> float:
        """Of images like the training images, measured on test; NaN without test images."""
        return self.alarms.measured

    def coordinates(self, features: NDArray[np.floating]) -> Floats:
        """Features (n, channels) along the axes in standard deviations (n, k), the axis of largest variance first."""
        return self._coordinates(self._centre(features))

    def distance(self, features: NDArray[np.floating]) -> Floats:
        """Mahalanobis distances (n,) of pooled features (n, channels)."""
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
        """Threshold and alarms for a metrics file; what was not measured is left out."""
        alarms = self.alarms
        said = {
            "threshold": self.threshold,
            "false_alarms_asked": alarms.asked,
            "false_alarms_promised": alarms.promised,
            "validation_groups": alarms.n_validation,
            "test_groups": alarms.n_test,
        }
        if alarms.n_test:
            said["false_alarm_rate"] = alarms.measured
            said["false_alarm_rate_low"], said["false_alarm_rate_high"] = alarms.low, alarms.high
        return said

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """As arrays for `lacuna.io.atomic.save_arrays`."""
        alarms = self.alarms
        return {
            "format_version": np.array(FORMAT_VERSION),
            "mean": self.mean.astype(np.float32),
            "axes": self.axes.astype(np.float32),
            "scales": self.scales.astype(np.float32),
            "rest": np.array(self.rest),
            "threshold": np.array(self.threshold),
            "rates": np.array([alarms.asked, alarms.promised, alarms.low, alarms.high]),
            "counts": np.array([alarms.n_validation, alarms.n_alarms, alarms.n_test], np.int64),
        }

    @classmethod
    def load(cls, path: Path) -> "OutlierDetector":
        """Read what stage out_of_distribution wrote. Raises LacunaError when it is missing or damaged."""
        return cls.from_arrays(load_arrays(path, MAX_BYTES), path)

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], path: Path) -> "OutlierDetector":
        """What `to_arrays` gave; `path` is for messages. Raises LacunaError as `load` does."""
        try:
            version = int(arrays["format_version"])
            if version != FORMAT_VERSION:
                raise LacunaError(
                    f"{path}: of format {version}, this Lacuna reads {FORMAT_VERSION}; run `dvc repro bundle`"
                )
            mean, axes, scales = (arrays[name].astype(np.float64) for name in ("mean", "axes", "scales"))
            asked, promised, low, high = arrays["rates"].tolist()
            n_validation, n_alarms, n_test = arrays["counts"].tolist()
            alarms = Alarms(asked, promised, n_validation, n_alarms, n_test, low, high)
            found = cls(mean, axes, scales, float(arrays["rest"]), float(arrays["threshold"]), alarms)
            shapes = mean.ndim == 1 and axes.shape == (len(mean), len(scales)) and scales.ndim == 1
        except (KeyError, TypeError, ValueError) as error:
            raise LacunaError(f"{path}: damaged, {type(error).__name__}: {error}; run `dvc repro bundle`") from None
        finite = np.isfinite([*mean, *axes.ravel(), *scales, found.rest, found.threshold]).all() if shapes else False
        if not finite or (scales <= 0).any() or found.rest <= 0:
            raise LacunaError(f"{path}: damaged, impossible statistics; run `dvc repro bundle`")
        return found


def unit_length(features: NDArray[np.floating]) -> Floats:
    """Features (n, channels), each divided by its length."""
    values = np.asarray(features, np.float64)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    scaled: Floats = values / np.where(length > SHORTEST, length, 1)
    return scaled
