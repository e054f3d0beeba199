"""ONNX files as a user would bring them: one small enough to compute by hand, and EfficientNet-Lite0's own body."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
WEIGHTS = np.arange(12, dtype=np.float32).reshape(4, 3) / 10 - 0.5


def tiny_model(*, maps: bool = True, axes: tuple[Any, ...] = ("n", 3, "h", "w")) -> onnx.ModelProto:
    """Images, channels first → embedding (n, 4) = channel means times WEIGHTS, and the images over 2 as a map.

    A transformer's tokens (n, 3, 1) are put out too, which are neither.
    """
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights"], ["pooled/embedding"], transB=1),
        helper.make_node("Mul", ["pixels", "half"], ["map.1"]),
        helper.make_node("Unsqueeze", ["flat", "last"], ["tokens"]),
    ]
    constants = [
        numpy_helper.from_array(WEIGHTS, "weights"),
        numpy_helper.from_array(np.float32(0.5), "half"),
        numpy_helper.from_array(np.array([2]), "last"),
    ]
    outputs: list[tuple[str, tuple[Any, ...]]] = [("pooled/embedding", ("n", 4)), ("tokens", ("n", 3, 1))]
    if maps:
        outputs.append(("map.1", ("n", None, None, None)))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, axes)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def write_tiny(path: Path, **changes: Any) -> Path:
    path.write_bytes(tiny_model(**changes).SerializeToString())
    return path


def write_lite0(path: Path, side: int, *, channels_first: bool) -> Path:
    """EfficientNet-Lite0 above its preprocessing: the mean of its last map, and the map that each stage ends with."""
    from tf2onnx.tfonnx import process_tf_graph

    from lacuna.config.backbone import Backbone
    from lacuna.features import backend
    from lacuna.features.backbones import build_backbone
    from lacuna.features.backend import keras
    from lacuna.features.stages import ChannelMean, map_of, stages_of

    settings = Backbone(
        name="efficientnet_lite0", weights="imagenet", mean=(0, 0, 0), std=(1, 1, 1), interpolation="bilinear"
    )
    body = build_backbone(settings, side)
    stages = stages_of(body)[:-1]
    results = [ChannelMean()(body.output), *(map_of(body, stage) for stage in stages)]
    frozen = backend.freeze(keras.Model(body.get_layer("rescale").output, results))
    names = [tensor.name for tensor in frozen.outputs]
    source = frozen.inputs[0].name
    graph = process_tf_graph(
        frozen.graph,
        input_names=[source],
        output_names=names,
        tensors_to_rename={source: "pixels", **dict(zip(names, ["embedding", *stages], strict=True))},
        inputs_as_nchw=[source] if channels_first else None,
        outputs_as_nchw=names[1:] if channels_first else None,
        opset=OPSET,
    )
    path.write_bytes(graph.make_model("lite0").SerializeToString())
    return path


def hand_computed(images: NDArray[np.uint8], mean: NDArray[Any], std: NDArray[Any]) -> NDArray[np.float64]:
    """What `tiny_model` gives with its map: means and deviations of the halved pixels, and the embedding."""
    pixels = (images - mean) / std
    means = pixels.mean(axis=(1, 2))
    return np.concatenate([means / 2, pixels.std(axis=(1, 2)) / 2, means @ WEIGHTS.T], axis=1)
