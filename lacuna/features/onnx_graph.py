"""A file of the user's own put into one ONNX graph: stored images in, features, their maps and maybe logits out.

featurize, OpenVINO's export and ONNX's run this same graph, so what is between the image and the features is written
once. Its operators are of the file's version; those added mean the same in all that `onnx_file` lets pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.core.feature_store import SMALLEST_VARIANCE, ColumnBlock, FeatureLayout
from lacuna.features.onnx_file import OnnxFile, subgraphs_of

IMAGES, LOGITS, FEATURES = "images", "logits", "features"
"""The names of the graph's input and of its outputs; maps are named by the layout."""


@dataclass(frozen=True)
class OnnxBackbone:
    """A file as `params.yaml` uses it.

    image_size: side of the stored images. matrices: by the size that the file's network sees, the W (size, image_size)
    of `lacuna.features.backbones.resize`, None where that is the stored size. mean, std: (3,), of pixels from 0 to 255.
    outputs: the file's outputs by what the layout calls their stages; one of rank 2 is the embedding, which stands in
    the layout as the top, those of rank 4 are maps.
    """

    file: OnnxFile
    image_size: int
    matrices: Mapping[int, NDArray[np.float32] | None]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    outputs: Mapping[str, str]
    layout: FeatureLayout

    @property
    def has_maps(self) -> bool:
        """Whether features are taken of a map, so that there are heat maps."""
        return any(not block.top for block in self.layout.blocks)

    def describe(self) -> str:
        """What is used, in words for people."""
        stages = list(dict.fromkeys(block.stage for block in self.layout.blocks if not block.top))
        top = next(block for block in self.layout.blocks if block.top)
        maps = f"the maps {', '.join(stages)}" if stages else "no map that features.stages names: no heat maps"
        return f"the embedding {top.stage} of {top.channels} numbers and {maps}"


def compose_graph(backbone: OnnxBackbone, head: Mapping[str, NDArray[Any]] | None = None, *, maps: bool = False) -> Any:
    """An onnx.ModelProto: images uint8 (n, s, s, 3), any n → features float32 (n, n_columns).

    head: the arrays of a `lacuna.core.head_weights.HeadWeights` by name; its logits (n, n_logits) are put out before
    the features. maps: the maps (n, h, w, channels) of the layout are put out after them; the embedding, which belongs
    to no place, is one of a single position.
    """
    import onnx
    from onnx import helper

    graph = _Graph()
    pixels = graph.add("Cast", IMAGES, to=onnx.TensorProto.FLOAT)
    weights = {tensor.name: f"file/{tensor.name}" for tensor in backbone.file.model.graph.initializer}
    graph.add_weights(backbone.file.model.graph.initializer, weights)
    prefixes = {size: f"file_{size}/" for size in backbone.matrices}
    for size, prefix in prefixes.items():
        _add_network(graph, backbone, _seen(graph, backbone, pixels, size), prefix, weights)
    sources = {block: prefixes[block.size] + backbone.outputs[block.stage] for block in backbone.layout.blocks}
    columns = [_statistic(graph, block, source, backbone.file.channels_first) for block, source in sources.items()]
    graph.add("Concat", *columns, output=FEATURES, axis=1)
    outputs: dict[str, list[Any]] = {FEATURES: ["n", backbone.layout.n_columns]}
    if head is not None:
        _add_head(graph, head)
        outputs = {LOGITS: ["n", len(head["bias"])], **outputs}
    if maps:
        named = {block.map_name: (block, source) for block, source in sources.items()}
        for name, (block, source) in named.items():
            _add_map(graph, name, block, source, backbone.file.channels_first)
            outputs[name] = ["n", None, None, block.channels]
    side = backbone.image_size
    image = helper.make_tensor_value_info(IMAGES, onnx.TensorProto.UINT8, ["n", side, side, 3])
    results = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in outputs.items()]
    whole = helper.make_graph(graph.nodes, "lacuna", [image], results, list(graph.constants.values()))
    version = helper.make_opsetid("", backbone.file.opset)
    return helper.make_model(whole, opset_imports=[version], ir_version=backbone.file.model.ir_version)


