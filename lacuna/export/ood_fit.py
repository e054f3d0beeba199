"""Fit the `OutlierDetector`: statistics from training images, the threshold on validation, the rate of false alarms on
test. Labels take no part.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf
from threadpoolctl import threadpool_limits

from lacuna.core.scores import Floats
from lacuna.errors import LacunaError
from lacuna.inference.ood import Alarms, OutlierDetector, unit_length
from lacuna.stats.intervals import share_interval

AXES = 128
"""Axes of largest variance that are kept. Between 128 and all 1,280 the detection rates of docs/results.md move by a
few percent either way; 128 are a tenth of the file and of the time."""

SMALLEST_SCALE = 1e-6
"""Standard deviations of features of length 1 that count as none: all training images have the same."""

CONFIDENCE = 0.95


def fit_detector(
    training: NDArray[np.float32], validation: NDArray[np.float32], test: NDArray[np.float32], false_alarms: float
) -> OutlierDetector:
    """From pooled features (n, channels) of the parts; of validation and test one image of each group.

    The covariance is shrunk towards equal variances as far as Ledoit and Wolf (2004) find best, because there are about
    as many channels as images. Raises LacunaError without validation images.
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
    mean, axes, scales = (_stored(one) for one in (unit.mean(axis=0), axes[:, ::-1][:, :kept], scales[:kept]))
    unset = Alarms(false_alarms, 1, 0, 0, 0, 0, 1)
    detector = OutlierDetector(mean, axes, scales, rest, math.inf, unset)
    threshold, promised = conformal_threshold(detector.distance(validation), false_alarms)
    n_alarms = int((detector.distance(test) > threshold).sum()) if len(test) else 0
    low, high = share_interval(n_alarms, len(test), CONFIDENCE)
    alarms = Alarms(false_alarms, promised, len(validation), n_alarms, len(test), low, high)
    return replace(detector, threshold=threshold, alarms=alarms)


def _stored(values: Floats) -> Floats:
    """With the precision of the file, so that the threshold fits what is read from it."""
    return values.astype(np.float32).astype(np.float64)


def conformal_threshold(distances: Floats, false_alarms: float) -> tuple[float, float]:
    """The threshold that a new image of the same kind exceeds with a chance of at most `false_alarms`, and that chance.

    The new image's distance is as likely to take any place among these (n,) (Vovk et al. 2005). The farthest of n can
    promise 1 / (n + 1) and no less: with fewer, that is the threshold, and its chance what is promised.

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


def lack_of_groups(alarms: Alarms) -> str:
    """One line when validation is too small for the rate that was asked for, else nothing."""
    if alarms.promised <= alarms.asked:
        return ""
    return (
        f"validation has {alarms.n_validation} images that are no copies of each other; to promise that at most "
        f"{alarms.asked:.1%} of like images are called unfamiliar takes {fewest_groups(alarms.asked)}, "
        f"promised are {alarms.promised:.1%}"
    )
