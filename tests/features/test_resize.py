import numpy as np
import pytest

from lacuna.config.backbone import Backbone
from lacuna.config.blocks import Head
from lacuna.core.feature_store import ColumnBlock, FeatureLayout
from lacuna.core.targets import Target, Targets
from lacuna.export.convert import MAX_DIFFERENCE, check_export, export_network
from lacuna.features.backbones import build_backbone
from lacuna.features.backbones.keras_applications import SwapRedAndBlue
from lacuna.features.backbones.resize import SquareResize
from lacuna.features.backend import keras
from lacuna.features.stages import Extractor
from lacuna.inference.runtimes import EXACT_RUNTIMES, load_network
from lacuna.training.model import build_head, build_network

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
TARGETS = Targets((Target("shape", "categorical", ("a", "b", "c")), Target("red", "binary", ("0", "1"))))


def small_cnn(image_size, seen=0, interpolation="bilinear"):
    return build_backbone(
        Backbone(name="small_cnn", weights="none", interpolation=interpolation, mean=(0, 0, 0), std=(1, 1, 1)),
        image_size,
        seen,
    )


def with_head(body, block):
    """A network with a random head on the means of the body's last feature map, which ends the block."""
    channels = body.output_shape[-1]
    layout = FeatureLayout((ColumnBlock(28, block, "mean", channels, top=True),))
    head = build_head(channels, TARGETS, Head(dropout=0.0, hidden_units=0))
    return build_network(Extractor({("", 28): body}, layout), head, None)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 28, 28, 3), dtype=np.uint8)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_it_does_what_the_resize_operation_does(images, interpolation):
    for size in (29, 96, 28, 27, 9):
        expected = keras.ops.image.resize(
            images.astype(np.float32), (size, size), interpolation=interpolation, antialias=size < 28
        )
        np.testing.assert_allclose(SquareResize(size, interpolation)(images), expected, atol=1e-3)  # of 255


def test_a_bilinear_step_by_hand():
    row = np.zeros((1, 2, 2, 1), np.uint8)
    row[:, :, 1] = 100
    enlarged = np.asarray(SquareResize(4, "bilinear")(row))
    np.testing.assert_allclose(enlarged[0, :, :, 0], [[0, 25, 75, 100]] * 4, atol=1e-4)


def test_shrinking_takes_every_pixel_into_account():
    stripes = np.zeros((1, 8, 8, 1), np.uint8)
    stripes[:, :, ::4] = 200  # a pixel in four, which taking some pixels would lose or take for all
    shrunk = np.asarray(SquareResize(2, "bilinear")(stripes))
    assert shrunk.mean() == pytest.approx(50, abs=10)
    assert (shrunk > 20).all()


@pytest.mark.slow
@pytest.mark.parametrize(("size", "interpolation"), [*((45, name) for name in INTERPOLATIONS), (17, "bicubic")])
def test_both_runtimes_resize_as_keras_does(tmp_path, images, size, interpolation):
    keras.utils.set_random_seed(1)
    network = with_head(small_cnn(28, size, interpolation), "b2")
    export_network(network, tmp_path)
    differences = check_export(np.asarray(network.model(images)), TARGETS, images, tmp_path)
    assert max(differences.values()) < MAX_DIFFERENCE / 10


@pytest.mark.parametrize("swapped", [False, True])
def test_per_channel_preprocessing_after_it_is_exported_too(tmp_path, images, swapped):
    """OpenVINO fuses what follows a matrix product, and with other ways to enlarge did it on the wrong axis."""
    keras.utils.set_random_seed(1)
    stored = keras.Input((28, 28, 3), dtype="uint8")
    x = SquareResize(45, "bilinear")(stored)
    x = SwapRedAndBlue()(x) if swapped else x
    x = keras.layers.Rescaling(1.0, offset=[-1.0, 20.0, 300.0])(x)
    x = keras.layers.Conv2D(8, 3, strides=2, name="b0_conv")(keras.layers.ZeroPadding2D(3)(x))
    body = keras.Model(stored, x)
    export_network(with_head(body, "b0"), tmp_path)
    for runtime in set(EXACT_RUNTIMES) - {"keras"}:
        (received,) = load_network(tmp_path, runtime)(images, maps=True).maps.values()
        np.testing.assert_allclose(received, np.asarray(body(images)), rtol=1e-4, atol=1e-3)  # of some hundred


@pytest.mark.parametrize("seen", [64, 16])
def test_a_backbone_sees_the_resized_image_and_takes_the_stored_one(images, seen):
    resizing, native = small_cnn(28, seen), small_cnn(seen)
    assert resizing.input_shape == (None, 28, 28, 3)
    assert resizing.output_shape == native.output_shape
    assert [layer.name for layer in small_cnn(28, 28).layers] == [layer.name for layer in small_cnn(28).layers]
    by_hand = keras.ops.image.resize(images.astype(np.float32), (seen, seen), antialias=seen < 28)
    rest = keras.Model(native.get_layer("rescale").output, native.output)
    expected = rest(native.get_layer("rescale")(by_hand))
    np.testing.assert_allclose(resizing(images), expected, atol=1e-4)
