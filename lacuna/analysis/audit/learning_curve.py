"""Would more labels help? The probe's quality with ever larger shares of the labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.analysis.audit.signal import ProbeResult
from lacuna.core.scores import Floats, Labels
from lacuna.presentation.audit_verdicts import CurveVerdict
from lacuna.stats.auc import fold_auc
from lacuna.stats.ridge_probe import ridge_weights

SHARES = (0.1, 0.25, 0.5, 1.0)

DRAWS = 3
"""How often each share is drawn; the mean is over draws and folds."""

WORTH = 0.005
"""Doubling the labels must raise the AUC by this much, and by twice its standard error, for a curve to be rising."""

HARDLY = 0.02
"""A curve is level where doubling the labels raised the AUC by less than this, twice its standard error included."""


@dataclass(frozen=True)
class LearningCurve:
    """`labels`: the mean number of known labels that each of SHARES was fitted to; `auc`: the mean AUC, 0 to 1, on the
    folds left out.

    `gain`: of that AUC from half of the labels to all; `error`: its standard error over folds.
    """

    labels: tuple[int, ...]
    auc: tuple[float, ...]
    gain: float
    error: float

    @property
    def verdict(self) -> CurveVerdict:
        """That no gain is shown does not make a curve level: of few labels the error may hide a large one."""
        if self.gain >= max(WORTH, 2 * self.error):
            return CurveVerdict.RISING
        return CurveVerdict.LEVEL if self.gain + 2 * self.error < HARDLY else CurveVerdict.NOT_TOLD


def learning_curve(
    features: Floats, labels: Labels, group: NDArray[np.int64], probed: ProbeResult, seed: int
) -> LearningCurve:
    """Fit on shares of the groups with a known label, score on whole folds.

    features (n, d); labels (n,), -1 = unknown; `probed`: the probe of the same labels, whose folds are taken.
    """
    known = probed.known
    features, labels, group = features[known], labels[known], group[known]
    names, member = np.unique(group, return_inverse=True)
    areas = np.full((len(SHARES), DRAWS, int(probed.folds.max()) + 1), np.nan)
    counts = np.zeros(areas.shape)
    for draw in range(DRAWS):
        place = np.random.default_rng([seed, draw]).permutation(len(names))[
            member
        ]  # a larger share contains the smaller
        for step, share in enumerate(SHARES):
            chosen = place < share * len(names)
            for fold in range(areas.shape[2]):
                train, test = chosen & (probed.folds != fold), probed.folds == fold
                counts[step, draw, fold] = train.sum()
                if train.any():
                    areas[step, draw, fold] = _auc(features, labels, train, test, probed.classes)
    gains = (areas[-1] - areas[-2]).ravel()
    gains = gains[~np.isnan(gains)]
    # Draws share their test folds, so only the folds count as independent.
    error = gains.std() / np.sqrt(areas.shape[2]) if len(gains) else np.nan
    return LearningCurve(
        tuple(round(count) for count in counts.mean(axis=(1, 2)).tolist()),
        tuple(np.nanmean(areas, axis=(1, 2)).tolist()),
        float(gains.mean()) if len(gains) else 0.0,
        float(error),
    )


def _auc(
    features: Floats, labels: Labels, train: NDArray[np.bool_], test: NDArray[np.bool_], classes: Sequence[int]
) -> float:
    members = (labels[train][:, None] == np.asarray(classes)).astype(np.float64)
    weights, mean = ridge_weights(features[train], members)
    scores = (features[test] - mean) @ weights.T
    return fold_auc(labels[test], scores, np.zeros(int(test.sum()), dtype=np.intp), classes)[0]
