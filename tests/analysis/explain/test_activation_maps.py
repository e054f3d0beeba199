"""Maps of networks whose evidence is known: where it lies, and that its mean is the score."""

import numpy as np
import pytest

from lacuna.analysis.explain.activation_maps import ExplainedNetwork
from lacuna.core.feature_maps import Output, contrasts, enlarge
from lacuna.core.feature_store import SMALLEST_VARIANCE, ColumnBlock, FeatureLayout
from lacuna.core.head_weights import HeadWeights
from lacuna.core.targets import Target, Targets
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
RANDOM = np.random.default_rng(0)
EARLY, LATE = RANDOM.normal(size=(3, 8)) / 99, RANDOM.normal(size=(3, 6)) / 99


def deviation(maps):
    return np.sqrt(maps.var(axis=(1, 2)) + SMALLEST_VARIANCE)


def network_of(head):
    """Its head sees means and deviations of a map (n, 16, 16, 8) and means of the last one (n, 8, 8, 6)."""

    def run(images, maps=False):
        pixels = images.astype(np.float64)
        early = np.maximum(pixels[:, ::2, ::2] @ EARLY, 0)
        late = np.maximum(pixels[:, ::4, ::4] @ LATE, 0)
        features = np.hstack([early.mean(axis=(1, 2)), deviation(early), late.mean(axis=(1, 2))]).astype(np.float32)
        found = {"map_32_b0": early.astype(np.float32), "map_32_b1": late.astype(np.float32)}
        return Output(head.logits(features), features, found if maps else {})

    return ExplainedNetwork(run, LAYOUT, head)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)


def test_the_mean_of_a_heat_map_and_the_bias_are_the_logit(images):
    head = random_head(LAYOUT.n_columns, TARGETS.n_logits)
    explained = network_of(head)
    output = explained.run(images, maps=True)
    for index in range(TARGETS.n_logits):
        maps = explained.heat_maps(output, np.tile(np.eye(4)[index], (5, 1)))
        assert maps.shape == (5, 16, 16)
        np.testing.assert_allclose(maps.mean(axis=(1, 2)) + head.bias[index], output.logits[:, index], atol=1e-5)


def test_some_images_can_be_taken_out(images):
    whole = network_of(random_head(LAYOUT.n_columns, TARGETS.n_logits)).run(images, maps=True)
    some = whole.take(np.array([3, 1]))
    for all_of_them, taken in zip(
        (whole.logits, whole.features, *whole.maps.values()),
        (some.logits, some.features, *some.maps.values()),
        strict=True,
    ):
        assert (taken == all_of_them[[3, 1]]).all()


def test_with_a_hidden_layer_the_slopes_are_those_of_finite_differences(images):
    head = random_head(LAYOUT.n_columns, TARGETS.n_logits, hidden_units=7)
    explained = network_of(head)
    output = explained.run(images, maps=True)
    weights = contrasts(TARGETS, 0, np.array([0, 1, 2, 1, 0]))
    slopes = head.slopes_at(output.features, weights)
    for column in range(LAYOUT.n_columns):
        step = 1e-3 * np.eye(LAYOUT.n_columns, dtype=np.float32)[column]
        up, down = ((weights * head.logits(output.features + sign * step)).sum(axis=1) for sign in (1, -1))
        np.testing.assert_allclose(slopes[:, column], (up - down) / 2e-3, rtol=0.02, atol=2e-3)
    maps = explained.heat_maps(output, weights)
    expected = (slopes * (output.features - head.mean)).sum(axis=1)
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), expected, rtol=1e-4, atol=1e-5)


def test_the_map_peaks_in_the_quadrant_that_the_class_is_seen_in():
    """A network that sees red as `red`: its map lies where the red square is."""

    def reds(images, maps=False):
        pixels = images.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4)) / 255
        found = np.maximum(pixels[..., 0] - pixels[..., 1] - pixels[..., 2], 0)[..., None].astype(np.float32)
        features = found.mean(axis=(1, 2))
        return Output(head.logits(features), features, {f"map_{SIZE}_reds": found})

    head = HeadWeights(np.zeros(1), np.ones(1), np.array([[0.0, 0, 0, 5]]), np.array([0.0, 0, 0, -1]))
    layout = FeatureLayout((ColumnBlock(SIZE, "reds", "mean", 1, top=True),))
    explained = ExplainedNetwork(reds, layout, head)

    pictures = np.full((4, SIZE, SIZE, 3), 200, np.uint8)
    corners = [(2, 3), (2, 20), (18, 3), (20, 20)]
    for picture, (row, column) in zip(pictures, corners, strict=True):
        picture[row : row + 9, column : column + 9] = (250, 0, 0)
    maps = explained.heat_maps(explained.run(pictures, maps=True), contrasts(TARGETS, 1, np.ones(4, int)))
    for large, (row, column) in zip(enlarge(maps, SIZE), corners, strict=True):
        peak = np.unravel_index(large.argmax(), large.shape)
        assert row <= peak[0] < row + 9
        assert column <= peak[1] < column + 9
        quadrant = large[16 * (row > 15) :, 16 * (column > 15) :][:16, :16]
        assert quadrant.sum() > 0.9 * large.sum()
