from dataclasses import replace

import numpy as np
import pytest

from lacuna.config.blocks import Head
from lacuna.core.scores import activate, log_loss
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.evaluation.training_curves import diagnose_collapse, diagnose_history
from lacuna.training.batches import FeatureBatches
from lacuna.training.checkpoint import Checkpoint
from lacuna.training.data import LabelledBatches
from lacuna.training.loop import Phase, predict_logits, train_phase, write_history
from lacuna.training.model import build_head, start_at_prior
from lacuna.training.statistics import TargetStatistics

TARGETS = Targets((Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("no", "yes"))))
STATISTICS = [TargetStatistics(0.7, (5, 3, 2), (0.8, 1.0, 1.4)), TargetStatistics(0.7, (12, 4), (0.75, 1.75))]


class Killed(KeyboardInterrupt):
    pass


class KilledAfter(Checkpoint):
    """A checkpoint whose process dies right after an epoch was saved."""

    def __init__(self, path, epoch):
        super().__init__(path)
        object.__setattr__(self, "epoch", epoch)

    def save(self, state):
        super().save(state)
        if len(state.history) == self.epoch:
            raise Killed


@pytest.fixture
def phase(tiny_project):
    params = tiny_project({"train.batch_size": 8})
    return Phase(
        "warmup", TARGETS, STATISTICS, params.train, params.optimizer, learning_rate=0.01, epochs=5, patience=None
    )


def part(seed=0, n=40, learnable=True):
    random = np.random.default_rng(seed)
    labels = np.stack([random.integers(0, 3, n), random.integers(0, 2, n)], axis=1).astype(np.int16)
    features = random.normal(size=(n, 2, 6)).astype(np.float32)
    if learnable:
        features[..., :3] += 3 * np.eye(3, dtype=np.float32)[labels[:, 0]][:, None]
        features[..., 3] += 3 * labels[:, 1:2]
    labels[random.random(labels.shape) < 0.3] = -1
    return LabelledBatches(FeatureBatches(features, np.arange(n), 8, seed=0), labels)


HEAD = Head(dropout=0.3, hidden_units=0, batch_norm=False)


def new_head(options=HEAD):
    import keras

    keras.utils.set_random_seed(0)
    head = build_head(6, TARGETS, options)
    start_at_prior(head, TARGETS, STATISTICS)
    return head


def test_output_biases_start_at_the_log_prior():
    bias = new_head().get_layer("logits").get_weights()[1]
    np.testing.assert_allclose(np.exp(bias[:3]), np.array([6, 4, 3]) / 13, rtol=1e-5)
    assert bias[3] == pytest.approx(np.log(5 / 13))


def test_a_phase_learns_and_reports_what_it_minimised(tmp_path, phase):
    head = new_head()
    history, _ = train_phase(phase, head, part(), part(1), Checkpoint(tmp_path / "state.npz"))
    assert len(history) == 5
    assert history[-1]["val_log_loss"] < history[0]["val_log_loss"] < 1.0
    last = history[-1]
    assert last["val_log_loss"] == pytest.approx((last["val_log_loss_kind"] + last["val_log_loss_red"]) / 2)
    assert last["val_average_precision_red"] > 0.8


def test_training_log_loss_is_the_mean_over_the_whole_epoch(tmp_path, phase):
    still = replace(phase, epochs=1, learning_rate=1e-12)
    head = build_head(6, TARGETS, HEAD.model_copy(update={"dropout": 0.0}))
    one_view = part()
    one_view.batches.features[:, 1] = one_view.batches.features[:, 0]
    known = [(one_view.labels[:, i] >= 0).mean() for i in range(2)]
    shares = [replace(s, known_share=share) for s, share in zip(STATISTICS, known, strict=True)]
    (row,), _ = train_phase(replace(still, statistics=shares), head, one_view, one_view, Checkpoint(tmp_path / "s.npz"))
    assert row["log_loss"] == pytest.approx(row["val_log_loss"], rel=1e-5)  # both: mean over each target's known cells
    assert row["loss"] == pytest.approx(row["val_loss"], rel=1e-5)


