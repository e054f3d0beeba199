from dataclasses import replace

import numpy as np
import pytest

from lacuna.config.blocks import Head
from lacuna.core.scores import activate, log_loss
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.training.batches import FeatureBatches
from lacuna.training.checkpoint import Checkpoint
from lacuna.training.data import LabelledBatches
from lacuna.training.history import write_history
from lacuna.training.loop import Phase, predict_logits, train_phase
from lacuna.training.model import build_head, set_standardization, start_at_prior
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
        if state.history[-1]["epoch"] == self.epoch:
            raise Killed


@pytest.fixture
def phase(tiny_project):
    params = tiny_project(
        {"train.batch_size": 8, "train.loss": "focal", "warmup.solver": "sgd", "optimizer.schedule": "constant"}
    )
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
    return LabelledBatches(FeatureBatches((features,), np.arange(n), 8, seed=0), labels)


HEAD = Head(dropout=0.3, hidden_units=0)


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


def test_a_phase_begins_with_the_model_as_it_came_learns_and_reports_what_it_minimised(tmp_path, phase):
    head, validation = new_head(), part(1)
    before = predict_logits(head, validation)
    quick = replace(phase, learning_rate=0.03)
    history, best = train_phase(quick, head, part(), validation, Checkpoint(tmp_path / "state.npz"))
    assert [row["epoch"] for row in history] == [0, 1, 2, 3, 4, 5]
    first, *_, last = history
    assert not {"loss", "log_loss"} & set(first)  # nothing has been trained on yet
    for index, (target, columns) in enumerate(zip(TARGETS, TARGETS.slices, strict=True)):
        expected = log_loss(validation.labels[:, index], activate(target, before[:, columns]))
        assert first[f"val_log_loss_{target.name}"] == pytest.approx(expected)
    assert history[best]["val_log_loss"] == min(row["val_log_loss"] for row in history)
    assert last["val_log_loss"] < first["val_log_loss"] - 0.1
    assert last["val_log_loss"] == pytest.approx((last["val_log_loss_kind"] + last["val_log_loss_red"]) / 2)
    assert last["val_average_precision_red"] > 0.8


def test_training_log_loss_is_the_mean_over_the_whole_epoch(tmp_path, phase):
    still = replace(phase, epochs=1, learning_rate=1e-12)
    head = build_head(6, TARGETS, HEAD.model_copy(update={"dropout": 0.0}))
    one_view = part()
    (features,) = one_view.batches.arrays
    features[:, 1] = features[:, 0]
    known = [(one_view.labels[:, i] >= 0).mean() for i in range(2)]
    shares = [replace(s, known_share=share) for s, share in zip(STATISTICS, known, strict=True)]
    (_, row), _ = train_phase(
        replace(still, statistics=shares), head, one_view, one_view, Checkpoint(tmp_path / "s.npz")
    )
    assert row["log_loss"] == pytest.approx(row["val_log_loss"], rel=1e-5)  # both: mean over each target's known cells
    assert row["loss"] == pytest.approx(row["val_loss"], rel=1e-5)


def test_resumed_after_two_kills_it_ends_with_the_same_weights(tmp_path, phase):
    whole, interrupted = new_head(), new_head()
    fresh, again = (build_head(6, TARGETS, HEAD) for _ in range(2))
    history, _ = train_phase(phase, whole, part(), part(1), Checkpoint(tmp_path / "whole.npz"))
    for head, killed_after in ((interrupted, 1), (fresh, 2)):
        with pytest.raises(Killed):
            train_phase(phase, head, part(), part(1), KilledAfter(tmp_path / "state.npz", epoch=killed_after))
    resumed_history, _ = train_phase(phase, again, part(), part(1), Checkpoint(tmp_path / "state.npz"))
    assert resumed_history == history
    for expected, resumed in zip(whole.get_weights(), again.get_weights(), strict=True):
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
def test_resuming_restores_schedule_average_and_a_hidden_layer_too(tmp_path, phase, changes):
    full = Head(dropout=0.3, hidden_units=5)
    options = phase.optimizer.model_copy(update=changes)
    phase = replace(phase, optimizer=options, learning_rate=0.3, factors={"hidden": 0.5})
    whole, interrupted, fresh = (new_head(full) for _ in range(3))
    history, best = train_phase(phase, whole, part(), part(1), Checkpoint(tmp_path / "whole.npz"))
    assert len({row["val_log_loss"] for row in history}) == 6
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
    assert history[0] == raw_history[0]
    assert [row["loss"] for row in history[1:]] == [row["loss"] for row in raw_history[1:]]  # the same steps
    assert [row["val_loss"] for row in history[1:]] != [row["val_loss"] for row in raw_history[1:]]
    assert history[-1]["val_log_loss"] < 1.0  # a short training is not held back by where it began
    labels = np.asarray(validation.labels)
    logits = predict_logits(average, validation)
    kept = np.mean([log_loss(labels[:, i], activate(TARGETS[i], logits[:, TARGETS.slices[i]])) for i in range(2)])
    assert kept == pytest.approx(history[best]["val_log_loss"], rel=1e-6)


