"""The trained Keras network as OpenVINO and as ONNX, checked against Keras.

Both come from one frozen TensorFlow graph. Keras' own `Model.export` would do for most networks, but it leaves the
normalization constants of EfficientNet-B0 as inputs of the ONNX graph, and the gradient of every swish as an output of
the OpenVINO one.
"""

import contextlib
import copy
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import activate
from lacuna.core.targets import Targets
from lacuna.errors import LacunaError
from lacuna.features import backend
from lacuna.inference.runtimes import EXACT_RUNTIMES, HEAD_FILE, LAYOUT_FILE, OUTPUTS, RUNTIMES, load_network
from lacuna.io.atomic import write_json
from lacuna.io.openvino_runtime import convert_graph
from lacuna.training.model import TrainedNetwork, head_weights

MAX_DIFFERENCE = 1e-4
"""The largest difference in probability between Keras and an exported network that passes as rounding."""

ONNX_OPSET = 17
"""The version of ONNX's operators, of 2022: new enough for all layers here, old enough for every maintained runtime."""

INPUT_NAME = "images"


def export_network(network: TrainedNetwork, folder: Path) -> None:
    """Write a network that `lacuna.training.trained.load_trained` built to `folder`, for OpenVINO and for ONNX.

    Both take uint8 images (n, size, size, 3), any n, and put out the logits, the features and the feature maps. Beside
    them the layout of the features and, if it is linear, the head: with the maps these give heat maps. The files depend
    on the network alone: equal weights give equal bytes.
    """
    frozen = backend.freeze(network.with_maps)
    names = (*OUTPUTS, *network.layout.map_names)
    with quiet_converters():
        _write_openvino(frozen, names, folder / RUNTIMES["openvino"].files[0])
        _write_onnx(frozen, names, folder / RUNTIMES["onnx"].files[0])
    write_json(folder / LAYOUT_FILE, network.layout.to_json())
    if (head := head_weights(network.head)).linear:
        head.save(folder / HEAD_FILE)


def quantize(folder: Path, images: NDArray[np.uint8]) -> None:
    """Write the exported network in `folder` once more, with weights and activations in 8-bit integers.

    Post-training quantization by NNCF, which takes the ranges of activations from `images` uint8 (n, size, size, 3).
    Statistics of feature maps and head stay as they are: they take no time that would be worth an error of their own.
    The bytes may differ between machines.
    """
    import nncf
    import openvino

    model = openvino.Core().read_model(folder / RUNTIMES["openvino"].files[0])
    batches = nncf.Dataset([images[[row]] for row in range(len(images))])
    with quiet_converters():
        small = nncf.quantize(
            model,
            batches,
            subset_size=len(images),
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=nncf.IgnoredScope(names=_above_maps(model)),
            fast_bias_correction=False,  # half the error of the fast one on EfficientNet-Lite0, for a minute more
        )
    openvino.save_model(small, folder / RUNTIMES["openvino-int8"].files[0], compress_to_fp16=False)


def difference_in_probability(
    expected: NDArray[np.float32], targets: Targets, images: NDArray[np.uint8], folder: Path, runtime: str
) -> float:
    """The largest difference in uncalibrated probability between a runtime and the logits `expected` (n, n_logits) of
    `images` uint8 (n, size, size, 3): 0 to 1, NaN when one of the two is NaN."""
    received = load_network(folder, runtime)(images).logits
    return float(
        np.max(
            [
                np.abs(activate(target, received[:, columns]) - activate(target, expected[:, columns])).max()
                for target, columns in zip(targets, targets.slices, strict=True)
            ]
        )
    )


def check_export(
    expected: NDArray[np.float32],
    targets: Targets,
    images: NDArray[np.uint8],
    folder: Path,
    says: str = "Keras",
    runtimes: Sequence[str] = EXACT_RUNTIMES,
) -> dict[str, float]:
    """`difference_in_probability` of each runtime, by its name.

    says: whose logits are `expected`. Raises LacunaError when one exceeds MAX_DIFFERENCE.
    """
    differences: dict[str, float] = {}
    for runtime in runtimes:
        difference = difference_in_probability(expected, targets, images, folder, runtime)
        if not difference <= MAX_DIFFERENCE:  # NaN too
            raise LacunaError(
                f"export: {runtime} differs from {says} by {difference:.2g} in probability on {len(images)} images, "
                f"expected at most {MAX_DIFFERENCE:g}; nothing was written. This is a fault of the conversion, not of "
                "the model: please report it with the versions of tensorflow, openvino, tf2onnx and onnxruntime"
            )
        differences[runtime] = difference
    return differences


def _above_maps(model: Any) -> list[str]:
    """The names of the operations above the feature maps: statistics and head."""
    below = [set(_below(output.node)) for output in model.outputs if output.any_name not in OUTPUTS]
    above = [name for output in model.outputs if output.any_name in OUTPUTS for name in _below(output.node)]
    return sorted(set(above).difference(*below))


def _below(node: Any) -> Iterator[str]:
    """The names of the operations that an operation needs, constants left out."""
    waiting, seen = [node], set()
    while waiting:
        for value in waiting.pop().input_values():
            needed = value.get_node()
            name = needed.get_friendly_name()
            if name not in seen and needed.get_type_name() not in ("Constant", "Parameter"):
                seen.add(name)
                waiting.append(needed)
                yield name