def test_resumed_after_a_kill_it_ends_with_the_same_weights(tmp_path, phase):
    whole, interrupted = new_head(), new_head()
    history, _ = train_phase(phase, whole, part(), part(1), Checkpoint(tmp_path / "whole.npz"))
    with pytest.raises(Killed):
        train_phase(phase, interrupted, part(), part(1), KilledAfter(tmp_path / "state.npz", epoch=2))
    fresh = build_head(6, TARGETS, HEAD)
    resumed_history, _ = train_phase(phase, fresh, part(), part(1), Checkpoint(tmp_path / "state.npz"))
    assert resumed_history == history
    for expected, resumed in zip(whole.get_weights(), fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(expected, resumed)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"name": "adamw", "weight_decay": 0.1, "schedule": "cosine", "ramp": 0.2, "average": 0.9},
        {"name": "sgd", "schedule": "plateau", "plateau_patience": 1, "average": 0.99},
    ],
    ids=["adamw, cosine", "sgd, plateau"],
)
def test_resuming_restores_schedule_average_and_batch_norm_too(tmp_path, phase, changes):
    full = Head(dropout=0.3, hidden_units=5, batch_norm=True)
    options = phase.optimizer.model_copy(update=changes)
    phase = replace(phase, optimizer=options, learning_rate=0.3, factors={"hidden": 0.5})
    whole, interrupted, fresh = (new_head(full) for _ in range(3))
    history, best = train_phase(phase, whole, part(), part(1), Checkpoint(tmp_path / "whole.npz"))
    assert len({row["val_log_loss"] for row in history}) == 5
    with pytest.raises(Killed):
        train_phase(phase, interrupted, part(), part(1), KilledAfter(tmp_path / "state.npz", epoch=3))
    resumed_history, resumed_best = train_phase(phase, fresh, part(), part(1), Checkpoint(tmp_path / "state.npz"))
    assert (resumed_history, resumed_best) == (history, best)
    for expected, resumed in zip(whole.get_weights(), fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(expected, resumed)


def test_plateau_lowers_the_rate_when_nothing_gets_better(phase):
    learning_rates = []
    head = new_head()
    hopeless = replace(
        phase, optimizer=phase.optimizer.model_copy(update={"schedule": "plateau"}), learning_rate=0.3, epochs=6
    )

    def watch(row):
        learning_rates.append(float(head.optimizer.learning_rate))

    _, best = train_phase(hopeless, head, part(learnable=False), part(1, learnable=False), on_epoch=watch)
    assert best == 0
    assert learning_rates == pytest.approx([0.3, 0.09, 0.09, 0.027, 0.027, 0.0081])


def test_the_averaged_weights_are_validated_and_kept_while_the_others_learn_on(phase):
    validation = part(1)
    averaging = replace(phase, optimizer=phase.optimizer.model_copy(update={"average": 0.99}))
    raw, average = new_head(), new_head()
    raw_history, _ = train_phase(replace(phase, epochs=5), raw, part(), validation)
    history, best = train_phase(averaging, average, part(), validation)
    assert [row["loss"] for row in history] == [row["loss"] for row in raw_history]  # the same steps
    assert [row["val_loss"] for row in history] != [row["val_loss"] for row in raw_history]
    assert history[-1]["val_log_loss"] < 1.0  # a short training is not held back by where it began
    labels = np.asarray(validation.labels)
    logits = predict_logits(average, validation)
    kept = np.mean([log_loss(labels[:, i], activate(TARGETS[i], logits[:, TARGETS.slices[i]])) for i in range(2)])
    assert kept == pytest.approx(history[best - 1]["val_log_loss"], rel=1e-6)


def test_batch_norm_learns_and_predicts_with_its_moving_statistics(phase):
    training, validation = part(), part(1)
    for part_of_data in (training, validation):
        part_of_data.batches.features[:] = 50 + 20 * part_of_data.batches.features
    head = new_head(Head(dropout=0.0, hidden_units=0, batch_norm=True))
    history, _ = train_phase(phase, head, training, validation)
    assert history[-1]["val_log_loss"] < 0.9
    mean = head.get_layer("batch_norm").moving_mean
    np.testing.assert_allclose(mean, training.batches.features.mean(axis=(0, 1)), rtol=0.3)


def test_what_is_raised_after_an_epoch_stops_the_phase_and_nothing_is_printed(phase, capsys):
    seen = []

    def prune(row):
        seen.append(row["epoch"])
        if row["epoch"] == 2:
            raise Killed

    with pytest.raises(Killed):
        train_phase(phase, new_head(), part(), part(1), on_epoch=prune)
    assert seen == [1, 2]
    assert capsys.readouterr().out == ""


def test_early_stopping_keeps_the_best_weights_and_counts_over_a_kill(tmp_path, phase):
    hopeless = replace(phase, epochs=30, patience=3, learning_rate=0.3)
    training, validation = part(learnable=False), part(1, learnable=False)
    head = new_head()
    before = predict_logits(head, validation)
    history, best_epoch = train_phase(hopeless, head, training, validation, Checkpoint(tmp_path / "state.npz"))
    assert best_epoch == 0
    assert len(history) == 3
    np.testing.assert_array_equal(predict_logits(head, validation), before)  # epoch 0 was the best

    other = new_head()
    with pytest.raises(Killed):
        train_phase(hopeless, other, training, validation, KilledAfter(tmp_path / "killed.npz", epoch=2))
    resumed, _ = train_phase(hopeless, other, training, validation, Checkpoint(tmp_path / "killed.npz"))
    assert len(resumed) == 3


def test_a_part_without_any_known_label_trains_nothing_and_breaks_nothing(tmp_path, phase):
    empty = part()
    empty.labels[:] = -1
    head = new_head()
    before = head.get_weights()
    history, _ = train_phase(phase, head, empty, empty, Checkpoint(tmp_path / "state.npz"))
    assert all(row["loss"] == 0 for row in history)
    assert not any("val_log_loss" in row for row in history)  # undefined figures are left out
    for untrained, trained in zip(before, head.get_weights(), strict=True):
        np.testing.assert_array_equal(untrained, trained)


def test_history_csv_has_a_column_per_target_and_leaves_undefined_cells_empty(tmp_path):
    row = {"epoch": 1, "loss": 0.5, "val_loss": 0.5, "log_loss": 0.5, "val_log_loss": 0.25}
    write_history(tmp_path / "history.csv", "warmup", [row], TARGETS)
    header, line = (tmp_path / "history.csv").read_text().splitlines()
    assert header == (
        "phase,epoch,loss,val_loss,log_loss,val_log_loss,val_average_precision,"
        "val_log_loss_kind,val_average_precision_kind,val_log_loss_red,val_average_precision_red"
    )
    assert line == "warmup,1,0.500000,0.500000,0.500000,0.250000,,,,,"


def rows(training, validation):
    return [{"log_loss": t, "val_log_loss": v} for t, v in zip(training, validation, strict=True)]


def test_over_and_underfitting_are_said_in_words():
    (over,) = diagnose_history(rows([1.0, 0.8, 0.6, 0.4], [1.0, 0.9, 0.95, 1.2]))
    assert "overfitting: validation log loss rose from 0.900 in epoch 2" in over
    (under,) = diagnose_history(rows([1.0, 0.9, 0.8], [1.0, 0.9, 0.8]))
    assert "underfitting" in under
    assert diagnose_history(rows([1.0, 0.9, 0.85], [1.0, 0.9, 0.899])) == []
    fell_but_not_below_its_best = rows([1.0, 0.9, 1.0, 1.0], [1.0, 0.8, 0.9, 0.81])
    assert diagnose_history(fell_but_not_below_its_best) == []


def test_a_loss_that_is_not_finite_stops_the_phase_in_words(tmp_path, phase):
    broken = part()
    broken.batches.features[3] = np.nan
    with pytest.raises(LacunaError, match=r"warmup diverged: .* lower warmup.learning_rate"):
        train_phase(phase, new_head(), broken, part(1), Checkpoint(tmp_path / "state.npz"))


def test_collapse_into_one_class_is_said_in_words():
    labels = np.array([[0, 0], [1, 1], [2, -1]], np.int16)
    logits = np.array([[9, 0, 0, -1], [9, 0, 0, 1], [9, 0, 0, 0]], np.float32)
    assert diagnose_collapse(TARGETS, labels, logits) == ["collapse: every validation image gets kind = bag"]
