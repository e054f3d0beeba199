"""An ONNX file of the user's own, read and checked: an image in, an embedding out, and maybe feature maps.

Nothing in such a file is run before it has passed: it is one file of bounded size, of standard operators alone, without
functions or weights that lie elsewhere. ONNX files are protobuf messages; reading one runs no code.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lacuna.errors import LacunaError

MAX_FILE_BYTES = 1_900_000_000
"""Protobuf ends at 2 GiB, and the exported network holds a head too."""

MIN_OPSET, MAX_OPSET = 11, 22
"""The versions of ONNX's operators, of 2019 to 2024, that OpenVINO and ONNX Runtime both run."""

STANDARD_DOMAINS = ("", "ai.onnx")

WITH_CHANCE = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)


@dataclass(frozen=True)
class OnnxFile:
    """A checked file.

    model: its content, an onnx.ModelProto. image: the name of its input, float32 (n, 3, h, w) if channels_first, else
    (n, h, w, 3). side: the pixels a side that it takes, 0 where it takes any. opset: the version of its operators.
    It is sent to another process by its path, and read there again.
    """

    path: Path
    model: Any
    image: str
    channels_first: bool
    side: int
    opset: int

    def __reduce__(self) -> tuple[Any, ...]:
        return read_onnx_file, (self.path,)


def read_onnx_file(path: Path) -> OnnxFile:
    """Read and check a file. Raises LacunaError with one line that names the file, and what is wrong with it."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise unusable(path, f"it has more than {MAX_FILE_BYTES:,} bytes; export a smaller network")
        content = path.read_bytes()
        if not content:
            raise unusable(path, "the file is empty")
        model = onnx.load_model_from_string(content)
    except (OSError, DecodeError) as error:
        raise unusable(path, f"it cannot be read as ONNX ({one_line(error)})") from None
    opset = _check_operators(path, model)
    _check_weights(path, model)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise unusable(path, one_line(error)) from None
    _check_outputs(path, model)
    return OnnxFile(path, model, *_image_of(path, model), opset)


def unusable(path: Path, why: str) -> LacunaError:
    return LacunaError(f"backbone.weights: {path}: {why}; see docs/backbones.md")


def one_line(error: Exception) -> str:
    """The beginning of what a library says, which may be pages."""
    return " ".join(str(error).split())[:200]


def _check_operators(path: Path, model: Any) -> int:
    """The version of the file's operators. Raises LacunaError for others than ONNX's own, and for those of chance."""
    if model.functions:
        raise unusable(path, "it holds functions of its own; export it with torch.onnx.export(..., dynamo=False)")
    for node in _nodes(model.graph):
        if node.domain not in STANDARD_DOMAINS:
            raise unusable(path, f"expected operators of ONNX alone, received {node.domain}.{node.op_type}")
        if node.op_type in WITH_CHANCE:
            raise unusable(path, f"{node.op_type} puts out numbers by chance; export the network in evaluation mode")
    versions = [entry.version for entry in model.opset_import if entry.domain in STANDARD_DOMAINS]
    if not versions or not MIN_OPSET <= max(versions) <= MAX_OPSET:
        found = ", ".join(map(str, versions)) or "none"
        raise unusable(path, f"expected an opset from {MIN_OPSET} to {MAX_OPSET}, received {found}; export it with 17")
    return int(max(versions))


def _check_weights(path: Path, model: Any) -> None:
    import onnx

    tensors = list(_tensors(model.graph))
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data for tensor in tensors):
        raise unusable(path, "its weights lie in another file; save the network as one file, without external data")
    if model.graph.sparse_initializer:
        raise unusable(path, "it has sparse weights; save the network with dense ones")


def _check_outputs(path: Path, model: Any) -> None:
    import onnx

    made = {name for node in model.graph.node for name in node.output}
    for output in model.graph.output:
        if len(output.type.tensor_type.shape.dim) not in (2, 4):
            continue  # neither embedding nor map
        if output.name not in made:
            raise unusable(path, f"its output {output.name} is made by no operator; export the network itself")
        kind = output.type.tensor_type.elem_type
        if kind != onnx.TensorProto.FLOAT:
            found = onnx.TensorProto.DataType.Name(kind)
            raise unusable(path, f"expected outputs of 32-bit floats, received {found} as {output.name}; cast it")


def _image_of(path: Path, model: Any) -> tuple[str, bool, int]:
    """The input's name, whether channels come first, and its side in pixels, 0 where that is free."""
    import onnx

    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [tensor for tensor in model.graph.input if tensor.name not in constants]
    if len(inputs) != 1:
        found = ", ".join(tensor.name for tensor in inputs) or "none"
        raise unusable(path, f"expected one input, the images, received {found}; export the image tower alone")
    (image,) = inputs
    kind = image.type.tensor_type
    sizes = tuple(axis.dim_value for axis in kind.shape.dim)  # 0 where free
    wanted = "expected images float32 (n, 3, h, w) or (n, h, w, 3), n free or 1"
    found = f"received {onnx.TensorProto.DataType.Name(kind.elem_type)} {sizes} (0: free)"
    if kind.elem_type != onnx.TensorProto.FLOAT or len(sizes) != 4 or sizes[0] > 1:
        raise unusable(path, f"{wanted}, {found}")
    if (sizes[1] == 3) == (sizes[3] == 3):
        raise unusable(path, f"{wanted}, {found}: which axis holds the 3 channels cannot be told")
    sides = sizes[2:] if sizes[1] == 3 else sizes[1:3]
    if len(set(sides)) > 1:
        raise unusable(path, f"expected square images, {found}")
    return image.name, sizes[1] == 3, sides[0]


def subgraphs_of(node: Any) -> Iterator[Any]:
    """The graphs inside of a node: the branches of an If, the body of a Loop."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for inside in subgraphs_of(node):
            yield from _nodes(inside)


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
        for inside in subgraphs_of(node):
            yield from _tensors(inside)
