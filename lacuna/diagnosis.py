"""What the training curves and the validation logits show, in words."""

import numpy as np
from numpy.typing import NDArray

from lacuna.metrics import activate
from lacuna.targets import Targets

OVERFIT_RISE = 0.02
"""A final validation log loss this share above its best says overfitting, if training still falls."""

STILL_FALLING = 0.01
"""A last epoch that lowers the validation log loss by more than this share says underfitting."""


def diagnose_history(history: list[dict[str, float]], best_epoch: int) -> list[str]:
    """Say when a phase overfitted, was still learning when it ended, or did not improve on what it started from.

    best_epoch: number of the epoch whose weights are kept, from 1; 0 is the model as it came.
    """
    if not history or "val_log_loss" not in history[-1]:
        return []
    if best_epoch == 0:
        return ["no epoch improved the validation log loss: the weights it started from are kept"]
    training = [row["log_loss"] for row in history]
    validation = [row["val_log_loss"] for row in history]
    best = best_epoch - 1
    if validation[-1] > validation[best] * (1 + OVERFIT_RISE) and training[-1] < training[best]:
        return [
            f"overfitting: validation log loss rose from {validation[best]:.3f} in epoch {best_epoch} (its weights are "
            f"kept) to {validation[-1]:.3f}, while training fell to {training[-1]:.3f}"
        ]
    if best == len(history) - 1 > 0 and validation[-1] < validation[-2] * (1 - STILL_FALLING):
        return ["underfitting: validation log loss was still falling at the last epoch; more epochs may help"]
    return []


def diagnose_collapse(targets: Targets, labels: NDArray[np.int16], logits: NDArray[np.float32]) -> list[str]:
    """Say which targets are predicted as one and the same class for every image although their labels vary."""
    notes = []
    for index, (target, columns) in enumerate(zip(targets, targets.slices, strict=True)):
        known = labels[:, index] >= 0
        if len(np.unique(labels[known, index])) < 2:
            continue
        predicted = np.unique(activate(target, logits[known][:, columns]).argmax(axis=1))
        if len(predicted) == 1:
            only = target.classes[predicted[0]]
            notes.append(f"collapse: every validation image gets {target.name} = {only}")
    return notes