def test_what_standardizes_the_features_is_not_trained(phase):
    training, validation = part(), part(1)
    for part_of_data in (training, validation):
        part_of_data.batches.arrays[0][:] = 50 + 20 * part_of_data.batches.arrays[0]
    head = new_head(Head(dropout=0.0, hidden_units=4))
    (features,) = training.batches.arrays
    mean, scale = features[:, 0].mean(axis=0), features[:, 0].std(axis=0)
    set_standardization(head, mean, scale)
    history, _ = train_phase(phase, head, training, validation)
    assert history[-1]["val_log_loss"] < 0.9  # as raw features of this size would never let it
    for kept, given in zip(head.get_layer("standardize").get_weights(), (mean, scale), strict=True):
        np.testing.assert_array_equal(kept, given)


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


def test_what_brings_nothing_ends_after_one_epoch_and_leaves_the_weights_as_they_came(tmp_path, phase, capsys):
    hopeless = replace(phase, epochs=30, patience=3, learning_rate=0.3)
    training, validation = part(learnable=False), part(1, learnable=False)
    head = new_head()
    before = head.get_weights()
    history, best_epoch = train_phase(hopeless, head, training, validation, Checkpoint(tmp_path / "state.npz"))
    assert best_epoch == 0
    assert [row["epoch"] for row in history] == [0, 1]
    for untrained, kept in zip(before, head.get_weights(), strict=True):
        np.testing.assert_array_equal(untrained, kept)
    assert "warmup: no epoch improved the validation log loss, the weights it started from" in capsys.readouterr().out

    other = new_head()
    with pytest.raises(Killed):
        train_phase(hopeless, other, training, validation, KilledAfter(tmp_path / "killed.npz", epoch=1))
    resumed, _ = train_phase(hopeless, other, training, validation, Checkpoint(tmp_path / "killed.npz"))
    assert resumed == history


@pytest.mark.parametrize(("schedule", "ramp", "epochs"), [("cosine", 0.4, 2), ("cosine", 0.5, 3), ("constant", 0.5, 1)])
def test_epochs_in_which_the_learning_rate_rises_are_not_judged(phase, schedule, ramp, epochs):
    options = phase.optimizer.model_copy(update={"schedule": schedule, "ramp": ramp})
    hopeless = replace(phase, epochs=5, patience=3, learning_rate=3.0, optimizer=options)
    history, best_epoch = train_phase(hopeless, new_head(), part(learnable=False), part(1, learnable=False))
    assert best_epoch == 0
    assert len(history) == epochs + 1


def test_once_an_epoch_was_better_patience_counts_and_counts_over_a_kill(tmp_path, phase):
    """What is learned is not in the validation part, so that the first steps help by chance and the rest overfit."""
    eager = replace(phase, epochs=40, patience=3, learning_rate=0.3)
    training, validation = part(), part(1)
    head = new_head()
    history, best = train_phase(eager, head, training, validation)
    assert 0 < best < 37
    assert len(history) == best + 3 + 1
    assert all(row["val_log_loss"] >= history[best]["val_log_loss"] for row in history[best:])
    kept = predict_logits(head, validation)
    found = [log_loss(validation.labels[:, i], activate(TARGETS[i], kept[:, TARGETS.slices[i]])) for i in range(2)]
    assert np.mean(found) == pytest.approx(history[best]["val_log_loss"])

    other = new_head()
    with pytest.raises(Killed):
        train_phase(eager, other, training, validation, KilledAfter(tmp_path / "killed.npz", epoch=best + 2))
    assert train_phase(eager, other, training, validation, Checkpoint(tmp_path / "killed.npz")) == (history, best)


def test_a_part_without_any_known_label_trains_nothing_and_breaks_nothing(tmp_path, phase):
    empty = part()
    empty.labels[:] = -1
    head = new_head()
    before = head.get_weights()
    history, best = train_phase(phase, head, empty, empty, Checkpoint(tmp_path / "state.npz"))
    assert best == 0
    assert all(row["loss"] == 0 for row in history[1:])
    assert not any("val_log_loss" in row for row in history)  # undefined figures are left out
    for untrained, trained in zip(before, head.get_weights(), strict=True):
        np.testing.assert_array_equal(untrained, trained)


def test_history_csv_marks_the_kept_epoch_and_leaves_undefined_cells_empty(tmp_path):
    rows = [
        {"epoch": 0, "val_loss": 0.75, "val_log_loss": 0.5},
        {"epoch": 1, "loss": 0.5, "val_loss": 0.5, "log_loss": 0.5, "val_log_loss": 0.25},
    ]
    write_history(tmp_path / "history.csv", "warmup", rows, 1, TARGETS)
    header, *lines = (tmp_path / "history.csv").read_text().splitlines()
    assert header == (
        "phase,epoch,kept,loss,val_loss,log_loss,val_log_loss,val_average_precision,"
        "val_log_loss_kind,val_average_precision_kind,val_log_loss_red,val_average_precision_red"
    )
    assert lines == [
        "warmup,0,0,,0.750000,,0.500000,,,,,",
        "warmup,1,1,0.500000,0.500000,0.500000,0.250000,,,,,",
    ]


def test_a_loss_that_is_not_finite_stops_the_phase_in_words(tmp_path, phase):
    broken = part()
    broken.batches.arrays[0][3] = np.nan
    with pytest.raises(LacunaError, match=r"warmup diverged: .* lower warmup.learning_rate"):
        train_phase(phase, new_head(), broken, part(1), Checkpoint(tmp_path / "state.npz"))
