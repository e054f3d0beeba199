"""Several models of the same targets as one: the mean of their probabilities (Lakshminarayanan et al. 2017)."""

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats, activate
from lacuna.core.targets import Target, Targets

SMALLEST_MEAN = 1e-7
"""A smaller mean probability counts as this one, so that its logarithm stays finite."""


def mean_logits(targets: Targets, members: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Logits (n, n_logits) whose probabilities are the mean of those of the members' logits, each (n, n_logits).

    These are probabilities before calibration: the ensemble is calibrated as one model.
    """
    columns = []
    for target, where in zip(targets, targets.slices, strict=True):
        probabilities = np.mean([activate(target, logits[:, where]) for logits in members], axis=0)
        columns.append(_logits(target, probabilities))
    return np.concatenate(columns, axis=1).astype(np.float32)


def _logits(target: Target, probabilities: Floats) -> Floats:
    logs: Floats = np.log(np.clip(probabilities, SMALLEST_MEAN, 1))
    return logs[:, 1:] - logs[:, :1] if target.kind == "binary" else logs
