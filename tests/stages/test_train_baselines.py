"""The stage train_baselines on small images whose red channel is the label."""

from pathlib import Path

import numpy as np
import pytest

from lacuna.core.feature_store import ColumnBlock, FeatureInfo, FeatureLayout
from lacuna.core.manifest import Manifest
from lacuna.core.predictions import Predictions
from lacuna.core.scores import roc_auc
from lacuna.core.targets import Target, Targets
from lacuna.io.atomic import read_json, sha256
from stages.train_baselines import train_baselines
from tests.shards import save_rows

TARGETS = Targets(
    (Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("absent", "present")))
)
N, SIZE = 120, 16
CONVOLUTIONS = 32 * (27 + 1) + 64 * (9 * 32 + 1) + 128 * (9 * 64 + 1)  # parameters of small_cnn
OUTS = ("class_shares.npz", "linear_probe.npz", "nearest_neighbours.npz", "parameters.json", "small_cnn.npz")


@pytest.fixture
def project(tiny_project):
    """A function that writes what the stage reads; pooled features hold the label, red images too."""

    def make(seed_of_test=0, **changes):
        params = tiny_project(
            {
                "backbone.name": "small_cnn",
                "backbone.weights": "none",
                "baseline.cnn_size": 8,
                "baseline.cnn_epochs": 12,
                "data.image_size": SIZE,
                "data.targets": {"kind": "categorical", "red": "binary"},
                **changes,
            }
        )
        random = np.random.default_rng(0)
        labels = np.stack([np.arange(N) % 3, np.arange(N) % 2], axis=1).astype(np.int16)
        images = random.integers(0, 100, (N, SIZE, SIZE, 3), dtype=np.uint8)
        images[labels[:, 1] == 1, :, :, 0] += 150
        pooled = random.normal(size=(N, 2, 128)).astype(np.float32)
        pooled[:, :, 0] += 4 * labels[:, 1:]
        features = random.normal(size=(N, 2, 8 + 128)).astype(np.float32)  # of another stage and of the last one
        labels[random.random(labels.shape) < 0.2] = -1
        split = np.array(["train"] * 60 + ["val"] * 40 + ["test"] * 20)
        hidden = np.random.default_rng(seed_of_test)
        images[100:] = hidden.integers(0, 256, (20, SIZE, SIZE, 3), dtype=np.uint8)
        pooled[100:] = hidden.normal(size=(20, 2, 128))
        labels[100:] = hidden.integers(-1, 2, (20, 2))
        for folder in ("images", "prepared", "features"):
            Path("data", folder).mkdir(parents=True, exist_ok=True)
        save_rows("data/images/pixels", images)
        features[:, :, 8:] = pooled
        save_rows("data/features/features", features)
        blocks = ColumnBlock(SIZE, "b0", "mean", 8), ColumnBlock(SIZE, "b2", "mean", 128, top=True)
        FeatureInfo(FeatureLayout(blocks), "", 2, "none are needed", "").save(Path("data/features"))
        TARGETS.save(Path("data/prepared/targets.json"))
        names, rows = np.array([f"{i}.png" for i in range(N)]), np.arange(N, dtype=np.int64)
        Manifest(names, rows, split, rows, labels).save(Path("data/prepared/manifest.csv"), TARGETS)
        return params

    return make


def digests():
    return {path.name: sha256(path) for path in sorted(Path("data/baselines").iterdir())}


def test_every_simple_model_answers_for_validation(project, capsys):
    facts = train_baselines(project())
    assert tuple(digests()) == OUTS
    scores = {}
    for name in OUTS:
        if name.endswith(".npz"):
            answered = Predictions.load(Path("data/baselines", name))
            assert answered.image.tolist() == [f"{i}.png" for i in range(60, 100)]
            assert answered.logits.shape == (40, 4)
            red = 1 / (1 + np.exp(-answered.logits[:, 3:]))
            scores[name] = roc_auc(answered.labels[:, 1], np.concatenate([1 - red, red], axis=1))
    assert scores["class_shares.npz"] == 0.5
    assert scores["linear_probe.npz"] > 0.8
    assert scores["nearest_neighbours.npz"] > 0.6
    assert scores["small_cnn.npz"] > 0.95
    sizes = read_json(Path("data/baselines/parameters.json"))
    assert sizes == {
        "backbone": CONVOLUTIONS,
        "models": {
            "class_shares": 4,
            "nearest_neighbours": CONVOLUTIONS + 60 * 128,
            "linear_probe": CONVOLUTIONS + 129 * 4 + 2 * 128,
            "small_cnn": CONVOLUTIONS + 129 * 4,
        },
    }
    assert set(facts["training_seconds"]) == {"linear_probe", "small_cnn"}
    assert set(facts["ms_per_image"]) == {"nearest_neighbours", "linear_probe", "small_cnn", "trained"}
    assert "small CNN epoch 12" in capsys.readouterr().out


@pytest.mark.slow
def test_the_same_bytes_again_whatever_the_test_part_and_the_training_settings_are(project):
    changes = {
        "train.loss": "asymmetric",
        "train.seed": 5,
        "finetune.learning_rate": 0.1,
        "head.hidden_units": 7,
        "warmup.solver": "sgd",
    }
    found = []
    for again in ({}, {"seed_of_test": 1, **changes}):
        train_baselines(project(**{"baseline.cnn_epochs": 2}, **again))
        found.append(digests())
    assert found[0] == found[1]


@pytest.mark.slow
def test_learned_targets_only_are_answered(project):
    train_baselines(project(**{"train.targets": ["red"]}))
    assert Predictions.load(Path("data/baselines/small_cnn.npz")).logits.shape == (40, 1)


@pytest.mark.slow
def test_simpler_models_are_charged_the_one_network_that_they_see(project):
    several = {"backbone.name": ["small_cnn", "mobilenet_v2"], "features.sizes": [16, 32], "baseline.cnn_epochs": 1}
    train_baselines(project(**several))
    counted = read_json(Path("data/baselines/parameters.json"))
    assert counted["models"]["linear_probe"] == CONVOLUTIONS + 129 * 4 + 2 * 128
    assert counted["backbone"] > 2_000_000
