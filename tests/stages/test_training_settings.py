"""The training stages with every backbone and everything that can be set; what they promise: see the file beside."""

from functools import partial

import numpy as np
import pytest

from lacuna.config.backbone import Backbone
from lacuna.core.manifest import Manifest
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Targets
from lacuna.features.backbones import build_backbone
from lacuna.features.backend import keras
from lacuna.inference.runtimes import EXACT_RUNTIMES, load_network
from lacuna.io.csv_files import read_csv
from stages.export import export
from tests.shards import load_rows
from tests.training_project import (
    CLOSE,
    N_TRAIN,
    ONE_SHAPE,
    SIZE,
    SMALL_CNN,
    STAGES,
    TARGETS,
    TEST,
    WEAK,
    N,
    assert_network_predicts,
    run_in,
    write_data,
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project before the three stages; a function that runs them in it with changed parameters."""
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    return partial(run_in, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (SMALL_CNN | {"augment.views": 0, "train.seed": 1}, "augment.views is 0"),
        (SMALL_CNN | {"finetune.unfreeze": 1000}, "every layer of the backbone learns"),
        (
            SMALL_CNN | {"finetune.unfreeze": "all", "features.sizes": [40], "train.batch_size": 7},
            "every layer of the backbone learns",
        ),
        (SMALL_CNN | {"finetune.unfreeze": "b0"}, "more than the image that the network sees"),
    ],
    ids=[
        "fresh augmentation, random frozen layers",
        "more layers than there are",
        "all, enlarged, last batch smaller",
        "from the lowest block",
    ],
)
def test_training_straight_from_images_says_why_and_works(project, tmp_path, capsys, changes, reason):
    features, _, finetune = project(WEAK | changes)
    assert reason in features["streamed"]
    assert capsys.readouterr().out.count(reason) == 2  # featurize announces it, fine-tuning says it again
    assert finetune["epochs"] >= 1
    assert not (tmp_path / "data/features/boundary").exists()
    assert_network_predicts(tmp_path, WEAK | changes)


@pytest.mark.slow
def test_by_a_blocks_name_the_enlarged_maps_are_stored(project, tmp_path):
    changes = WEAK | {"finetune.unfreeze": "b15", "features.sizes": [64]}
    features, _, finetune = project(changes)
    assert features["boundary"] == "b14_add"
    assert features["streamed"] == ""
    assert load_rows(tmp_path / "data/features/boundary").shape == (N, 2, 2, 2, 192)
    assert_network_predicts(tmp_path, changes)
    b15 = 192 * 1152 + 9 * 1152 + 1152 * 320
    assert finetune["parameters_trained"] == b15 + 320 * 1280 + 1280 * 4


@pytest.mark.slow
def test_a_second_backbone_stands_beside_the_fine_tuned_first(project, tmp_path):
    changes = WEAK | SMALL_CNN | {"backbone.name": ["small_cnn", "mobilenet_v2"], "features.stages": "top"}
    features, _, finetune = project(changes)
    assert features["columns"] == 128 + 1280
    assert finetune["epochs"] >= 1
    assert_network_predicts(tmp_path, changes)


@pytest.mark.slow
def test_nothing_unfrozen_trains_what_is_added_alone(project):
    features, _, finetune = project(WEAK | {"finetune.unfreeze": 0})
    assert features["boundary"] == "top_act"
    assert finetune["parameters_trained"] == 1280 * 4


EVERYTHING = {
    "train.targets": ["red"],
    "train.loss": "asymmetric",
    "train.label_smoothing": 0.1,
    "train.batch_size": 8,
    "train.hardest": 0.6,
    "head.hidden_units": 12,
    "optimizer.name": "adamw",
    "optimizer.weight_decay": 0.01,
    "optimizer.schedule": "cosine",
    "optimizer.ramp": 0.2,
    "optimizer.average": 0.9,
    "warmup.solver": "sgd",
    "warmup.epochs": 2,
    "warmup.resample": "mlsmote",
    "finetune.layer_decay": 0.7,
}


@pytest.mark.slow
def test_with_everything_switched_on_the_predictions_are_those_of_the_saved_network(project, tmp_path, capsys):
    _, warmup, _ = project(EVERYTHING)
    assert "synthetic images beside the real ones" in capsys.readouterr().out
    columns = 2 * 112 + 1280
    assert warmup["parameters_trained"] == columns + 1 + (columns + 1) * 12 + 12
    assert warmup["epochs"] == 2
    assert read_csv(tmp_path / "plots/regularization_path.csv") == []
    learned = Targets.load(tmp_path / "data/predictions/targets.json")
    assert learned.names == ("red",)
    test = Predictions.load(tmp_path / "data/predictions/test.npz")
    assert test.labels.shape == test.logits.shape == (N - TEST.start, 1)
    every = Manifest.load(tmp_path / "data/prepared/manifest.csv", TARGETS).part("test").labels
    np.testing.assert_array_equal(test.labels, every[:, 1:])
    assert_network_predicts(tmp_path, EVERYTHING, learned)
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
    images = load_rows(tmp_path / "data/images/pixels")
    if weights == "none":
        weights = str(tmp_path / "random.weights.h5")
        random_weights(name, images).save_weights(weights)
    changes = WEAK | {
        "backbone.name": name,
        "backbone.weights": weights,
        "features.sizes": [48],
        "features.stages": "all",
        "finetune.unfreeze": block,
        "finetune.epochs": 1,
        **ONE_SHAPE,
    }
    features, warmup, finetune, exported = project(changes, (*STAGES, export))
    assert bool(features["streamed"]) is (name in ("small_cnn", "resnet50"))  # 2,048 channels: larger than the image
    assert warmup["parameters_trained"] > 0
    assert finetune["parameters_trained"] > 0
    assert finetune["epochs"] == 1
    val = Predictions.load(tmp_path / "data/predictions/val.npz")
    assert np.isfinite(val.logits).all()
    assert set(exported["export_difference"]) == set(EXACT_RUNTIMES)  # within 1e-4 of the network of models/trained
    network = load_network(tmp_path / "models/export", "openvino")
    np.testing.assert_allclose(network(images[N_TRAIN : TEST.start]).logits, val.logits, rtol=1e-3, atol=CLOSE)


def random_weights(name, images):
    """A backbone with the batch statistics of these images, so that what it makes of them differs from 0."""
    body = build_backbone(
        Backbone(name=name, weights="none", interpolation="bilinear", mean=(0, 0, 0), std=(1, 1, 1)), SIZE, 48
    )
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    assert np.asarray(body(images, training=True)).std() > 0.1
    return body
