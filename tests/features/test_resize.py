import numpy as np
import pytest
from lacuna.features.backbones.enlarge import Enlarge, seen_size

from lacuna.config.blocks import Backbone, Head
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.export.convert import MAX_DIFFERENCE, check_export, export_network
from lacuna.features.backbones import build_backbone
from lacuna.features.backbones.keras_applications import SwapRedAndBlue
from lacuna.features.backend import keras
from lacuna.inference.runtimes import EXACT_RUNTIMES, load_network
from lacuna.training.model import attach_head, build_head

HEAD = Head(dropout=0.0, hidden_units=0, batch_norm=False)
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
TARGETS = Targets((Target("shape", "categorical", ("a", "b", "c")), Target("red", "binary", ("0", "1"))))


def settings(**changes):
    values = {"name": "small_cnn", "weights": "none", "input_size": 0, "interpolation": "bilinear"}
    return Backbone(**(values | changes))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 28, 28, 3), dtype=np.uint8)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_it_does_what_the_resize_operation_does(images, interpolation):
    for size in (29, 96):
        expected = keras.ops.image.resize(images.astype(np.float32), (size, size), interpolation=interpolation)
        np.testing.assert_allclose(Enlarge(size, interpolation)(images), expected, atol=1e-3)  # of 255


def test_a_bilinear_step_by_hand():
    row = np.zeros((1, 2, 2, 1), np.uint8)
    row[:, :, 1] = 100
    enlarged = np.asarray(Enlarge(4, "bilinear")(row))
    np.testing.assert_allclose(enlarged[0, :, :, 0], [[0, 25, 75, 100]] * 4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_both_runtimes_enlarge_as_keras_does(tmp_path, images, interpolation):
    keras.utils.set_random_seed(1)
    body = build_backbone(settings(input_size=45, interpolation=interpolation), 28)
    model = attach_head(body, build_head(body.output_shape[-1], TARGETS, HEAD))
    export_network(model, tmp_path)
    differences = check_export(model, TARGETS, images, tmp_path)
    assert max(differences.values()) < MAX_DIFFERENCE / 10


@pytest.mark.parametrize("swapped", [False, True])
def test_per_channel_preprocessing_after_it_is_exported_too(tmp_path, images, swapped):
    """OpenVINO fuses what follows a matrix product, and with other ways to enlarge did it on the wrong axis."""
    keras.utils.set_random_seed(1)
    stored = keras.Input((28, 28, 3), dtype="uint8")
    x = Enlarge(45, "bilinear")(stored)
    x = SwapRedAndBlue()(x) if swapped else x
    x = keras.layers.Rescaling(1.0, offset=[-1.0, 20.0, 300.0])(x)
    x = keras.layers.Conv2D(8, 3, strides=2)(keras.layers.ZeroPadding2D(3)(x))
    body = keras.Model(stored, x)
    export_network(attach_head(body, build_head(8, TARGETS, HEAD)), tmp_path)
    for runtime in EXACT_RUNTIMES:
        received = load_network(tmp_path, runtime)(images).features
        np.testing.assert_allclose(received, np.asarray(body(images)), rtol=1e-4, atol=1e-3)  # of some hundred


def test_a_backbone_sees_the_enlarged_image_and_takes_the_stored_one(images):
    small, large = (build_backbone(settings(input_size=size), 28) for size in (0, 64))
    assert small.input_shape == large.input_shape == (None, 28, 28, 3)
    assert (seen_size(small), seen_size(large)) == (28, 64)
    assert large.output_shape[1] > small.output_shape[1]
    by_hand = keras.ops.image.resize(images.astype(np.float32), (64, 64))
    native = build_backbone(settings(), 64)
    rest = keras.Model(native.get_layer("rescale").output, native.output)
    expected = rest(native.get_layer("rescale")(by_hand))
    np.testing.assert_allclose(large(images), expected, atol=1e-4)


def test_images_are_never_shrunk():
    with pytest.raises(LacunaError, match=r"backbone.input_size: expected 0 or at least .* 28 pixels, received 20"):
        build_backbone(settings(input_size=20), 28)
