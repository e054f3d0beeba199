from dataclasses import replace

import numpy as np
import pytest

from lacuna.config.backbone import Backbone
from lacuna.config.blocks import Features
from lacuna.core.feature_store import ColumnBlock
from lacuna.errors import LacunaError
from lacuna.features.backbones import BACKBONES, Architecture, build_backbone
from lacuna.features.backend import keras
from lacuna.features.stages import (
    SMALLEST_VARIANCE,
    ChannelDeviation,
    ChannelMean,
    build_extractor,
    build_tail,
    feature_network,
    map_of,
    stages_of,
)

STAGES = {
    "efficientnet_lite0": "stem 32 32, b0 32 16, b2 16 24, b4 8 40, b7 4 80, "
    "b10 4 112, b14 2 192, b15 2 320, top 2 1280",
    "efficientnet_lite1": "stem 32 32, b0 32 16, b3 16 24, b6 8 40, b10 4 80, "
    "b14 4 112, b19 2 192, b20 2 320, top 2 1280",
    "efficientnet_lite2": "stem 32 32, b0 32 16, b3 16 24, b6 8 48, b10 4 88, "
    "b14 4 120, b19 2 208, b20 2 352, top 2 1280",
    "efficientnet_b0": "stem 32 32, block1a 32 16, block2b 16 24, block3b 8 40, block4c 4 80, block5c 4 112, "
    "block6d 2 192, block7a 2 320, top 2 1280",
    "efficientnet_v2b0": "stem 32 32, block1a 32 16, block2b 16 32, block3b 8 48, block4c 4 96, block5e 4 112, "
    "block6h 2 192, top 2 1280",
    "mobilenet_v2": "stem 32 32, b0 32 16, b2 16 24, b5 8 32, b9 4 64, b12 4 96, b15 2 160, b16 2 320, top 2 1280",
    "resnet50": "conv1 32 64, conv2_block3 16 256, conv3_block4 8 512, conv4_block6 4 1024, conv5_block3 2 2048",
    "small_cnn": "b0 64 32, b1 32 64, b2 16 128",
}
"""Of images of 64 pixels: the last block of each stage, its map's side and channels."""


def extractor(sizes=(0,), stages="all", name="small_cnn", image_size=24, weights="none"):
    backbone = Backbone(name=name, weights=weights, interpolation="bilinear", mean=(0, 0, 0), std=(1, 1, 1))
    return build_extractor(backbone, Features(sizes=sizes, stages=stages, max_gb=1.0), image_size)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 24, 24, 3), dtype=np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_a_stage_is_what_lies_between_two_changes_of_size_or_channels(name):
    body = build_backbone(
        Backbone(name=name, weights="none", interpolation="bilinear", mean=(0, 0, 0), std=(1, 1, 1)), 64
    )
    shapes = {stage: map_of(body, stage).shape[2:] for stage in stages_of(body)}
    assert ", ".join(f"{stage} {side} {channels}" for stage, (side, channels) in shapes.items()) == STAGES[name]
    assert map_of(body, list(shapes)[-1]) is body.output


def test_mean_and_deviation_by_hand():
    maps = np.zeros((1, 2, 2, 2), np.float32)
    maps[0, :, :, 0] = [[1, 3], [5, 7]]
    maps[0, :, :, 1] = 4
    np.testing.assert_allclose(ChannelMean()(maps), [[4, 4]])
    np.testing.assert_allclose(ChannelDeviation()(maps), [[5**0.5, SMALLEST_VARIANCE**0.5]], rtol=1e-6)


def test_a_constant_channel_has_a_finite_slope():
    image = keras.Input((2, 2, 1))
    constant = keras.layers.Conv2D(1, 1, kernel_initializer="zeros", name="constant")
    model = keras.Model(image, ChannelDeviation()(constant(image)))
    model.compile("sgd", "mse")
    model.train_on_batch(np.ones((1, 2, 2, 1), np.float32), np.ones((1, 1), np.float32))
    assert all(np.isfinite(one).all() for one in constant.get_weights())


def test_the_columns_are_the_statistics_of_the_maps_at_each_size(images):
    both = extractor((0, 32))
    assert both.sizes == (24, 32)
    assert both.body is both.bodies["", 24]
    blocks = [(b.size, b.stage, b.statistic, b.channels, b.top) for b in both.layout.blocks]
    assert blocks == [
        (size, stage, statistic, channels, stage == "b2")
        for size in (24, 32)
        for stage, statistic, channels in [
            ("b0", "mean", 32), ("b0", "deviation", 32), ("b1", "mean", 64), ("b1", "deviation", 64),
            ("b2", "mean", 128),
        ]
    ]  # fmt: skip
    found = np.asarray(feature_network(both)(images))
    assert found.shape == (3, both.layout.n_columns)
    for block, columns in both.layout.slices():
        body = both.bodies["", block.size]
        maps = np.asarray(keras.Model(body.input, both.maps()[block.map_name])(images))
        expected = maps.mean(axis=(1, 2)) if block.statistic == "mean" else maps.std(axis=(1, 2))
        np.testing.assert_allclose(found[:, columns], expected, rtol=1e-3, atol=2e-4)
    top = np.asarray(both.body(images)).mean(axis=(1, 2))
    np.testing.assert_allclose(found[:, both.layout.top], top, rtol=1e-4, atol=1e-5)


