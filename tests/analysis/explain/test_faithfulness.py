"""Faithfulness on a network whose probability hangs on one known patch of the image."""

import numpy as np
import pytest

from lacuna.analysis.explain.faithfulness import (
    SHARE,
    blur,
    draw_measured,
    hottest,
    move,
    padding_share,
    probability_drops,
    summarise_drops,
    summarise_padding,
)
from lacuna.calibration.cross_fit import Judgement
from lacuna.calibration.model import Calibration, TargetCalibration
from lacuna.core.feature_maps import Output, contrasts, enlarge, heat_maps
from lacuna.core.feature_store import ColumnBlock, FeatureLayout
from lacuna.core.targets import Target, Targets
from tests.simulated_predictions import EVALUATE

KIND = Target("kind", "categorical", ("bag", "shoe", "hat"))
RED = Target("red", "binary", ("absent", "present"))
TARGETS = Targets((KIND, RED))
ZEROS = (0.0, 0.0, 0.0)
CALIBRATION = Calibration(
    {
        "kind": TargetCalibration(
            "categorical", 1.0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), "argmax", None, None, None, 50, None, ()
        ),
        "red": TargetCalibration("binary", 1.0, (0.0,), (0.0,), "fixed", 0.5, 0.5, 0.5, 50, 20, ()),
    }
)
SIZE, CELLS = 40, 5


class PatchNetwork:
    """Sees the contrast within each of 5 x 5 cells; `red` is there when that of the cell at (1, 3) is high.

    With `blind` the maps are noise, as of a map that has nothing to do with the network.
    """

    def __init__(self, blind=False):
        self.blind = blind
        self.generator = np.random.default_rng(0)

    def run(self, images, maps=False):
        cell = SIZE // CELLS
        parts = images.reshape(len(images), CELLS, cell, CELLS, cell, 3).astype(np.float32)
        contrast = parts.std(axis=(2, 4)).mean(axis=-1, keepdims=True) / 70
        logits = np.zeros((len(images), 4), np.float32)
        logits[:, 1] = logits[:, 3] = 8 * contrast[:, 1, 3, 0] - 4
        return Output(logits, contrast.mean(axis=(1, 2)), {"contrast": contrast} if maps else {})

    def heat_maps(self, output, weights):
        contrast = output.maps["contrast"][..., 0]
        if self.blind:
            return self.generator.random(contrast.shape).astype(np.float32)
        evidence = np.zeros(contrast.shape, np.float32)
        evidence[:, 1, 3] = contrast[:, 1, 3] * (weights[:, 1] + weights[:, 3])
        return evidence


def noise_images(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, SIZE, SIZE, 3), dtype=np.uint8)


def whole(n, size=SIZE):
    """Boxes of pictures that no padding surrounds."""
    return np.tile([0, 0, size, size], (n, 1))


def drops_of(network, n, seed=0):
    classes = np.ones((n, 2), np.intp)
    rows = np.arange(n)
    return probability_drops(network, TARGETS, CALIBRATION, noise_images(n, seed), rows, whole(n), classes, seed)


def test_maps_of_the_patch_that_counts_are_shown_to_hold():
    drops = drops_of(PatchNetwork(), 80)
    for index in range(2):
        summary = summarise_drops(drops.hottest[:, index], drops.elsewhere[:, index], np.arange(80), EVALUATE)
        assert summary["drop_hottest"] > 0.5
        assert abs(summary["drop_random"]) < 0.15
        assert summary["difference"] == pytest.approx(summary["drop_hottest"] - summary["drop_random"], abs=2e-6)
        assert 0.3 < summary["difference_low"] < summary["difference"] < summary["difference_high"]
        assert summary["shown"] is True


def test_maps_of_noise_are_not():
    shown = 0
    for seed in range(20):
        network = PatchNetwork(blind=True)
        network.generator = np.random.default_rng(seed)
        drops = drops_of(network, 40, seed)
        summary = summarise_drops(drops.hottest[:, 1], drops.elsewhere[:, 1], np.arange(40), EVALUATE)
        shown += summary["shown"]
        assert abs(summary["difference"]) < 0.2
    assert shown <= 2  # of 20 at 2.5 % each, 3 or more would have a chance of 1 %


def test_only_what_is_asked_for_is_measured_and_from_its_own_row():
    images = noise_images(40)
    images[5] = 128  # nothing to see in the patch: the probability of red is low, and stays
    classes = np.full((3, 2), -1)
    classes[1, 1] = classes[2, 1] = 1
    rows = np.array([0, 5, 7])
    drops = probability_drops(PatchNetwork(), TARGETS, CALIBRATION, images, rows, whole(3), classes, 0)
    assert np.isnan(drops.padding[:, 0]).all()
    assert drops.padding[1:, 1].tolist() == [0, 0]
    assert np.isnan(drops.hottest[0]).all()
    assert np.isnan(drops.elsewhere[:, 0]).all()
    assert drops.hottest[1, 1] == pytest.approx(0, abs=1e-6)
    assert drops.hottest[2, 1] > 0.5


def test_copies_widen_the_interval():
    few = np.random.default_rng(0).normal(0.1, 0.3, 12)
    many = np.repeat(few, 5)
    zeros = np.zeros(60)
    honest = summarise_drops(many, zeros, np.repeat(np.arange(12), 5), EVALUATE)
    naive = summarise_drops(many, zeros, np.arange(60), EVALUATE)
    assert honest["difference"] == naive["difference"]
    width = [one["difference_high"] - one["difference_low"] for one in (honest, naive)]
    assert width[0] > 1.7 * width[1]


