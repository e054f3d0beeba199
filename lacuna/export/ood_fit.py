"""Fit the out-of-distribution detector: statistics on training images, the threshold on validation, the rate of false
alarms measured on test. Labels take no part.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf
from threadpoolctl import threadpool_limits

from lacuna.core.scores import Floats
from lacuna.errors import LacunaError
from lacuna.inference.ood import FalseAlarms, OodDetector, unit_length
from lacuna.stats.intervals import share_interval

AXES = 128
"""The number of axes of largest variance that are kept. Between 128 and all 1,280 the detection rates of
docs/results.md move by a few percent either way; 128 are a tenth of the file and of the time."""

SMALLEST_SCALE = 1e-6
"""Standard deviations of features of length 1 that count as none: all training images have the same."""


def fit_detector(
    training: NDArray[np.float32], validation: NDArray[np.float32], test: NDArray[np.float32], false_alarms: float
) -> OodDetector:
    """The detector, from pooled features (n, channels) of each part; of validation and test one image of each group.

    `false_alarms` is the rate that is asked for, between 0 and 1. The covariance is shrunk towards equal variances as
    far as Ledoit and Wolf (2004) find best, because there are about as many channels as images. Raises LacunaError
    with fewer than two training images or without validation images.
    """
    if len(training) < 2 or len(validation) == 0:
        raise LacunaError("out_of_distribution needs training and validation images: raise split.val or add images")
    unit = unit_length(training)
    with threadpool_limits(1):  # the order in which threads add up would change the last bits
        covariance, _ = ledoit_wolf(unit)
        variances, axes = np.linalg.eigh(covariance)
    kept = min(AXES, len(variances))
    scales = np.sqrt(np.maximum(variances[::-1], SMALLEST_SCALE**2))
    rest = float(np.sqrt((scales[kept:] ** 2).mean())) if kept < len(scales) else float(scales[-1])
    mean, axes, scales = (_stored(values) for values in (unit.mean(axis=0), axes[:, ::-1][:, :kept], scales[:kept]))
    unset = FalseAlarms(false_alarms, 1, 0, 0, 0, 0, 1)
    detector = OodDetector(mean, axes, scales, rest, math.inf, unset)
    threshold, promised = conformal_threshold(detector.distance(validation), false_alarms)
    n_alarms = int((detector.distance(test) > threshold).sum()) if len(test) else 0
    low, high = share_interval(n_alarms, len(test), 0.95)
    rates = FalseAlarms(false_alarms, promised, len(validation), n_alarms, len(test), low, high)
    return replace(detector, threshold=threshold, false_alarms=rates)


def _stored(values: Floats) -> Floats:
    """Rounded to the precision of the file, so that the threshold fits the statistics read from it."""
    return values.astype(np.float32).astype(np.float64)


def conformal_threshold(distances: Floats, false_alarms: float) -> tuple[float, float]:
    """The threshold that a new image of the same distribution exceeds with a probability of at most `false_alarms`, and
    that probability.

    Conformal prediction (Vovk et al. 2005): the new image's distance is equally likely to take any rank among these
    `distances` (n,). The largest of n can promise 1 / (n + 1) and no less: where that is more than `false_alarms`, the
    largest distance is the threshold.

    >>> conformal_threshold(np.arange(199.0), 0.01)
    (197.0, 0.01)
    >>> conformal_threshold(np.arange(49.0), 0.01)
    (48.0, 0.02)
    """
    n = len(distances)
    rank = min(math.ceil((n + 1) * (1 - false_alarms) - 1e-9), n)
    return float(np.sort(distances)[rank - 1]), round(1 - rank / (n + 1), 12)


def fewest_groups(false_alarms: float) -> int:
    """How many groups validation needs before this rate can be promised.

    >>> fewest_groups(0.01)
    99
    """
    return math.ceil(1 / false_alarms - 1e-9) - 1


def lack_of_groups(rates: FalseAlarms) -> str:
    """One line when validation is too small for the rate that was asked for, else nothing."""
    if rates.promised <= rates.asked:
        return ""
    return (
        f"validation has {rates.n_validation} images that are no copies of each other; to promise that at most "
        f"{rates.asked:.1%} of images like these are called unfamiliar takes {fewest_groups(rates.asked)}, "
        f"promised are {rates.promised:.1%}"
    )
