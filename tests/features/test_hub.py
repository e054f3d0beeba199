"""Presets of KerasHub as backbones: what is computed is what KerasHub computes, and what is refused says why."""

import json
import random
import shutil
import sys
from types import SimpleNamespace

import keras_hub
import numpy as np
import pytest

from lacuna.config.blocks import Features
from lacuna.errors import LacunaError
from lacuna.features.backbones import build_backbone
from lacuna.features.backbones.hub import INSTALL
from lacuna.features.backend import keras
from lacuna.features.cost import size_and_run
from lacuna.features.freeze_boundary import cut
from lacuna.features.frozen_pass import frozen_runner
from lacuna.features.stages import build_extractor, feature_network, map_of, stages_of
from tests import hub_presets
from tests.hub_presets import pictures, save, save_resnet, settings

LAYERS = keras_hub.layers


@pytest.fixture(scope="module")
def resnet_preset(tmp_path_factory):
    """The folder of a preset, to copy."""
    folder = tmp_path_factory.mktemp("resnet")
    save_resnet(folder)
    return folder


def build(folder, size, seen=0):
    return build_backbone(settings(folder), size, seen)


@pytest.mark.parametrize("network", [hub_presets.resnet, hub_presets.efficientnet], ids=["resnet", "efficientnet"])
def test_maps_are_those_of_the_hubs_network_on_its_own_preprocessing(tmp_path, network):
    its_own = network()
    converters = {
        "ResNetBackbone": LAYERS.ResNetImageConverter,
        "EfficientNetBackbone": LAYERS.EfficientNetImageConverter,
    }
    converter = save(tmp_path, its_own, converters[type(its_own).__name__])
    images = pictures(64)
    levels = keras.Model(its_own.inputs[0], its_own.pyramid_outputs)(np.asarray(converter(images.astype(np.float32))))
    body = build(tmp_path, 64)
    assert stages_of(body) == [level.lower() for level in levels]
    for level, expected in levels.items():
        found = keras.Model(body.input, map_of(body, level.lower()))(images)
        np.testing.assert_allclose(np.asarray(found), np.asarray(expected), atol=1e-4)
        assert np.asarray(expected).std() > 0.01


def test_features_at_two_sizes_by_openvino_are_the_hubs_own(tmp_path):
    its_own = save_resnet(tmp_path)
    features = Features(sizes=(0, 96), stages="top", max_gb=1.0)
    network = feature_network(build_extractor(settings(tmp_path), features, 48))
    images, found = pictures(48, 3), np.zeros((3, 16), np.float32)
    with frozen_runner(network) as run:
        run(enumerate(images), lambda row, outputs: np.copyto(found[row], outputs[0]))
    np.testing.assert_allclose(found[:, :8], its_own(images).mean(axis=(1, 2)), atol=1e-4)
    larger = np.asarray(keras.ops.image.resize(images.astype(np.float32), (96, 96)))
    np.testing.assert_allclose(found[:, 8:], its_own(larger).mean(axis=(1, 2)), atol=1e-4)


@pytest.mark.parametrize(
    ("network", "converter", "side"),
    [(hub_presets.vit, LAYERS.ViTImageConverter, 4), (hub_presets.dinov2, LAYERS.DINOV2ImageConverter, 2)],
    ids=["a class token", "registers that would make another square"],
)
def test_patches_become_the_map_and_other_tokens_are_left_aside(tmp_path, network, converter, side):
    its_own = network()
    preprocess = save(tmp_path, its_own, converter)
    pixels, images = np.asarray(preprocess(pictures(32).astype(np.float32))), pictures(32)
    tokens = np.asarray(its_own({"images": pixels} if isinstance(its_own.input, dict) else pixels))
    body = build(tmp_path, 32)
    assert stages_of(body) == ["top"]
    maps = np.asarray(body(images))
    assert maps.shape[1:3] == (side, side)
    np.testing.assert_allclose(maps.reshape(2, side**2, -1), tokens[:, -(side**2) :], atol=1e-4)