def test_too_few_groups_have_no_interval_and_no_image_no_figure():
    assert "shown" not in summarise_drops(np.full(9, 0.2), np.zeros(9), np.arange(9), EVALUATE)
    assert summarise_drops(np.full(9, np.nan), np.full(9, np.nan), np.arange(9), EVALUATE) == {"images": 0}


def test_the_hottest_tenth_is_a_tenth_and_keeps_size_and_shape_when_moved():
    maps = np.random.default_rng(0).normal(size=(6, 30, 30)).astype(np.float32)
    maps[0] = 0  # ties
    maps[1, 4:7, 10:20] = 9
    masks = hottest(maps, whole(6, 30))
    assert masks.sum(axis=(1, 2)).tolist() == [round(SHARE * 900)] * 6
    assert masks[1, 4:7, 10:20].all()
    moved = move(masks, whole(6, 30), np.random.default_rng(0))
    assert (moved.sum(axis=(1, 2)) == masks.sum(axis=(1, 2))).all()
    assert (moved != masks).any(axis=(1, 2)).all()
    for mask, other in zip(masks, moved, strict=True):
        assert sorted(mask.sum(axis=0).tolist()) == sorted(other.sum(axis=0).tolist())


def test_heat_on_padding_is_measured_and_neither_blurred_nor_where_the_other_place_is():
    """Of a picture of 30 x 10 in a square of 30, hottest by far above it."""
    maps = np.ones((1, 30, 30), np.float32)
    maps[0, :10] = -4
    maps[0, 12, :15] = 3
    box = np.array([[10, 0, 20, 30]])
    (mask,) = hottest(maps, box)
    assert mask.sum() == round(SHARE * 300)
    assert mask[12, :15].all()
    for seed in range(5):
        (other,) = move(mask[None], box, np.random.default_rng(seed))
        assert other[10:20].sum() == mask.sum()
    inner = 10 * 30 + 15 * 2
    assert padding_share(maps, box) == pytest.approx([1 - inner / (inner + 1200 + 300)])
    assert padding_share(np.zeros((1, 30, 30), np.float32), box).tolist() == [0]


def test_padding_is_told_of_padded_images_alone():
    boxes = np.array([[0, 0, 30, 30], [10, 0, 20, 30], [0, 0, 15, 30], [0, 0, 15, 30]])
    shares = np.array([0.0, 0.5, 0.3, np.nan])
    found = summarise_padding(shares, boxes, 30)
    assert found == pytest.approx({"padding_heat": 0.4, "padding_area": (2 / 3 + 1 / 2) / 2}, abs=1e-6)
    assert summarise_padding(shares[:1], boxes[:1], 30) == {}


def test_blurring_leaves_no_outline_and_the_mean():
    image = np.zeros((1, 40, 40, 3), np.uint8)
    image[0, ::2, ::2] = (255, 100, 0)
    blurred = blur(image)[0, 10:30, 10:30].astype(float)
    assert np.ptp(blurred, axis=(0, 1)).max() <= 8  # it was 255
    assert blurred.mean(axis=(0, 1)) == pytest.approx([63.75, 25, 0], abs=2)


def test_binary_targets_are_measured_where_they_are_present_and_categorical_ones_on_what_was_decided():
    decisions = np.array([0, 1, 2, 1, 0, 2, 1, 0])
    kind = Judgement(KIND, decisions, np.zeros((8, 3)), decisions, np.ones(8))
    red = Judgement(RED, decisions, np.zeros((8, 2)), np.array([0, 1, 0, 0, 1, 0, 0, 1]), np.ones(8))
    classes = draw_measured([kind, red], 3, seed=0)
    assert (classes >= 0).sum(axis=0).tolist() == [3, 3]
    drawn = classes[:, 0] >= 0
    assert (classes[drawn, 0] == decisions[drawn]).all()
    assert np.flatnonzero(classes[:, 1] == 1).tolist() == [1, 4, 7]


def test_what_is_explained_does_not_hang_on_what_all_classes_share():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(2, 4))
    weights = contrasts(TARGETS, 0, np.array([2, 0]))
    scores = (weights * logits).sum(axis=1)
    assert scores == pytest.approx([logits[0, 2] - logits[0, :3].mean(), logits[1, 0] - logits[1, :3].mean()])
    shifted = logits + np.array([5, 5, 5, 0])
    assert (weights * shifted).sum(axis=1) == pytest.approx(scores)
    assert contrasts(TARGETS, 1, np.array([1, 0])).tolist() == [[0, 0, 0, 1], [0, 0, 0, -1]]


def test_maps_are_the_weighed_channels_and_lie_over_the_right_pixels():
    features = np.zeros((1, 4, 4, 2), np.float32)
    features[0, 0, 3] = (2, 10)
    layout = FeatureLayout((ColumnBlock(SIZE, "top", "mean", 2, top=True),))
    maps = heat_maps({f"map_{SIZE}_top": features}, layout, np.array([[3.0, 0.5]]), np.zeros(2))
    assert maps[0, 0, 3] == 11
    assert maps.sum() == 11
    large = enlarge(maps, 40)
    assert large.shape == (1, 40, 40)
    row, column = np.unravel_index(large[0].argmax(), (40, 40))
    assert row < 10
    assert column >= 30
    assert large[0, :, :20].max() == 0
