"""Maps of networks whose evidence is known: where it lies, and that its mean is the score."""

import numpy as np
import pytest

from lacuna.analysis.explain.activation_maps import ExplainedNetwork, slopes_by_gradient
from lacuna.config.blocks import Head
from lacuna.core.feature_maps import contrasts, enlarge
from lacuna.core.feature_store import ColumnBlock, FeatureLayout
from lacuna.core.head_weights import HeadWeights
from lacuna.core.targets import Target, Targets
from lacuna.features.backend import keras
from lacuna.features.stages import Extractor
from lacuna.training.model import build_head, build_network, set_head
from tests.trained_model import random_head

SIZE = 32
TARGETS = Targets(
    (Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("absent", "present")))
)
LAYOUT = FeatureLayout(
    (
        ColumnBlock(SIZE, "b0", "mean", 8),
        ColumnBlock(SIZE, "b0", "deviation", 8),
        ColumnBlock(SIZE, "b1", "mean", 6, top=True),
    )
)


def network_of(body, layout, weights, hidden=0):
    head = build_head(layout.n_columns, TARGETS, Head(dropout=0.5, hidden_units=hidden))
    set_head(head, weights)
    return build_network(Extractor({SIZE: body}, layout), head, None)


def random_network(hidden=0):
    """A network whose head sees means and deviations of a map (n, 16, 16, 8) and means of the last one (n, 8, 8, 6)."""
    keras.utils.set_random_seed(0)
    images = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(images)
    for block, channels in (("b0", 8), ("b1", 6)):
        convolution = keras.layers.Conv2D(channels, 3, strides=2, padding="same", activation="relu", name=f"{block}_c")
        x = convolution(x)
    weights = random_head(LAYOUT.n_columns, TARGETS.n_logits, hidden)
    return network_of(keras.Model(images, x), LAYOUT, weights, hidden), weights


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)


def test_the_mean_of_a_heat_map_and_the_bias_are_the_logit(images):
    network, weights = random_network()
    explained = ExplainedNetwork(network)
    assert explained.exact
    output, logits = explained(images, maps=True), network.model.predict_on_batch(images)
    np.testing.assert_allclose(output.logits, logits, atol=1e-6)
    for index in range(TARGETS.n_logits):
        maps = explained.heat_maps(output, np.tile(np.eye(4)[index], (5, 1)))
        assert maps.shape == (5, 16, 16)
        np.testing.assert_allclose(maps.mean(axis=(1, 2)) + weights.bias[index], logits[:, index], atol=1e-5)


def test_without_maps_the_rest_is_the_same_and_some_images_can_be_taken_out(images):
    explained = ExplainedNetwork(random_network()[0])
    plain, whole = explained(images), explained(images, maps=True)
    assert plain.maps == {}
    np.testing.assert_allclose(plain.features, whole.features, atol=1e-6)
    some = whole.take(np.array([3, 1]))
    for all_of_them, taken in zip(
        (whole.logits, whole.features, *whole.maps.values()),
        (some.logits, some.features, *some.maps.values()),
        strict=True,
    ):
        assert (taken == all_of_them[[3, 1]]).all()


def test_of_a_linear_head_the_gradient_gives_the_same_slopes(images):
    network, head = random_network()
    weights = contrasts(TARGETS, 0, np.array([0, 1, 2, 1, 0]))
    slopes = slopes_by_gradient(network.head, ExplainedNetwork(network)(images).features, weights)
    np.testing.assert_allclose(slopes, weights @ head.slopes().T, rtol=1e-4, atol=1e-5)


def test_with_a_hidden_layer_the_slopes_are_those_of_finite_differences(images):
    network, head = random_network(hidden=7)
    explained = ExplainedNetwork(network)
    assert not explained.exact
    output = explained(images, maps=True)
    weights = contrasts(TARGETS, 0, np.array([0, 1, 2, 1, 0]))
    slopes = slopes_by_gradient(network.head, output.features, weights)
    for column in range(LAYOUT.n_columns):
        step = 1e-3 * np.eye(LAYOUT.n_columns, dtype=np.float32)[column]
        up, down = ((weights * head.logits(output.features + sign * step)).sum(axis=1) for sign in (1, -1))
        np.testing.assert_allclose(slopes[:, column], (up - down) / 2e-3, rtol=0.02, atol=2e-3)
    maps = explained.heat_maps(output, weights)
    expected = (slopes * (output.features - head.mean)).sum(axis=1)
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), expected, rtol=1e-4, atol=1e-5)


def test_the_map_peaks_in_the_quadrant_that_the_class_is_seen_in():
    """A network that sees red as `red`: its map lies where the red square is."""
    images = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(images)
    reds = keras.layers.Conv2D(1, 4, strides=4, activation="relu", name="reds")
    body = keras.Model(images, reds(x))
    kernel = np.zeros((4, 4, 3, 1), np.float32)
    kernel[:, :, 0], kernel[:, :, 1:] = 1 / 16, -1 / 16
    reds.set_weights([kernel, np.zeros(1, np.float32)])
    weights = HeadWeights(np.zeros(1), np.ones(1), np.array([[0.0, 0, 0, 5]]), np.array([0.0, 0, 0, -1]))
    layout = FeatureLayout((ColumnBlock(SIZE, "reds", "mean", 1, top=True),))
    explained = ExplainedNetwork(network_of(body, layout, weights))

    pictures = np.full((4, SIZE, SIZE, 3), 200, np.uint8)
    corners = [(2, 3), (2, 20), (18, 3), (20, 20)]
    for picture, (row, column) in zip(pictures, corners, strict=True):
        picture[row : row + 9, column : column + 9] = (250, 0, 0)
    maps = explained.heat_maps(explained(pictures, maps=True), contrasts(TARGETS, 1, np.ones(4, int)))
    for large, (row, column) in zip(enlarge(maps, SIZE), corners, strict=True):
        peak = np.unravel_index(large.argmax(), large.shape)
        assert row <= peak[0] < row + 9
        assert column <= peak[1] < column + 9
        quadrant = large[16 * (row > 15) :, 16 * (column > 15) :][:16, :16]
        assert quadrant.sum() > 0.9 * large.sum()