def test_layers_above_the_last_level_are_the_top_if_they_learn(tmp_path):
    its_own = save_resnet(tmp_path, use_pre_activation=True)  # batch norm and ReLU come last, and ops.pad is no layer
    body = build(tmp_path, 64)
    np.testing.assert_allclose(np.asarray(body(pictures(64))), its_own(pictures(64)), atol=1e-4)
    assert stages_of(body) == ["p2", "top"]
    assert cut(body, "top").boundary == map_of(body, "p3")._keras_history.operation.name


def test_what_is_unfrozen_learns_but_batch_norm_inside_of_a_layer_does_not(tmp_path):
    save(tmp_path, hub_presets.efficientnet(), LAYERS.EfficientNetImageConverter)
    body = build(tmp_path, 64)
    *_, below, above = stages_of(body)
    parts = cut(body, above)
    assert parts.boundary.startswith(f"{below}_")
    inner = [layer for layer in body._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    assert inner
    assert not any(layer.trainable for layer in inner)
    assert parts.tail.trainable_weights
    assert not parts.trunk.trainable_weights


def test_every_call_gives_the_same_names_and_leaves_the_random_state_alone(tmp_path):
    save(tmp_path, hub_presets.vit(num_layers=1), LAYERS.ViTImageConverter)
    random.seed(5)
    state = random.getstate()
    first, second = build(tmp_path, 32), build(tmp_path, 32)
    assert random.getstate() == state
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]
    for before, after in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_its_size_and_time_are_measured_on_the_preset(tmp_path):
    save_resnet(tmp_path)
    n_weights, run = size_and_run(settings(tmp_path), Features(sizes=(0,), stages="top", max_gb=1.0), 48)
    assert n_weights == hub_presets.resnet().count_params()
    assert np.asarray(run(pictures(48))).shape == (2, 8)


def test_without_keras_hub_the_command_that_installs_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(LacunaError, match=f"keras_hub needs the package keras-hub: {INSTALL}$"):
        build(tmp_path, 32)


def test_a_preset_that_does_not_say_which_pixels_it_takes_is_refused(tmp_path):
    save(tmp_path, hub_presets.resnet())
    with pytest.raises(LacunaError, match=r"has no image converter, .*export the network to an ONNX file instead"):
        build(tmp_path, 32)


def test_another_size_than_a_preset_takes_is_refused(tmp_path):
    save(tmp_path, hub_presets.vit(num_layers=1), LAYERS.ViTImageConverter)
    with pytest.raises(LacunaError, match=r"takes images of 32 pixels, and features.sizes says 96; write \[32\]"):
        build(tmp_path, 48, 96)
    assert build(tmp_path, 48, 32).output_shape[1:] == (4, 4, 12)


def test_position_embeddings_are_brought_to_another_size_where_kerashub_can(tmp_path):
    preprocess = save(tmp_path, hub_presets.dinov2(), LAYERS.DINOV2ImageConverter)
    larger = keras_hub.models.Backbone.from_preset(str(tmp_path), image_shape=(64, 64, 3))
    tokens = np.asarray(larger({"images": np.asarray(preprocess(pictures(64).astype(np.float32)))}))
    maps = np.asarray(build(tmp_path, 64)(pictures(64)))
    assert maps.shape == (2, 4, 4, 8)
    np.testing.assert_allclose(maps.reshape(2, 16, 8), tokens[:, -16:], atol=1e-4)


def test_images_that_are_not_square_are_refused(tmp_path):
    save(tmp_path, hub_presets.vit(image_shape=(32, 48, 3), num_layers=1), LAYERS.ViTImageConverter)
    with pytest.raises(LacunaError, match=r"takes images of 32 x 48 pixels, expected square ones"):
        build(tmp_path, 32)


