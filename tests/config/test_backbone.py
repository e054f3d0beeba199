"""The block `backbone` of params.yaml."""

import pytest

from lacuna.config.load import parse_params
from tests.tiny_project import mistake, params_content


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("backbone.name", "efficientnet_b7", "received 'efficientnet_b7'"),
        (
            "backbone.name",
            ["resnet50", "onnx"],
            "two or more of the others, each once, received ['resnet50', 'onnx']",
        ),
        ("backbone.name", ["resnet50", "resnet50"], "each once, received ['resnet50', 'resnet50']"),
        ("backbone.name", ["resnet50", "small_cnn"], "small_cnn has no ImageNet weights: set backbone.weights to none"),
        ("backbone.name", "small_cnn", "small_cnn has no ImageNet weights: set backbone.weights to none"),
        ("backbone.name", "onnx", "weights must be the path of an ONNX file with name onnx, received 'imagenet'"),
        (
            "backbone.name",
            "keras_hub",
            "weights must be a preset of KerasHub with name keras_hub, received 'imagenet'",
        ),
        ("backbone.mean", [0.485, 0.456, 0.406], "received [0.485, 0.456, 0.406]; multiply by 255 those for pixels"),
        ("backbone.std", [1, 0, 1], "expected the numbers for pixels from 0 to 255, received [1.0, 0.0, 1.0]"),
        ("backbone.mean", [300, 0, 0], "expected less than or equal to 255, received 300"),
        ("backbone.std", [58.0], "backbone.std.1: missing, expected a value"),
        ("backbone.interpolation", "cubic", "'lanczos3' or 'lanczos5', received 'cubic'"),
    ],
)
def test_an_impossible_backbone_is_named_with_what_was_expected(key, value, message):
    changed = params_content()
    changed["backbone"][key.split(".")[1]] = value
    assert message in mistake(changed)


def test_several_backbones_are_pretrained_or_random_and_taken_at_all_stages_or_the_top():
    changed = params_content()
    changed["backbone"]["name"] = ["mobilenet_v2", "efficientnet_lite0"]
    assert parse_params(changed).backbone.names == ("mobilenet_v2", "efficientnet_lite0")
    changed["features"]["stages"] = ["b4"]
    assert "['b4'] names blocks of one backbone, and backbone.name has 2; write all or top" in mistake(changed)
    changed["backbone"]["weights"] = "models/own.weights.h5"
    assert "weights must be imagenet or none with several backbones, received 'models/own" in mistake(changed)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("finetune.epochs", 3, "and finetune.epochs is 3; write finetune.epochs: 0"),
        ("export.int8", True, "export.int8: a backbone from an ONNX file is exported as it is; write false"),
        ("export.litert", True, "export.litert: a backbone from an ONNX file is exported as it is; write false"),
    ],
)
def test_a_backbone_from_an_onnx_file_is_frozen_and_exported_as_it_is(key, value, message):
    changed = params_content()
    changed["backbone"].update(name="onnx", weights="models/vit.onnx")
    changed["finetune"]["epochs"] = 0
    assert parse_params(changed).backbone.weights == "models/vit.onnx"
    block, name = key.split(".")
    changed[block][name] = value
    assert message in mistake(changed)


def test_a_size_by_its_number_and_as_0_is_refused():
    changed = params_content()
    changed["features"]["sizes"] = [0, changed["data"]["image_size"]]
    side = changed["data"]["image_size"]
    assert f"features.sizes: {side} stands there twice, once as 0, the size of the stored images" in mistake(changed)
