import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from lacuna.config.blocks import Train
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.io.csv_files import read_csv
from lacuna.stats.logistic_regression import PATH
from lacuna.training import exact_head
from lacuna.training.exact_head import solve_head
from lacuna.training.exact_path import describe_path, write_path
from lacuna.training.statistics import TargetStatistics

TARGETS = Targets(
    (
        Target("kind", "categorical", ("bag", "shoe", "hat")),
        Target("red", "binary", ("no", "yes")),
        Target("never", "categorical", ("a", "b")),
    )
)
STATISTICS = [
    TargetStatistics(0.8, (30, 30, 20), (0.8, 0.9, 1.4)),
    TargetStatistics(0.7, (40, 30), (1.0, 1.0)),
    TargetStatistics(0.0, (0, 0), (1.0, 1.0)),
]
TRAIN = Train(
    targets=(),
    target_weights={},
    loss="cross_entropy",
    gamma=0.0,
    alpha=0.5,
    gamma_negative=0.0,
    margin=0.0,
    label_smoothing=0.0,
    hardest=1.0,
    batch_size=8,
    seed=0,
)


@pytest.fixture
def data():
    """100 of 140 images are for training, in pairs; the third target is unknown throughout."""
    random = np.random.default_rng(0)
    features = random.normal(3, 2, size=(140, 2, 12)).astype(np.float32)
    features[:, :, 5] = 0.7
    rows = np.sort(random.permutation(140)[:100])
    clean = features[rows, 0]
    kind = (2 * clean[:, :3] + random.gumbel(size=(100, 3))).argmax(axis=1)
    red = (clean[:, 3] + random.normal(size=100) > 3).astype(int)
    labels = np.stack([kind, red, np.zeros(100, int)], axis=1).astype(np.int16)
    labels[random.random((100, 3)) < 0.25] = -1
    labels[:, 2] = -1
    return features, rows, labels, (np.arange(100) // 2 * 2).astype(np.int64)


def solve(data, targets=TARGETS, statistics=STATISTICS, train=TRAIN, l2=None, seed=0):
    return solve_head(*data, targets, statistics, train, l2 or {}, seed)


def same_bytes(first, second):
    parts = ("mean", "scale", "weights", "bias")
    return all(getattr(first.head, name).tobytes() == getattr(second.head, name).tobytes() for name in parts)


def test_the_head_is_shaped_like_the_targets_and_predicts_what_it_has_seen(data):
    features, rows, labels, _ = data
    exact = solve(data)
    logits = exact.head.logits(features[rows, 0])
    assert logits.shape == (100, TARGETS.n_logits)
    known = labels[:, 0] >= 0
    assert (logits[known, :3].argmax(axis=1) == labels[known, 0]).mean() > 0.7
    known = labels[:, 1] >= 0
    assert ((logits[known, 3] > 0) == labels[known, 1]).mean() > 0.7


def test_mean_and_scale_are_those_of_view_0_of_the_training_images(data):
    features, rows, _, _ = data
    head = solve(data).head
    assert head.mean == pytest.approx(features[rows, 0].mean(axis=0), rel=1e-5)
    varied = np.arange(12) != 5
    assert head.scale[varied] == pytest.approx(features[rows, 0].std(axis=0)[varied], rel=1e-5)
    assert head.scale[5] == 1
    assert np.abs(head.weights[5]).max() < 1e-6


def test_a_target_without_known_labels_gives_all_classes_equal_shares(data):
    exact = solve(data)
    assert not exact.head.weights[:, 4:].any()
    assert not exact.head.bias[4:].any()
    assert exact.path["never"] == []


def test_other_images_and_other_views_are_not_read(data):
    features, rows, labels, group = data
    others = features.copy()
    others[np.setdiff1d(np.arange(140), rows)] = np.nan
    others[:, 1] = np.nan
    assert same_bytes(solve(data), solve((others, rows, labels, group)))


def test_features_on_disk_give_the_same(data, tmp_path):
    features, *others = data
    np.save(tmp_path / "features.npy", features)
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    assert same_bytes(solve(data), solve((mapped, *others)))


def test_unknown_cells_never_count(data):
    """Neither those of another target, nor the groups of unlabelled images, which would shape the folds."""
    features, rows, labels, group = data
    changed = labels.copy()
    changed[:, 1] = -1  # what is known of one target says nothing to another
    assert np.array_equal(solve(data).head.weights[:, :3], solve((features, rows, changed, group)).head.weights[:, :3])
    unlabelled = labels[:, 0] < 0
    torn = group.copy()
    torn[unlabelled] = 1000 + np.arange(unlabelled.sum())
    first, second = solve(data), solve((features, rows, labels, torn))
    known_pairs = group[~unlabelled]
    assert len(np.unique(known_pairs)) < len(known_pairs)
    assert np.array_equal(first.head.weights[:, :3], second.head.weights[:, :3])


def test_a_given_strength_is_taken_without_validation(data):
    exact = solve(data, l2={"kind": 0.05})
    assert exact.path["kind"] == [exact_head.PathStep(0.05, None, True)]
    assert [step.l2 for step in exact.path["red"]] == list(PATH[: len(exact.path["red"])])
    chosen = [step.log_loss for step in exact.path["red"] if step.chosen]
    assert chosen == [min(step.log_loss for step in exact.path["red"])]


def test_a_strength_for_a_target_that_is_not_learned_is_an_error(data):
    with pytest.raises(LacunaError, match=r"warmup\.l2 names 'colour'"):
        solve(data, l2={"colour": 1.0})


def test_class_weights_shift_towards_their_class(data):
    heavy = [replace(STATISTICS[0], weights=(5.0, 0.5, 0.5)), *STATISTICS[1:]]
    even, weighted = solve(data, l2={"kind": 0.1}), solve(data, statistics=heavy, l2={"kind": 0.1})
    assert weighted.head.bias[0] > even.head.bias[0] + 0.5


def test_smoothed_labels_give_a_less_certain_head(data):
    features, rows, _, _ = data
    sure = solve(data, l2={"red": 0.01}).head.logits(features[rows, 0])[:, 3]
    smooth = Train(**{**TRAIN.model_dump(), "label_smoothing": 0.3})
    unsure = solve(data, train=smooth, l2={"red": 0.01}).head.logits(features[rows, 0])[:, 3]
    assert np.abs(unsure).mean() < 0.7 * np.abs(sure).mean()


def test_copies_of_a_group_do_not_weaken_the_penalty():
    random = np.random.default_rng(0)
    features = np.repeat(random.normal(size=(40, 1, 60)), 4, axis=0).astype(np.float32)
    labels, group = np.repeat(random.integers(2, size=(40, 1)), 4, axis=0), np.repeat(np.arange(40), 4)
    red = TARGETS.take([1])

    def strength(group):
        path = solve((features, np.arange(160), labels, group), red, STATISTICS[1:2]).path["red"]
        return next(step.l2 for step in path if step.chosen)

    assert strength(group) >= 1
    assert strength(np.arange(160)) < 0.1


def test_what_cannot_be_held_out_has_the_strongest_penalty(data):
    features, rows, labels, group = data
    exact = solve((features, rows, labels, np.zeros_like(group)))
    assert exact.path["kind"] == [exact_head.PathStep(PATH[0], None, True)]
    one_known = np.full_like(labels, -1)
    one_known[7, 0] = 2
    exact = solve((features, rows, one_known, group))
    assert exact.head.bias[2] > exact.head.bias[0]


@pytest.mark.parametrize("cores", [1, 3])
def test_same_bytes_on_any_number_of_cores(data, cores, monkeypatch):
    expected = solve(data)
    monkeypatch.setattr(exact_head, "n_cores", lambda: cores)
    assert same_bytes(expected, solve(data))


def test_broken_features_are_an_error(data):
    features, rows, labels, group = data
    features[rows[3], 0, 2] = np.nan
    with pytest.raises(LacunaError, match="not finite"):
        solve((features, rows, labels, group))


def test_the_path_is_written(data, tmp_path):
    exact = solve(data, l2={"kind": 0.05})
    write_path(tmp_path / "l2.csv", exact.path)
    table = read_csv(tmp_path / "l2.csv")
    assert table[0] == {"target": "kind", "l2": "0.05", "cv_log_loss": "", "chosen": "1"}
    tried = [step.log_loss for step in exact.path["red"]]
    assert [float(row["cv_log_loss"]) for row in table[1:]] == pytest.approx(tried, abs=1e-6)
    assert sum(row["chosen"] == "1" for row in table) == 2
    kind, red, never = describe_path(exact.path)
    assert kind == "kind: penalty 0.05"
    assert red.startswith("red: penalty ")
    assert "cross-validated log loss 0." in red
    assert never == "never: no known label in training"


def test_it_needs_no_keras():
    code = "import sys, lacuna.training.exact_head; print({'keras', 'tensorflow'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