def two_layers(image):
    scaled = keras.layers.Rescaling(1 / 255, name="rescale")(image)
    below = keras.layers.Conv2D(6, 3, strides=2, name="b0_conv")(scaled)
    return keras.layers.Conv2D(8, 3, strides=2, activation="relu", name="b1_conv")(below)


def test_further_backbones_follow_the_first_at_every_size(images, monkeypatch):
    monkeypatch.setitem(BACKBONES, "mobilenet_v2", Architecture(64, two_layers, None))
    both = extractor((0, 32), name=["small_cnn", "mobilenet_v2"])
    alone = {name: extractor((0, 32), name=name) for name in ("small_cnn", "mobilenet_v2")}
    first, second = alone["small_cnn"].layout, alone["mobilenet_v2"].layout
    assert both.layout.blocks == (*first.blocks, *(replace(block, backbone="mobilenet_v2") for block in second.blocks))
    assert {"map_24_b1", "map_mobilenet_v2_24_b1", "map_mobilenet_v2_32_b1"} < set(both.layout.map_names)
    found = np.asarray(feature_network(both)(images))
    expected = [np.asarray(feature_network(one)(images)) for one in alone.values()]
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), rtol=1e-5, atol=1e-5)
    assert both.layout.top == first.top


def test_top_and_chosen_stages():
    assert [b.stage for b in extractor(stages="top").layout.blocks] == ["b2"]
    assert extractor(stages="top").layout.blocks == (ColumnBlock(24, "b2", "mean", 128, top=True),)
    chosen = extractor(stages=("b2", "b1")).layout.blocks
    assert [(b.stage, b.statistic) for b in chosen] == [("b1", "mean"), ("b1", "deviation"), ("b2", "mean")]


@pytest.mark.parametrize("stages", [("b9",), ("b0", "b0"), ("b0", "all")])
def test_stages_that_are_none_are_refused(stages):
    with pytest.raises(LacunaError, match=r"features\.stages: expected all, top or some of b0, b1, b2, each once, rec"):
        extractor(stages=stages)


def tail_of(unfreeze, sizes=(0,), stages="all"):
    backbone = Backbone(name="small_cnn", weights="none", interpolation="bilinear", mean=(0, 0, 0), std=(1, 1, 1))
    return build_tail(backbone, Features(sizes=sizes, stages=stages, max_gb=1.0), 24, unfreeze)


@pytest.mark.parametrize(
    ("unfreeze", "sizes", "stages"),
    [
        (0, (0,), "all"),
        ("b2", (0,), "all"),
        ("b2", (0,), "top"),
        ("b1", (0, 32), ("b0",)),
        (2, (32, 0), "top"),
        ("all", (32,), "all"),
    ],
)
def test_before_training_the_tail_on_the_boundary_map_puts_out_the_means_of_the_top(images, unfreeze, sizes, stages):
    whole, tail = extractor(sizes, stages), tail_of(unfreeze, sizes, stages)
    features, boundary = feature_network(whole, tail.boundary)(images)
    np.testing.assert_array_equal(features, feature_network(whole)(images))
    np.testing.assert_allclose(tail.means(boundary), features[:, whole.layout.top], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(ChannelMean()(tail.map(boundary)), tail.means(boundary))
    (top,) = (block for block in whole.layout.blocks if block.top and block.size == whole.sizes[0])
    assert tail.block == replace(top, tuned=True)
    assert bool(tail.means.trainable_weights) is (unfreeze != 0)
    assert tail.at_image is (unfreeze == "all")
    if tail.at_image:
        np.testing.assert_array_equal(boundary, images)  # as it is stored: resizing belongs to what learns


def test_a_tail_shares_no_weight_with_the_extractor(images):
    whole, tail = extractor((0, 32)), tail_of("b2", (0, 32))
    before = np.asarray(feature_network(whole)(images))
    for weight in tail.means.weights:
        weight.assign_add(np.full(weight.shape, 0.1, np.float32))
    np.testing.assert_array_equal(feature_network(whole)(images), before)


def test_a_layer_below_the_boundary_is_frozen_and_one_above_is_not():
    tail = tail_of("b1")
    learning = {weight.path.split("/")[0].partition("_")[0] for weight in tail.body.trainable_weights}
    assert learning == {"b1", "b2"}


def test_an_unknown_block_is_refused():
    with pytest.raises(LacunaError, match=r"finetune\.unfreeze: small_cnn has no block 'b7'"):
        tail_of("b7")
