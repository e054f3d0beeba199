"""What is said of the training curves and of the validation logits."""

import numpy as np
import pytest

from lacuna.core.targets import Target, Targets
from lacuna.core.training_curves import diagnose_collapse, diagnose_history, diagnose_phases, read_history
from lacuna.training.history import write_history

TARGETS = Targets((Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("no", "yes"))))


def history(training, validation):
    """The rows of epoch 0, which has no training loss, and of those after it; the best one is kept."""
    best = int(np.argmin(validation))
    rows = [
        {"epoch": epoch, "kept": int(epoch == best), "log_loss": before, "val_log_loss": after}
        for epoch, (before, after) in enumerate(zip([np.nan, *training], validation, strict=True))
    ]
    del rows[0]["log_loss"]
    return rows


def test_a_rising_validation_loss_is_overfitting_if_training_still_falls():
    (said,) = diagnose_history(history([1.0, 0.8, 0.6], [1.0, 0.9, 0.95, 1.2]))
    assert said == (
        "overfitting: validation log loss rose from 0.900 in epoch 1, its best, to 1.200 in epoch 3, "
        "while training fell on"
    )
    assert diagnose_history(history([0.8, 1.0, 1.0], [1.0, 0.8, 0.9, 1.2])) == []
    assert diagnose_history(history([1.0, 0.8, 0.6], [1.0, 0.8, 0.9, 0.81])) == []  # hardly above its best


def test_a_last_epoch_that_is_much_better_is_underfitting():
    (said,) = diagnose_history(history([0.9, 0.8], [1.0, 0.9, 0.8]))
    assert said == "underfitting: validation log loss was still falling at the last epoch; more epochs may help"
    assert diagnose_history(history([0.9, 0.85], [1.0, 0.9, 0.899])) == []


@pytest.mark.parametrize("training", [[0.9], [0.9, 0.8, 0.7]])
def test_a_phase_that_brought_nothing_is_said_and_not_called_overfitting(training):
    (said,) = diagnose_history(history(training, [0.5, *(0.6 + 0.1 * i for i in range(len(training)))]))
    assert said == (
        "no epoch was better on validation than the weights it started from, which are kept: log loss 0.500"
    )


def test_an_epoch_that_was_better_but_is_not_kept_is_not_called_kept():
    """What validation does not show to be a gain is left out of the model, whatever its best epoch."""
    rows = history([0.9, 0.8, 0.7], [0.5, 0.498, 0.6, 0.7])
    for row in rows:
        row["kept"] = int(row["epoch"] == 0)
    (said,) = diagnose_history(rows)
    assert said == (
        "epoch 1 brought validation log loss from 0.500 to 0.498, which is not shown to be a gain: the weights it "
        "started from are kept"
    )


@pytest.mark.parametrize("rows", [[], history([], [0.7]), [{"epoch": 0, "kept": 1}, {"epoch": 1, "kept": 0}]])
def test_nothing_is_said_of_no_epochs_or_without_a_known_label(rows):
    assert diagnose_history(rows) == []


def test_histories_are_read_as_they_were_written_and_the_phase_is_named(tmp_path):
    rows = [{key: value for key, value in row.items() if key != "kept"} for row in history([0.9, 0.8], [1.0, 0.9, 0.8])]
    write_history(tmp_path / "two.csv", "finetune", rows, 2, TARGETS)
    write_history(tmp_path / "none.csv", "warmup", [], 0, TARGETS)
    assert read_history(tmp_path / "none.csv") == []
    assert read_history(tmp_path / "two.csv") == history([0.9, 0.8], [1.0, 0.9, 0.8])
    (said,) = diagnose_phases({"warm-up": tmp_path / "none.csv", "fine-tuning": tmp_path / "two.csv"})
    assert said.startswith("fine-tuning: underfitting: ")


def test_collapse_into_one_class_is_said_in_words():
    labels = np.array([[0, 0], [1, 1], [2, -1]], np.int16)
    logits = np.array([[9, 0, 0, -1], [9, 0, 0, 1], [9, 0, 0, 0]], np.float32)
    assert diagnose_collapse(TARGETS, labels, logits) == ["collapse: every validation image gets kind = bag"]