def test_an_embedding_is_a_map_of_one_position(monkeypatch):
    image = keras.Input((None, None, 3))
    its_own = keras.Model(image, keras.layers.GlobalMaxPooling2D()(image))
    raw = SimpleNamespace(scale=None, offset=None)
    monkeypatch.setattr("lacuna.features.backbones.hub._load", lambda preset, size: (its_own, raw))
    found = np.asarray(build("an_embedding", 8)(pictures(8)))
    np.testing.assert_array_equal(found, pictures(8).max(axis=(1, 2), keepdims=True))


def test_a_network_of_texts_is_refused(tmp_path):
    save(tmp_path, keras_hub.models.BertBackbone(20, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4))
    LAYERS.ResNetImageConverter(scale=1.0).save_to_preset(str(tmp_path))
    with pytest.raises(LacunaError, match=r"cannot be loaded as a preset of KerasHub \(.*BertBackbone"):
        build(tmp_path, 32)


def test_a_network_of_several_outputs_is_refused_with_what_was_received(tmp_path):
    detector = keras_hub.models.RetinaNetBackbone(
        hub_presets.resnet(
            stackwise_num_filters=[64, 8, 8], stackwise_num_blocks=[1, 1, 1], stackwise_num_strides=[1, 2, 2]
        ),
        min_level=3,
        max_level=4,
        use_p5=False,
    )
    save(tmp_path, detector, LAYERS.RetinaNetImageConverter)
    with pytest.raises(
        LacunaError, match=r"expected an input \(n, h, w, 3\) .*received \(n, n, n, 3\) and \(n, n, n, "
    ):
        build(tmp_path, 64)


def edit(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


HOSTILE = {"module": "keras.layers", "class_name": "Lambda", "config": {}, "registered_name": None}


@pytest.mark.parametrize("file", ["config.json", "image_converter.json"])
@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda content: content.update(HOSTILE), "keras.layers.Lambda"),
        (lambda content: content["config"].update(dtype=[{"deep": HOSTILE}]), "keras.layers.Lambda"),
        (lambda content: content.update(module="os"), r"os\."),
        (lambda content: content.update(registered_name="mine>Backbone"), "keras_hub"),
        (lambda content: content["config"].update(name={"class_name": "__lambda__"}), r"None\.__lambda__"),
    ],
    ids=["a lambda layer", "a nested one", "a foreign module", "a registered class", "code"],
)
def test_a_preset_that_names_other_classes_is_refused_before_any_is_made(tmp_path, file, change, named):
    save_resnet(tmp_path)
    edit(tmp_path / file, change)
    with pytest.raises(LacunaError, match=rf"{file} names the class .*{named}.*nothing of it was loaded"):
        build(tmp_path, 32)


def truncate(folder):
    file = folder / "model.weights.h5"
    file.write_bytes(file.read_bytes()[:5000])


def weights_of_another(folder):
    (folder / "model.weights.h5").unlink()
    hub_presets.resnet(stackwise_num_filters=[64, 16]).save_weights(folder / "model.weights.h5")


def weights_of_less(folder):
    (folder / "model.weights.h5").unlink()
    hub_presets.vit().save_weights(folder / "model.weights.h5")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "config.json").unlink(), "`config.json` doesn't exist"),
        (lambda folder: (folder / "config.json").write_text('{"registered_name'), "Unterminated string"),
        (lambda folder: (folder / "config.json").write_text("[]"), "Unrecognized format"),
        (lambda folder: (folder / "model.weights.h5").unlink(), "doesn't exist"),
        (truncate, "truncated file"),
        (weights_of_another, "do not fit the network"),
        (weights_of_less, "do not fit the network"),
    ],
    ids=["no config", "broken JSON", "another JSON", "no weights", "cut weights", "other weights", "too few weights"],
)
def test_a_damaged_preset_is_one_line_that_says_what_can_be_named(resnet_preset, tmp_path, damage, reason):
    folder = shutil.copytree(resnet_preset, tmp_path / "preset")
    damage(folder)
    with pytest.raises(LacunaError) as raised:
        build(folder, 32)
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "name a built-in one such as resnet_18_imagenet" in str(raised.value)
