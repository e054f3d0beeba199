"""Maps of networks whose evidence is known: where it lies, and that its mean is the score."""

import numpy as np
import pytest

from lacuna.analysis.explain.activation_maps import ExplainedNetwork, slopes_by_gradient
from lacuna.config.blocks import Head
from lacuna.core.feature_maps import contrasts, enlarge, pool, pool_images
from lacuna.core.targets import Target, Targets
from lacuna.features.backend import keras
from lacuna.training.model import attach_head, build_head, fold_head

SIZE, CHANNELS = 32, 6
TARGETS = Targets(
    (Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("absent", "present")))
)
ONE_LOGIT = np.eye(4)


def random_body(seed=0):
    """Images (n, 32, 32, 3) → feature maps (n, 4, 4, CHANNELS), by convolutions with random weights."""
    keras.utils.set_random_seed(seed)
    images = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(images)
    for channels in (8, CHANNELS):
        x = keras.layers.Conv2D(channels, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(images, keras.layers.AveragePooling2D(2)(x))


def random_head(hidden=0, batch_norm=False):
    head = build_head(CHANNELS, TARGETS, Head(dropout=0.5, hidden_units=hidden, batch_norm=batch_norm))
    generator = np.random.default_rng(0)
    head.set_weights([generator.uniform(0.5, 1.5, weights.shape) * 0.7 - 0.4 for weights in head.get_weights()])
    if batch_norm:  # gamma, beta, mean and variance
        norm = head.get_layer("batch_norm")
        norm.set_weights([*(generator.normal(size=CHANNELS) for _ in range(3)), generator.uniform(0.2, 2, CHANNELS)])
    return head


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_mean_of_a_class_activation_map_and_the_bias_are_the_logit(images, batch_norm):
    head = random_head(batch_norm=batch_norm)
    network = attach_head(random_body(), head)
    explained = ExplainedNetwork(network)
    assert explained.exact
    features, logits = explained.features(images), network.predict_on_batch(images)
    np.testing.assert_allclose(explained.logits(features), logits, atol=1e-6)
    bias = fold_head(head)[1]
    for index in range(TARGETS.n_logits):
        maps = explained.maps(features, np.tile(ONE_LOGIT[index], (5, 1)))
        assert maps.shape == (5, 4, 4)
        np.testing.assert_allclose(maps.mean(axis=(1, 2)) + bias[index], logits[:, index], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_of_a_linear_head_the_gradient_gives_the_same_map(images, batch_norm):
    head = random_head(batch_norm=batch_norm)
    explained = ExplainedNetwork(attach_head(random_body(), head))
    features = explained.features(images)
    weights = contrasts(TARGETS, 0, np.array([0, 1, 2, 1, 0]))
    slopes = slopes_by_gradient(head, pool(features), weights)
    np.testing.assert_allclose(slopes, weights @ fold_head(head)[0].T, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_with_a_hidden_layer_the_slopes_are_those_of_finite_differences(images, batch_norm):
    head = random_head(hidden=7, batch_norm=batch_norm)
    explained = ExplainedNetwork(attach_head(random_body(), head))
    assert not explained.exact
    features = explained.features(images)
    weights, pooled = contrasts(TARGETS, 0, np.array([0, 1, 2, 1, 0])), pool(features)
    slopes = slopes_by_gradient(head, pooled, weights)
    for channel in range(CHANNELS):
        step = 1e-3 * np.eye(CHANNELS, dtype=np.float32)[channel]
        up, down = ((weights * head.predict_on_batch(pooled + sign * step)).sum(axis=1) for sign in (1, -1))
        np.testing.assert_allclose(slopes[:, channel], (up - down) / 2e-3, rtol=0.02, atol=2e-3)
    maps = explained.maps(features, weights)
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), (slopes * pooled).sum(axis=1), rtol=1e-4, atol=1e-5)


def test_the_map_peaks_in_the_quadrant_that_the_class_is_seen_in():
    """A network that sees red as `red`: its map lies where the red square is."""
    images = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(images)
    reds = keras.layers.Conv2D(1, 4, strides=4, activation="relu", name="reds")
    body = keras.Model(images, reds(x))
    kernel = np.zeros((4, 4, 3, 1), np.float32)
    kernel[:, :, 0], kernel[:, :, 1:] = 1 / 16, -1 / 16
    reds.set_weights([kernel, np.zeros(1, np.float32)])
    head = build_head(1, TARGETS, Head(dropout=0.0, hidden_units=0, batch_norm=False))
    head.get_layer("logits").set_weights([np.array([[0.0, 0, 0, 5]]), np.array([0.0, 0, 0, -1])])
    explained = ExplainedNetwork(attach_head(body, head))

    pictures = np.full((4, SIZE, SIZE, 3), 200, np.uint8)
    corners = [(2, 3), (2, 20), (18, 3), (20, 20)]
    for picture, (row, column) in zip(pictures, corners, strict=True):
        picture[row : row + 9, column : column + 9] = (250, 0, 0)
    maps = explained.maps(explained.features(pictures), contrasts(TARGETS, 1, np.ones(4, int)))
    for large, (row, column) in zip(enlarge(maps, SIZE), corners, strict=True):
        peak = np.unravel_index(large.argmax(), large.shape)
        assert row <= peak[0] < row + 9
        assert column <= peak[1] < column + 9
        quadrant = large[16 * (row > 15) :, 16 * (column > 15) :][:16, :16]
        assert quadrant.sum() > 0.9 * large.sum()


def test_pooled_features_are_those_of_the_rows_asked_for(images):
    explained = ExplainedNetwork(attach_head(random_body(), random_head()))
    row = np.array([4, 0, 0, *range(5)] * 5)
    pooled = pool_images(explained.features, images, row, "embed")
    np.testing.assert_allclose(pooled, pool(explained.features(images))[row], rtol=1e-5)
