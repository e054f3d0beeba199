import numpy as np
import pytest

from lacuna.config.backbone import Backbone
from lacuna.errors import LacunaError
from lacuna.features.backbones import BACKBONES, build_backbone
from lacuna.features.freeze_boundary import block_depths, cut

FIRST_UNFROZEN = {"efficientnet_lite0": "b13_depthwise_bn", "efficientnet_b0": "block6d_bn"}
BOUNDARY = {"efficientnet_lite0": "b12_add", "efficientnet_b0": "block6c_add"}


def build(name, seen=0):
    return build_backbone(
        Backbone(name=name, weights="none", interpolation="bilinear", mean=(0, 0, 0), std=(1, 1, 1)), 64, seen
    )


@pytest.fixture(scope="module")
def lite0():
    return build("efficientnet_lite0", seen=80)


def learning_layers(backbone):
    return {layer.name for layer in backbone.layers if layer.trainable_weights}


@pytest.mark.slow
@pytest.mark.parametrize("name", FIRST_UNFROZEN)
def test_27_layers_put_the_boundary_where_the_design_says(name):
    backbone = build(name)
    parts = cut(backbone, unfreeze=27)
    assert backbone.layers[-27].name == FIRST_UNFROZEN[name]
    assert parts.boundary == BOUNDARY[name]
    learning = learning_layers(backbone)
    assert learning
    assert learning <= {layer.name for layer in backbone.layers[-27:]}
    assert not any(name.endswith("bn") for name in learning)


@pytest.mark.slow
@pytest.mark.parametrize("unfreeze", [0, 1, 27, 60, 10_000, "top", "b14", "stem", "all"])
def test_trunk_and_tail_are_the_whole(lite0, unfreeze):
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    parts = cut(lite0, unfreeze)
    whole = np.asarray(lite0(images))
    np.testing.assert_array_equal(np.asarray(parts.tail(parts.trunk(images))), whole)
    assert parts.trunk.trainable_weights == []
    assert bool(parts.tail.trainable_weights) is (unfreeze not in (0, 1))
    assert parts.at_image is (unfreeze in ("all", 10_000))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "block", "boundary", "lowest"),
    [
        ("efficientnet_lite0", "b14", "b13_add", "b14_expand_conv"),
        ("efficientnet_lite0", "b1", "b0_project_bn", "b1_expand_conv"),  # not b10 to b15
        ("efficientnet_lite0", "top", "b15_project_bn", "top_conv"),
        ("efficientnet_b0", "block6d", "block6c_add", "block6d_expand_conv"),
        ("efficientnet_v2b0", "block6h", "block6g_add", "block6h_expand_conv"),
        ("mobilenet_v2", "b15", "b14_add", "b15_expand_conv"),
        ("resnet50", "conv5_block3", "conv5_block2_out", "conv5_block3_1_conv"),
        ("resnet50", "conv5", "conv4_block6_out", "conv5_block1_1_conv"),
        ("small_cnn", "b2", "b1_conv", "b2_conv"),
    ],
)
def test_a_block_by_its_name_is_unfrozen_with_all_above_it(name, block, boundary, lowest):
    backbone = build(name)
    assert cut(backbone, block).boundary == boundary
    names = [layer.name for layer in backbone.layers]
    above = names[names.index(boundary) + 1 :]
    learning = learning_layers(backbone)
    assert lowest in learning
    assert learning <= set(above)
    assert learning >= {name for name in above if name.endswith("conv")}


def test_all_unfreezes_every_layer_but_batch_norm(lite0):
    assert cut(lite0, "all").boundary == "image"
    convolutions = {layer.name for layer in lite0.layers if layer.name.endswith("conv")}
    assert learning_layers(lite0) == convolutions
    assert "stem_conv" in convolutions


def test_cutting_again_forgets_the_former_cut(lite0):
    cut(lite0, "all")
    cut(lite0, "top")
    assert learning_layers(lite0) == {"top_conv"}


def test_an_unknown_block_is_answered_with_those_there_are(lite0):
    with pytest.raises(
        LacunaError, match=r"finetune.unfreeze: efficientnet_lite0 has no block 'b16', .*stem, b0, b1, .*, b15, top$"
    ):
        cut(lite0, "b16")


def test_depths_count_blocks_from_the_top(lite0):
    depths = block_depths(lite0)
    assert depths["top_conv"] == depths["top_bn"] == 0
    assert depths["b15_project_bn"] == depths["b15_expand_conv"] == 1
    assert depths["b1_expand_conv"] == 15
    assert depths["stem_conv"] == 17
    assert block_depths(build("small_cnn")) == {"b2_conv": 0, "b1_conv": 1, "b0_conv": 2}
    resnet = block_depths(build("resnet50"))
    assert resnet["conv5_block3_3_conv"] == 0
    assert resnet["conv1_conv"] == 16


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_every_layer_that_can_learn_has_a_depth_that_never_falls_downwards(name):
    backbone = build(name)
    cut(backbone, "all")
    depths = block_depths(backbone)
    assert learning_layers(backbone) <= set(depths)
    downwards = [depths[layer.name] for layer in reversed(backbone.layers) if layer.name in depths]
    assert downwards == sorted(downwards)
    assert set(downwards) == set(range(max(downwards) + 1))
