"""featurize, train_warmup and train_finetune on a few small images."""

import shutil
from functools import partial

import numpy as np
import pytest

from lacuna.config.blocks import Backbone, Head
from lacuna.core.manifest import Manifest
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Target, Targets
from lacuna.features.backbones import build_backbone
from lacuna.features.backend import keras
from lacuna.features.store import FeatureStore
from lacuna.inference.runtimes import EXACT_RUNTIMES, load_network
from lacuna.io.atomic import sha256, write_json
from lacuna.training.model import load_trained
from stages.export import export
from stages.featurize import featurize
from stages.train_finetune import train_finetune
from stages.train_warmup import train_warmup
from tests.tiny_project import write_params

TARGETS = Targets(
    (Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("absent", "present")))
)
N, SIZE = 30, 32
STAGES = (featurize, train_warmup, train_finetune)
HEAD = Head(dropout=0.0, hidden_units=0, batch_norm=False)
SETTINGS = Backbone(name="efficientnet_lite0", weights="none", input_size=0, interpolation="bilinear")
SMALL = {"augment.views": 2, "warmup.epochs": 2, "finetune.epochs": 2, "train.batch_size": 9, "data.image_size": SIZE}
SMALL_CNN = {"backbone.name": "small_cnn", "backbone.weights": "none"}


def write_data(folder):
    """Write what ingest and prepare would have written."""
    random = np.random.default_rng(0)
    labels = np.stack([np.arange(N) % 3, np.arange(N) % 2], axis=1).astype(np.int16)
    images = random.integers(0, 100, (N, SIZE, SIZE, 3), dtype=np.uint8)
    images[labels[:, 1] == 1, :, :, 0] += 150
    labels[random.random(labels.shape) < 0.2] = -1
    data = folder / "data"
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


def run_in(folder, changes, stages=STAGES):
    """Run the stages in the working folder with changed parameters; return what each says of its run."""
    keras.utils.clear_session()  # weight files hold the numbers Keras gives to layers, from 1 in each process
    params = write_params(folder, SMALL | changes)
    return [stage(params) for stage in stages]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a project after the three stages with EfficientNet-Lite0, made once: to copy, not to change."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_data(folder)
        run_in(folder, {})
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project before the three stages; a function that runs them in it with changed parameters."""
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    return partial(run_in, tmp_path)


@pytest.fixture
def copied(finished, tmp_path, monkeypatch):
    """A copy of the finished project; a function that runs stages in it again with changed parameters."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return partial(run_in, tmp_path)


@pytest.mark.slow
def test_both_phases_again_give_the_same_bytes_and_count_what_they_train(project, finished, tmp_path):
    _, warmup, finetune = project({})
    for out in (
        "data/features/boundary.npy", "models/warmup.weights.h5", "models/finetuned.weights.h5",
        "data/predictions/val.npz", "data/predictions/test.npz",
        "plots/history_warmup.csv", "plots/history_finetune.csv",
    ):  # fmt: skip
        assert sha256(tmp_path / out) == sha256(finished / out), out
    assert warmup["parameters_trained"] == 1280 * 4 + 4
    assert 1_000_000 < finetune["parameters_trained"] < finetune["parameters"]
    assert not list((tmp_path / "runs/checkpoints").glob("*/state.npz"))


def test_predictions_are_aligned_with_names_groups_and_the_saved_network(finished):
    test = Predictions.load(finished / "data/predictions/test.npz")
    assert test.image.tolist() == [f"{i}.png" for i in range(24, 30)]
    assert test.group.tolist() == list(range(24, 30))
    network = load_trained(SETTINGS, SIZE, TARGETS, HEAD, finished / "models/finetuned.weights.h5")
    images = np.load(finished / "data/images/images.npy")
    np.testing.assert_allclose(np.asarray(network(images[24:])), test.logits, atol=0.02)  # features are float16


