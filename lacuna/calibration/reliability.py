"""How well stated probabilities come true, over known labels: Brier score and calibration errors.

Shapes are those of module `lacuna.core.scores`.
"""

import numpy as np

from lacuna.core.scores import Floats, Labels, known_only

CALIBRATION_BINS = 10


def brier(labels: Labels, probabilities: Floats, importance: Floats | None = None) -> float | None:
    """Mean squared error of the probabilities; None when no label is known.

    With two classes (p - y)^2, from 0 to 1; with more the sum over the classes, from 0 to 2 (Brier 1950). importance
    (n_classes,): what a label of each class counts in the mean, here and in what follows; 1 unless given.
    """
    labels, probabilities = known_only(labels, probabilities)
    if len(labels) == 0:
        return None
    squares = ((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(axis=1)
    return float(np.average(squares, weights=_counted(labels, importance)) / (2 if probabilities.shape[1] == 2 else 1))


def ece(labels: Labels, probabilities: Floats, importance: Floats | None = None) -> float | None:
    """Expected calibration error: mean |stated - observed| over ten equal bins, weighted by their images.

    Stated is the probability of "present" with two classes and of the likeliest class with more (Guo et al. 2017).
    None when no label is known.
    """
    stated, observed = stated_and_observed(labels, probabilities)
    return _binned_gap(stated, observed, _counted(labels[labels >= 0], importance)) if len(stated) else None


def classwise_ece(labels: Labels, probabilities: Floats, importance: Floats | None = None) -> float | None:
    """Class-wise calibration error: the `ece` of each class's own probability, averaged over all classes.

    It also sees a class that is stated too often as the second or third likeliest (Kull et al. 2019). None when no
    label is known.
    """
    labels, probabilities = known_only(labels, probabilities)
    if len(labels) == 0:
        return None
    columns, counted = enumerate(probabilities.T), _counted(labels, importance)
    gaps = [_binned_gap(stated, (labels == index).astype(np.float64), counted) for index, stated in columns]
    return float(np.mean(gaps))


def stated_and_observed(labels: Labels, probabilities: Floats) -> tuple[Floats, Floats]:
    """What calibration compares, over known labels: a stated probability, and whether (0 or 1) it came true."""
    labels, probabilities = known_only(labels, probabilities)
    if probabilities.shape[1] == 2:
        return probabilities[:, 1], labels.astype(np.float64)
    return probabilities.max(axis=1), (probabilities.argmax(axis=1) == labels).astype(np.float64)


def _counted(labels: Labels, importance: Floats | None) -> Floats:
    """What each known label (n,) counts."""
    return np.ones(len(labels)) if importance is None else importance[labels]


def _binned_gap(stated: Floats, observed: Floats, counted: Floats) -> float:
    bins = np.minimum((stated * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=(stated - observed) * counted, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / counted.sum())
