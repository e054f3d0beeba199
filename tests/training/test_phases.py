"""Warm-up and fine-tuning called with parameters and arrays, as a search does; the stages: test_training_stages.py."""

from typing import get_args

import numpy as np
import pytest

from lacuna.config.blocks import Warmup
from lacuna.core.manifest import Manifest
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.features.store import FeatureInfo, FeatureStore
from lacuna.training.data import TrainingData, learned_indices
from lacuna.training.phases import RESAMPLERS, warm_up
from lacuna.training.statistics import TargetStatistics

KIND = Target("kind", "categorical", ("bag", "shoe", "hat"))
RED = Target("red", "binary", ("absent", "present"))
TARGETS = Targets((KIND, RED))
N = 60


def new_data(targets=TARGETS, streamed="", views=2):
    random = np.random.default_rng(0)
    labels = np.stack([random.integers(0, 3, N), random.random(N) < 0.25], axis=1).astype(np.int16)
    pooled = random.normal(size=(N, 2, 8)).astype(np.float32)
    pooled[..., :3] += 2 * np.eye(3, dtype=np.float32)[labels[:, 0]][:, None]
    pooled[..., 3] += 2 * labels[:, 1:]
    labels[random.random(labels.shape) < 0.2] = -1
    names, rows = np.array([f"{i}.png" for i in range(N)]), np.arange(N)
    split = np.array(["train"] * 40 + ["val"] * 10 + ["test"] * 10)
    statistics = {
        "kind": TargetStatistics(0.8, (11, 11, 10), (1.0, 1.0, 1.0)),
        "red": TargetStatistics(0.8, (24, 8), (2 / 3, 2.0)),
    }
    columns = [TARGETS.names.index(name) for name in targets.names]
    return TrainingData(
        targets,
        [statistics[name] for name in targets.names],
        Manifest(names, rows, split, rows, labels[:, columns]),
        FeatureStore(FeatureInfo("top_act", views, streamed, ""), pooled, None),
        np.zeros((N, 32, 32, 3), np.uint8),
    )


def test_a_warm_up_needs_no_files_says_nothing_and_repeats_itself(tiny_project, tmp_path, capsys):
    params = tiny_project({"train.batch_size": 8, "warmup.epochs": 3, "warmup.resample": "mlsmote"})
    before = sorted(tmp_path.iterdir())
    rows = []
    first = warm_up(params, new_data(), on_epoch=rows.append)
    second = warm_up(params, new_data(), on_epoch=lambda row: None)
    assert first.history == second.history == rows
    assert first.history[-1]["val_log_loss"] < first.history[0]["val_log_loss"]
    for weights, again in zip(first.head.get_weights(), second.head.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, again)
    assert sorted(tmp_path.iterdir()) == before
    assert capsys.readouterr().out == ""


def test_every_way_to_resample_can_be_named():
    assert set(get_args(Warmup.model_fields["resample"].annotation)) == {"none", *RESAMPLERS}


@pytest.mark.slow
def test_resampling_changes_what_is_learned(tiny_project):
    changes = {"train.batch_size": 8, "warmup.epochs": 1}
    plain = warm_up(tiny_project(changes), new_data(), on_epoch=lambda row: None)
    resampled = warm_up(tiny_project(changes | {"warmup.resample": "mlsmote"}), new_data(), on_epoch=lambda row: None)
    assert plain.history != resampled.history


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"targets": Targets((KIND,))}, "warmup.resample: mlsmote needs a binary target"),
        (
            {"views": 0, "streamed": "augment.views is 0"},
            r"warmup.resample: .* reads images here \(augment.views is 0\)",
        ),
    ],
    ids=["no binary target", "no stored features"],
)
def test_mlsmote_where_it_cannot_work_is_refused_by_its_key(tiny_project, data, message):
    params = tiny_project({"warmup.resample": "mlsmote", "backbone.weights": "none"})
    with pytest.raises(LacunaError, match=message):
        warm_up(params, new_data(**data))


def test_learned_targets_stand_in_the_order_of_all(tiny_project):
    train = tiny_project({}).train
    three = Targets((KIND, RED, Target("old", "binary", ("absent", "present"))))

    def indices(**changes):
        return learned_indices(three, train.model_copy(update=changes))

    assert indices() == [0, 1, 2]
    assert indices(targets=("old", "kind")) == [0, 2]
    assert three.take(indices(targets=("old", "kind"))).names == ("kind", "old")
    assert indices(targets=("old",), target_weights={"red": 2.0}) == [2]
    with pytest.raises(LacunaError, match=r"train.targets names 'blue', .* its targets are kind, red, old"):
        indices(targets=("blue",))
    with pytest.raises(LacunaError, match=r"train.target_weights names 'blue'"):
        indices(target_weights={"blue": 2.0})