def _write_openvino(frozen: Any, names: Sequence[str], path: Path) -> None:
    outputs = sorted(frozen.outputs, key=lambda tensor: tensor.op.name)  # the order of nodes in the file follows it
    model = convert_graph(frozen.graph, [tensor.name for tensor in outputs])
    _skip_detours(model)
    named = {tensor.name: name for tensor, name in zip(frozen.outputs, names, strict=True)}
    # several where a map has two names: nothing is tuned below it
    given = [{named[name] for name in output.get_names() if name in named} for output in model.outputs]
    save_openvino(model, given, path)


def save_openvino(model: Any, outputs: Sequence[set[str]], path: Path) -> None:
    """Write an OpenVINO model with these names for its outputs in their order, and no others.

    What the converters call nodes and tensors depends on the order of sets, and so would the file's bytes.
    """
    import openvino

    for index, node in enumerate(model.get_ordered_ops()):
        node.set_friendly_name(f"node_{index}")  # Keras numbers its layers by what the process built before
        for output in node.outputs():
            output.set_names(set())
    model.inputs[0].set_names({INPUT_NAME})
    for output, its_names in zip(model.outputs, outputs, strict=True):
        output.set_names(its_names)
    openvino.save_model(model, path, compress_to_fp16=False)


def _skip_detours(model: Any) -> None:
    """Have no layer read a feature map that was brought to TensorFlow's order of axes, for its output, and back again.

    The converter leaves these detours where a map is an output. They take time, and NNCF mistakes the order of axes
    between the two, which ends in networks that OpenVINO refuses.
    """
    for back in model.get_ordered_ops():
        there = back.input_value(0).get_node() if back.get_input_size() else None
        if there is not None and {back.get_type_name(), there.get_type_name()} == {"Transpose"}:
            first, second = (node.input_value(1).get_node().get_data() for node in (there, back))
            if (first[second] == np.arange(len(first))).all():
                back.output(0).replace(there.input_value(0))


def _write_onnx(frozen: Any, names: Sequence[str], path: Path) -> None:
    import onnx
    from tf2onnx.tfonnx import process_tf_graph

    source, results = frozen.inputs[0].name, [output.name for output in frozen.outputs]
    graph = process_tf_graph(
        frozen.graph,
        input_names=[source],
        output_names=results,
        tensors_to_rename={source: INPUT_NAME, **dict(zip(results, names, strict=True))},
        opset=ONNX_OPSET,
        custom_op_handlers={"Erfc": (_complement_erf, [])},
    )
    # Without tf2onnx's optimizers: their result depends on the order of sets, and onnxruntime optimizes when it loads
    model = graph.make_model("lacuna")
    make_canonical(model.graph)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _complement_erf(graph: Any, node: Any, name: str, _: Any) -> None:
    """Erfc(x), of which TensorFlow makes GELU and ONNX knows nothing → 1 - Erf(x)."""
    node.type = "Erf"
    one = graph.make_const(f"{name}_one", np.array(1, np.float32))
    graph.insert_new_node_on_output("Sub", node.output[0], f"{name}_complement", [one.output[0], node.output[0]])


def make_canonical(graph: Any) -> None:
    """Bring an ONNX graph into an order and names that follow from its structure alone.

    Nodes come after those they read, depth first from the outputs, and constants in the order of their first use;
    nodes, tensors and open dimensions are named by their place. What tf2onnx gives depends on the order of sets of
    strings and objects, which differs from process to process, and so would the file's bytes.
    """
    nodes = _depth_first(graph)
    names = {tensor.name: tensor.name for tensor in [*graph.input, *graph.output]}
    for index, node in enumerate(nodes):
        node.name = f"node_{index}"
        for tensors in (node.input, node.output):
            for position, name in enumerate(tensors):
                if name:  # an optional input that is left out has none
                    tensors[position] = names.setdefault(name, f"tensor_{len(names)}")
    constants = [constant for constant in graph.initializer if constant.name in names]
    order = {name: place for place, name in enumerate(names)}
    constants.sort(key=lambda constant: order[constant.name])
    for constant in constants:
        constant.name = names[constant.name]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)
    for tensor in [*graph.input, *graph.output]:
        tensor.type.tensor_type.shape.dim[0].dim_param = "n"


def _depth_first(graph: Any) -> list[Any]:
    """The nodes that the graph's outputs need, each after those whose outputs it reads."""
    maker = {name: index for index, node in enumerate(graph.node) for name in node.output}
    done: dict[int, None] = {}
    waiting = [maker[tensor.name] for tensor in reversed(graph.output)]
    while waiting:
        node = waiting[-1]
        needed = [maker[name] for name in graph.node[node].input if name in maker and maker[name] not in done]
        if needed:
            waiting.extend(reversed(needed))
        else:
            done.setdefault(waiting.pop())
    return [copy.deepcopy(graph.node[index]) for index in done]


@contextlib.contextmanager
def quiet_converters() -> Iterator[None]:
    """Silence the converters' notes on TensorFlow functions, about which a user can do nothing."""
    loggers = [logging.getLogger(name) for name in ("nncf", "tensorflow", "tf2onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