@pytest.mark.slow
def test_without_fine_tuning_the_model_is_the_warm_up_one(copied, tmp_path):
    (finetune,) = copied({"finetune.epochs": 0}, [train_finetune])
    assert finetune["epochs"] == 0
    network = load_trained(SETTINGS, SIZE, TARGETS, HEAD, tmp_path / "models/finetuned.weights.h5")
    pooled = FeatureStore.open(tmp_path / "data/features").pooled[18:24, 0]
    expected = pooled @ network.get_layer("head").get_layer("logits").get_weights()[0]
    expected += network.get_layer("head").get_layer("logits").get_weights()[1]
    np.testing.assert_allclose(
        Predictions.load(tmp_path / "data/predictions/val.npz").logits, expected, rtol=1e-2, atol=0.02
    )


@pytest.mark.slow
@pytest.mark.usefixtures("copied")
def test_a_full_disk_ends_in_one_line_and_leaves_no_weights(tmp_path, run_stage, one_line):
    (tmp_path / "models/warmup.weights.h5").unlink()
    # 1,000 blocks of 512 or 1024 bytes hold the checkpoints, not the weights with their reserve.
    line = one_line(run_stage("train_warmup", "sh", "-c", 'ulimit -f 1000; "$@"', "sh"))
    assert "the file grew past a limit" in line
    assert not list((tmp_path / "models").glob("warmup*"))
    assert not list((tmp_path / "models").glob("*.partial"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (SMALL_CNN | {"augment.views": 0, "finetune.unfreeze": 1, "train.seed": 1}, "augment.views is 0"),
        (SMALL_CNN | {"finetune.unfreeze": 1000}, "every layer of the backbone learns"),
        (
            SMALL_CNN | {"finetune.unfreeze": "all", "backbone.input_size": 40, "train.batch_size": 8},
            "every layer of the backbone learns",
        ),
        (SMALL_CNN | {"finetune.unfreeze": "b0"}, "more than the image that the network sees"),
        ({"features.max_gb": 1e-9}, "more than features.max_gb"),
    ],
    ids=[
        "fresh augmentation, random frozen layers",
        "more layers than there are",
        "all, enlarged, last batch smaller",
        "from the lowest block",
        "too large",
    ],
)
def test_training_straight_from_images_says_why_and_works(project, tmp_path, capsys, changes, reason):
    settings = SETTINGS.model_copy(
        update={
            "name": changes.get("backbone.name", SETTINGS.name),
            "input_size": changes.get("backbone.input_size", 0),
        }
    )
    features, _, finetune = project(changes)
    assert reason in features["streamed"]
    assert reason in capsys.readouterr().out
    assert finetune["epochs"] == 2
    assert not (tmp_path / "data/features/boundary.npy").exists()
    val = Predictions.load(tmp_path / "data/predictions/val.npz")
    network = load_trained(settings, SIZE, TARGETS, HEAD, tmp_path / "models/finetuned.weights.h5")
    images = np.load(tmp_path / "data/images/images.npy")
    np.testing.assert_allclose(np.asarray(network(images[18:24])), val.logits, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_by_a_blocks_name_the_enlarged_features_are_cached(project, tmp_path):
    features, _, finetune = project({"finetune.unfreeze": "b15", "backbone.input_size": 64})
    assert features["boundary"] == "b14_add"
    assert features["streamed"] == ""
    assert np.load(tmp_path / "data/features/boundary.npy").shape == (N, 2, 2, 2, 192)
    enlarging = SETTINGS.model_copy(update={"input_size": 64})
    network = load_trained(enlarging, SIZE, TARGETS, HEAD, tmp_path / "models/finetuned.weights.h5")
    images = np.load(tmp_path / "data/images/images.npy")
    val = Predictions.load(tmp_path / "data/predictions/val.npz")
    np.testing.assert_allclose(np.asarray(network(images[18:24])), val.logits, atol=0.02)  # features are float16
    b15 = 192 * 1152 + 9 * 1152 + 1152 * 320
    assert finetune["parameters_trained"] == b15 + 320 * 1280 + 1280 * 4 + 4


@pytest.mark.slow
def test_nothing_unfrozen_trains_the_head_alone(copied):
    features, finetune = copied({"finetune.unfreeze": 0}, [featurize, train_finetune])
    assert features["boundary"] == "top_act"
    assert finetune["parameters_trained"] == 1280 * 4 + 4


EVERYTHING = {
    "data.targets": {"kind": "categorical", "red": "binary"},
    "train.targets": ["red"],
    "train.loss": "asymmetric",
    "train.label_smoothing": 0.1,
    "train.batch_size": 8,
    "train.hardest": 0.6,
    "head.hidden_units": 12,
    "head.batch_norm": True,
    "optimizer.name": "adamw",
    "optimizer.weight_decay": 0.01,
    "optimizer.schedule": "cosine",
    "optimizer.ramp": 0.2,
    "optimizer.average": 0.9,
    "warmup.resample": "mlsmote",
    "finetune.layer_decay": 0.7,
}


@pytest.mark.slow
def test_with_everything_switched_on_the_predictions_are_those_of_the_saved_network(copied, tmp_path, capsys):
    warmup, _ = copied(EVERYTHING, [train_warmup, train_finetune])
    assert "synthetic images beside the real ones" in capsys.readouterr().out
    assert warmup["parameters_trained"] == 2 * 1280 + (1280 + 1) * 12 + 12 + 1
    learned = Targets.load(tmp_path / "data/predictions/targets.json")
    assert learned.names == ("red",)
    test = Predictions.load(tmp_path / "data/predictions/test.npz")
    assert test.labels.shape == test.logits.shape == (6, 1)
    every = Manifest.load(tmp_path / "data/prepared/manifest.csv", TARGETS).part("test").labels
    np.testing.assert_array_equal(test.labels, every[:, 1:])
    head = Head(dropout=0.0, hidden_units=12, batch_norm=True)
    network = load_trained(SETTINGS, SIZE, learned, head, tmp_path / "models/finetuned.weights.h5")
    images = np.load(tmp_path / "data/images/images.npy")
    np.testing.assert_allclose(np.asarray(network(images[24:])), test.logits, atol=0.02)
    assert "val_log_loss_kind" not in (tmp_path / "plots/history_finetune.csv").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "weights", "block"),
    [
        ("efficientnet_lite0", "imagenet", "b14"),
        ("efficientnet_lite1", "imagenet", "b19"),
        ("efficientnet_lite2", "imagenet", "b19"),
        ("efficientnet_b0", "none", "block7a"),
        ("efficientnet_v2b0", "none", "block6h"),
        ("mobilenet_v2", "imagenet", "b15"),
        ("resnet50", "none", "conv5_block3"),
        ("small_cnn", "none", "b0"),
    ],
)
def test_every_backbone_goes_through_both_phases_and_is_exported_as_it_was_trained(
    project, tmp_path, name, weights, block
):
    images = np.load(tmp_path / "data/images/images.npy")
    if weights == "none":
        weights = str(tmp_path / "random.weights.h5")
        random_weights(name, images).save_weights(weights)
    facts = project(
        {
            "backbone.name": name,
            "backbone.weights": weights,
            "backbone.input_size": 48,
            "finetune.unfreeze": block,
            "finetune.epochs": 1,
            "warmup.epochs": 1,
        },
        (*STAGES, export),
    )
    features, warmup, finetune, exported = facts
    assert bool(features["streamed"]) is (name in ("small_cnn", "resnet50"))  # 2,048 channels: larger than the image
    assert 0 < warmup["parameters_trained"] < finetune["parameters_trained"]
    assert warmup["epochs"] == finetune["epochs"] == 1
    assert set(exported["export_difference"]) == set(EXACT_RUNTIMES)
    network = load_network(tmp_path / "models/export", "openvino")
    val = Predictions.load(tmp_path / "data/predictions/val.npz")
    assert np.isfinite(val.logits).all()
    np.testing.assert_allclose(network(images[18:24]).logits, val.logits, atol=0.02)  # features are float16


def random_weights(name, images):
    """A backbone with the batch statistics of these images, so that what it makes of them differs from 0."""
    body = build_backbone(Backbone(name=name, weights="none", input_size=48, interpolation="bilinear"), SIZE)
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    assert np.asarray(body(images, training=True)).std() > 0.1
    return body