class _Graph:
    """Nodes and constants while they are put together; tensors are named by their number."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def add(self, operator: str, *inputs: str | NDArray[Any], output: str = "", **attributes: Any) -> str:
        """Add a node that reads tensors by name, or constants; return the name of its output."""
        from onnx import helper

        name = output or f"lacuna/{len(self.nodes)}"
        read = [each if isinstance(each, str) else self._constant(each) for each in inputs]
        self.nodes.append(helper.make_node(operator, read, [name], name=f"{name}/node", **attributes))
        return name

    def add_weights(self, tensors: Any, names: Mapping[str, str]) -> None:
        for tensor in tensors:
            self.constants[names[tensor.name]] = copy = type(tensor)()
            copy.CopyFrom(tensor)
            copy.name = names[tensor.name]

    def _constant(self, values: NDArray[Any]) -> str:
        from onnx import numpy_helper

        name = f"lacuna/constant_{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name


def _seen(graph: _Graph, backbone: OnnxBackbone, pixels: str, size: int) -> str:
    """The images as the file's network takes them at this size, resized as `SquareResize` does."""
    matrix, stored = backbone.matrices[size], backbone.image_size
    if matrix is not None:
        pixels = graph.add("MatMul", matrix, pixels)
        pixels = graph.add("Reshape", pixels, np.array([-1, stored, size * 3]))
        pixels = graph.add("MatMul", matrix, pixels)
        pixels = graph.add("Reshape", pixels, np.array([-1, size, size, 3]))
    pixels = graph.add("Sub", pixels, np.array(backbone.mean, np.float32))
    pixels = graph.add("Div", pixels, np.array(backbone.std, np.float32))
    return graph.add("Transpose", pixels, perm=[0, 3, 1, 2]) if backbone.file.channels_first else pixels


def _add_network(graph: _Graph, backbone: OnnxBackbone, images: str, prefix: str, weights: Mapping[str, str]) -> None:
    """Add the file's nodes once more, their tensors' names behind a prefix; the weights are shared."""
    names = {**weights, backbone.file.image: images}

    def renamed(name: str) -> str:
        return names.get(name, prefix + name) if name else ""  # an optional input that is left out has no name

    for node in backbone.file.model.graph.node:
        graph.nodes.append(_renamed_node(node, renamed))


def _renamed_node(node: Any, renamed: Any) -> Any:
    copy = type(node)()
    copy.CopyFrom(node)
    copy.name = renamed(node.name)
    copy.input[:], copy.output[:] = map(renamed, node.input), map(renamed, node.output)
    for inside in subgraphs_of(copy):
        nodes = [_renamed_node(each, renamed) for each in inside.node]
        del inside.node[:], inside.value_info[:]
        inside.node.extend(nodes)
        for tensor in [*inside.input, *inside.output, *inside.initializer]:
            tensor.name = renamed(tensor.name)
    return copy


def _statistic(graph: _Graph, block: ColumnBlock, source: str, channels_first: bool) -> str:
    """The columns of a block (n, channels)."""
    if block.top:
        return source
    maps = source if channels_first else graph.add("Transpose", source, perm=[0, 3, 1, 2])
    mean = graph.add("GlobalAveragePool", maps)
    if block.statistic == "deviation":
        away = graph.add("Sub", maps, mean)
        variance = graph.add("GlobalAveragePool", graph.add("Mul", away, away))
        mean = graph.add("Sqrt", graph.add("Add", variance, np.array(SMALLEST_VARIANCE, np.float32)))
    return graph.add("Flatten", mean)


def _add_map(graph: _Graph, name: str, block: ColumnBlock, source: str, channels_first: bool) -> None:
    if block.top:
        graph.add("Reshape", source, np.array([-1, 1, 1, block.channels]), output=name)
    elif channels_first:
        graph.add("Transpose", source, output=name, perm=[0, 2, 3, 1])
    else:
        graph.add("Identity", source, output=name)


def _add_head(graph: _Graph, head: Mapping[str, NDArray[Any]]) -> None:
    """The logits of the features, as `HeadWeights.logits` has them."""
    parts = {name: values.astype(np.float32) for name, values in head.items()}
    x = graph.add("Div", graph.add("Sub", FEATURES, parts["mean"]), parts["scale"])
    logits = graph.add("MatMul", x, parts["weights"])
    if "hidden_weights" in parts:
        hidden = graph.add("Add", graph.add("MatMul", x, parts["hidden_weights"]), parts["hidden_bias"])
        logits = graph.add("Add", logits, graph.add("MatMul", graph.add("Relu", hidden), parts["hidden_logits"]))
    graph.add("Add", logits, parts["bias"], output=LOGITS)
