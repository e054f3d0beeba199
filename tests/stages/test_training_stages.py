"""featurize, train_warmup and train_finetune on a few small images."""

import keras
import numpy as np
import pytest

from lacuna.config import Head
from lacuna.features import FeatureStore
from lacuna.files import sha256, write_json
from lacuna.manifest import Manifest
from lacuna.network import load_trained
from lacuna.predictions import Predictions
from lacuna.targets import Target, Targets
from stages.featurize import featurize
from stages.train_finetune import train_finetune
from stages.train_warmup import train_warmup

TARGETS = Targets(
    (Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("absent", "present")))
)
N, SIZE = 30, 32
HEAD = Head(dropout=0.0, hidden_units=0, batch_norm=False)
SMALL = {"augment.views": 2, "warmup.epochs": 2, "finetune.epochs": 2, "train.batch_size": 8}


@pytest.fixture
def project(tiny_project, tmp_path):
    """What ingest and prepare would have written, and a function that runs the three stages with changed parameters."""
    random = np.random.default_rng(0)
    labels = np.stack([np.arange(N) % 3, np.arange(N) % 2], axis=1).astype(np.int16)
    images = random.integers(0, 100, (N, SIZE, SIZE, 3), dtype=np.uint8)
    images[labels[:, 1] == 1, :, :, 0] += 150
    labels[random.random(labels.shape) < 0.2] = -1
    data = tmp_path / "data"
    (data / "images").mkdir(parents=True)
    (data / "prepared").mkdir()
    np.save(data / "images/images.npy", images)
    TARGETS.save(data / "prepared/targets.json")
    names = np.array([f"{i}.png" for i in range(N)])
    split = np.array(["train"] * 18 + ["val"] * 6 + ["test"] * 6)
    rows = np.arange(N, dtype=np.int64)
    Manifest(names, rows, split, rows, labels).save(data / "prepared/manifest.csv", TARGETS)
    counts = [np.bincount(labels[:18][labels[:18, i] >= 0, i], minlength=n).tolist() for i, n in enumerate((3, 2))]
    write_json(
        data / "prepared/class_weights.json",
        {
            name: {"known_share": sum(count) / 18, "counts": count, "weights": [1.0] * len(count)}
            for name, count in zip(TARGETS.names, counts, strict=True)
        },
    )

    def run(changes):
        keras.utils.clear_session()  # weight files hold the numbers Keras gives to layers, from 1 in each process
        params = tiny_project(SMALL | changes)
        return featurize(params), train_warmup(params), train_finetune(params)

    return run


def test_both_phases_twice_give_the_same_bytes_and_count_what_they_train(project, tmp_path):
    outs = [
        "data/features/boundary.npy", "models/warmup.weights.h5", "models/finetuned.weights.h5",
        "data/predictions/val.npz", "data/predictions/test.npz",
        "plots/history_warmup.csv", "plots/history_finetune.csv",
    ]  # fmt: skip
    digests = []
    for _ in range(2):
        _, warmup, finetune = project({})
        digests.append({out: sha256(tmp_path / out) for out in outs})
    assert digests[0] == digests[1]
    assert warmup["parameters_trained"] == 1280 * 4 + 4
    assert 1_000_000 < finetune["parameters_trained"] < finetune["parameters"]
    assert not list((tmp_path / "runs/checkpoints").glob("*/state.npz"))


def test_predictions_are_aligned_with_names_groups_and_the_saved_network(project, tmp_path):
    project({})
    test = Predictions.load(tmp_path / "data/predictions/test.npz")
    assert test.image.tolist() == [f"{i}.png" for i in range(24, 30)]
    assert test.group.tolist() == list(range(24, 30))
    network = load_trained("efficientnet_lite0", SIZE, TARGETS, HEAD, tmp_path / "models/finetuned.weights.h5")
    images = np.load(tmp_path / "data/images/images.npy")
    np.testing.assert_allclose(network.predict_on_batch(images[24:]), test.logits, atol=0.02)  # features are float16


def test_without_fine_tuning_the_model_is_the_warm_up_one(project, tmp_path):
    _, _, finetune = project({"finetune.epochs": 0})
    assert finetune["epochs"] == 0
    network = load_trained("efficientnet_lite0", SIZE, TARGETS, HEAD, tmp_path / "models/finetuned.weights.h5")
    pooled = FeatureStore.open(tmp_path / "data/features").pooled[18:24, 0]
    expected = pooled @ network.get_layer("head").get_layer("logits").get_weights()[0]
    expected += network.get_layer("head").get_layer("logits").get_weights()[1]
    np.testing.assert_allclose(
        Predictions.load(tmp_path / "data/predictions/val.npz").logits, expected, rtol=1e-2, atol=0.02
    )


def test_a_full_disk_ends_in_one_line_and_leaves_no_weights(project, tmp_path, run_stage, one_line):
    project({})
    (tmp_path / "models/warmup.weights.h5").unlink()
    # 1,000 blocks of 512 or 1024 bytes hold the checkpoints, not the weights with their reserve.
    line = one_line(run_stage("train_warmup", "sh", "-c", 'ulimit -f 1000; "$@"', "sh"))
    assert "the file grew past a limit" in line
    assert not list((tmp_path / "models").glob("warmup*"))
    assert not list((tmp_path / "models").glob("*.partial"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"augment.views": 0}, "augment.views is 0"),
        ({"finetune.unfreeze": 1000}, "more than its image"),
        ({"features.max_gb": 1e-9}, "more than features.max_gb"),
        ({"augment.views": 0, "backbone.weights": "none", "train.seed": 1}, "augment.views is 0"),
    ],
    ids=["fresh augmentation", "everything unfrozen", "too large", "random weights"],
)
def test_training_straight_from_images_says_why_and_works(project, tmp_path, capsys, changes, reason):
    features, _, finetune = project(changes)
    assert reason in features["streamed"]
    assert reason in capsys.readouterr().out
    assert finetune["epochs"] == 2
    assert not (tmp_path / "data/features/boundary.npy").exists()
    val = Predictions.load(tmp_path / "data/predictions/val.npz")
    network = load_trained("efficientnet_lite0", SIZE, TARGETS, HEAD, tmp_path / "models/finetuned.weights.h5")
    images = np.load(tmp_path / "data/images/images.npy")
    np.testing.assert_allclose(network.predict_on_batch(images[18:24]), val.logits, rtol=1e-3, atol=1e-3)
