"""What the training curves and the validation logits show, in words."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import activate
from lacuna.core.targets import Targets
from lacuna.io.csv_files import read_csv

HISTORIES = {"warm-up": Path("plots/history_warmup.csv"), "fine-tuning": Path("plots/history_finetune.csv")}
"""Each phase's history in a project, by what people call the phase."""

OVERFIT_RISE = 0.02
"""A final validation log loss this share above its best says overfitting, if training still falls."""

STILL_FALLING = 0.01
"""A last epoch that lowers the validation log loss by more than this share says underfitting."""


REGULARIZATION = Path("plots/regularization_path.csv")
"""What cross-validation found for each penalty, where the head was solved exactly."""


def read_history(path: Path) -> list[dict[str, float]]:
    """A phase's epochs, a row each, as `training.history.write_history` wrote them; what was undefined is left out."""
    return [{key: float(value) for key, value in row.items() if key != "phase" and value} for row in read_csv(path)]


def diagnose_phases(histories: Mapping[str, Path]) -> list[str]:
    """`diagnose_history` of each phase's file, each note with the name of its phase."""
    return [f"{phase}: {note}" for phase, path in histories.items() for note in diagnose_history(read_history(path))]


def kept_epoch(history: Sequence[Mapping[str, float]]) -> int:
    """The number of the epoch whose weights were kept, 0 for those that the phase started from."""
    return next(int(row["epoch"]) for row in history if row["kept"])


def diagnose_history(history: Sequence[Mapping[str, float]]) -> list[str]:
    """Say when a phase brought nothing, overfitted, or was still learning when it ended."""
    if len(history) < 2 or "val_log_loss" not in history[-1]:
        return []
    kept, last = kept_epoch(history), history[-1]
    before = history[kept]["val_log_loss"]
    if kept == 0:
        best = min(history, key=lambda row: row["val_log_loss"])
        if best["val_log_loss"] < before:
            reached = best["val_log_loss"]
            return [
                f"epoch {best['epoch']:.0f} brought validation log loss from {before:.3f} to {reached:.3f}, which is "
                "not shown to be a gain: the weights it started from are kept"
            ]
        return [
            f"no epoch was better on validation than the weights it started from, which are kept: log loss {before:.3f}"
        ]
    fell = last["log_loss"] < history[kept]["log_loss"]
    if last["val_log_loss"] > before * (1 + OVERFIT_RISE) and fell:
        return [
            f"overfitting: validation log loss rose from {before:.3f} in epoch {kept}, its best, to "
            f"{last['val_log_loss']:.3f} in epoch {last['epoch']:.0f}, while training fell on"
        ]
    if last["kept"] and last["val_log_loss"] < history[-2]["val_log_loss"] * (1 - STILL_FALLING):
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
