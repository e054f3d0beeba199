import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lacuna.core.feature_maps import heat_maps
from lacuna.core.head_weights import HeadWeights
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.export.convert import (
    MAX_DIFFERENCE,
    check_export,
    difference_in_probability,
    export_network,
    make_canonical,
    quantize,
)
from lacuna.inference.runtimes import EXACT_RUNTIMES, HEAD_FILE, LAYOUT_FILE, RUNTIMES, load_layout, load_network

SIZE = 32
TARGETS = Targets((Target("shape", "categorical", ("a", "b", "c")), Target("red", "binary", ("0", "1"))))

NETWORK = f"""
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
from lacuna.config.blocks import Head
from lacuna.core.head_weights import HeadWeights
from lacuna.core.targets import Target, Targets
from lacuna.features.backend import keras, layers
from lacuna.features.stages import Extractor, _column_blocks
from lacuna.core.feature_store import FeatureLayout
from lacuna.training.model import build_head, build_network, set_head

TARGETS = Targets((Target("shape", "categorical", ("a", "b", "c")), Target("red", "binary", ("0", "1"))))

def small_network(hidden=0):
    "Every kind of layer that the backbones use, those that trouble converters too, and statistics of three stages."
    keras.utils.set_random_seed(3)
    images = keras.Input(({SIZE}, {SIZE}, 3), dtype="uint8")
    x = layers.Rescaling(1 / 128, offset=-127 / 128)(images)
    normalization = layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[0.9, 1.0, 1.1])
    x = normalization(x)
    for block, filters in enumerate((8, 12, 16)):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name=f"b{{block}}_conv")(x)
        x = layers.BatchNormalization(momentum=0.0, name=f"b{{block}}_bn")(x)
        x = layers.ReLU(6.0, name=f"b{{block}}_relu")(x)
        y = layers.DepthwiseConv2D(3, padding="same", name=f"b{{block}}_dw")(x)
        y = layers.Activation("swish", name=f"b{{block}}_swish")(y)
        x = layers.Add(name=f"b{{block}}_add")([x, y])
    body = keras.Model(images, x)
    layout = FeatureLayout(tuple(_column_blocks(body, {SIZE}, "all")))
    d = layout.n_columns
    random = np.random.default_rng(0)
    small = [random.normal(size=shape) / d for shape in ((d, 4), (d, hidden), (hidden,), (hidden, 4))]
    weights = HeadWeights(
        random.normal(size=d), random.uniform(0.5, 2, d), small[0], random.normal(size=4), small[1:] if hidden else None
    )
    head = build_head(d, TARGETS, Head(dropout=0.3, hidden_units=hidden))
    set_head(head, weights)
    return build_network(Extractor({{("", {SIZE}): body}}, layout), head, None)
"""


@pytest.fixture(scope="module")
def network():
    return made_network()


def made_network(hidden=0):
    scope: dict[str, object] = {}
    exec(NETWORK, scope)
    return scope["small_network"](hidden)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (7, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    export_network(network, folder)
    return folder


@pytest.mark.parametrize("runtime", EXACT_RUNTIMES)
def test_an_exported_network_puts_out_what_keras_does_for_any_batch_size(network, images, exported, runtime):
    infer, expected = load_network(exported, runtime), network.with_maps.predict_on_batch(images)
    names = ("logits", "features", *network.layout.map_names)
    for n in (1, 2, 7):
        plain, whole = infer(images[:n]), infer(images[:n], maps=True)
        assert plain.maps == {}
        np.testing.assert_allclose(plain.logits, whole.logits, atol=1e-5)
        received = {"logits": whole.logits, "features": whole.features, **whole.maps}
        assert set(received) == set(names)
        for name, one in zip(names, expected, strict=True):
            assert received[name].dtype == np.float32
            np.testing.assert_allclose(received[name], one[:n], atol=1e-5, err_msg=name)


@pytest.mark.parametrize("runtime", EXACT_RUNTIMES)
def test_head_and_layout_beside_it_make_heat_maps_that_add_up_to_the_logits(images, exported, runtime):
    output = load_network(exported, runtime)(images, maps=True)
    head, layout = HeadWeights.load(exported / HEAD_FILE), load_layout(exported)
    np.testing.assert_allclose(head.logits(output.features), output.logits, atol=1e-5)
    for logit in range(4):
        slopes = np.tile(head.slopes()[:, logit], (len(images), 1))
        heat = heat_maps(output.maps, layout, slopes, head.mean)
        assert heat.shape == (7, 16, 16)
        np.testing.assert_allclose(heat.mean(axis=(1, 2)) + head.bias[logit], output.logits[:, logit], atol=1e-5)


def test_a_head_with_a_hidden_layer_has_no_file(images, tmp_path):
    export_network(made_network(hidden=5), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["layout.json", "model.bin", "model.onnx", "model.xml"]


def test_a_networks_answer_is_not_overwritten_by_its_next_one(images, exported):
    for runtime in EXACT_RUNTIMES:
        infer = load_network(exported, runtime)
        first = infer(images[:2], maps=True)
        parts = [first.logits, first.features, *first.maps.values()]
        kept = [one.copy() for one in parts]
        infer(images[2:4], maps=True)
        for one, copy in zip(parts, kept, strict=True):
            np.testing.assert_array_equal(one, copy)


def test_both_formats_take_the_images_alone_and_put_out_logits_features_and_maps(network, exported):
    import onnx
    import openvino

    names = ["logits", "features", *network.layout.map_names]
    graph = onnx.load(exported / "model.onnx").graph
    assert [tensor.name for tensor in graph.input] == ["images"]
    assert [tensor.name for tensor in graph.output] == names
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param == "n"
    model = openvino.Core().read_model(exported / "model.xml")
    assert [tensor.names for tensor in model.inputs] == [{"images"}]
    assert sorted(name for tensor in model.outputs for name in tensor.names) == sorted(names)


def test_no_layer_waits_for_the_axes_of_a_map_to_be_swapped_and_swapped_back(exported):
    import openvino

    model = openvino.Core().read_model(exported / "model.xml")
    swaps = [node for node in model.get_ordered_ops() if node.get_type_name() == "Transpose"]
    readers = [target.get_node().get_type_name() for node in swaps for target in node.output(0).get_target_inputs()]
    assert readers.count("Result") == len(readers) - 1  # and the image's


@pytest.mark.slow
def test_eight_bits_stop_below_the_statistics_and_answer_nearly_alike(network, images, exported, tmp_path):
    import openvino

    for path in exported.iterdir():
        shutil.copy(path, tmp_path)
    quantize(tmp_path, images)
    assert (
        difference_in_probability(np.asarray(network.model(images)), TARGETS, images, tmp_path, "openvino-int8") < 0.05
    )
    model = openvino.Core().read_model(tmp_path / "int8.xml")
    rounded = [node for node in model.get_ordered_ops() if node.get_type_name() == "FakeQuantize"]
    readers = {target.get_node().get_type_name() for node in rounded for target in node.output(0).get_target_inputs()}
    assert rounded
    assert readers <= {"Convolution", "GroupConvolution", "Add", "Result", "Transpose", "FakeQuantize"}
    both = load_network(tmp_path, "openvino-int8")(images, maps=True)
    assert set(both.maps) == set(network.layout.map_names)


@pytest.mark.slow
def test_another_process_with_another_hash_seed_writes_the_same_bytes_and_says_nothing(exported, tmp_path, repository):
    script = NETWORK + (
        "from pathlib import Path\n"
        "from lacuna.export.convert import export_network\n"
        f"export_network(small_network(), Path({str(tmp_path)!r}))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(repository), "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == ""
    assert "tf2onnx" not in result.stderr
    assert "deprecated" not in result.stderr
    files = [LAYOUT_FILE, HEAD_FILE, *(name for runtime in EXACT_RUNTIMES for name in RUNTIMES[runtime].files)]
    assert digests(tmp_path, files) == digests(exported, files)


def test_the_check_reports_how_far_each_runtime_is_from_keras(network, images, exported):
    differences = check_export(np.asarray(network.model(images)), TARGETS, images, exported)
    assert set(differences) == set(EXACT_RUNTIMES)
    assert all(0 <= difference < MAX_DIFFERENCE for difference in differences.values())


def test_the_check_stops_when_an_exported_network_answers_differently(network, images, exported):
    retrained = np.asarray(network.model(images)) + 0.001  # 0.00025 in the probability of "red"
    with pytest.raises(LacunaError, match=r"openvino differs from Keras by 0\.000\d+ in probability on 7 images"):
        check_export(retrained, TARGETS, images, exported)


def test_the_check_stops_at_nan(network, images, exported):
    with pytest.raises(LacunaError, match="differs from Keras by nan"):
        check_export(np.full((7, 4), np.nan), TARGETS, images, exported)


def digests(folder: Path, files: list[str]) -> list[str]:
    return [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files]


def test_graphs_that_differ_in_names_and_in_the_order_of_nodes_and_constants_become_the_same():
    import onnx
    from onnx import TensorProto, helper

    def graph(names: list[str], constants: list[str], order: list[str]) -> onnx.GraphProto:
        scale, bias, scaled, moved = names
        values = {scale: 2.0, bias: 3.0, "unused": 4.0}
        tensors = [helper.make_tensor(name, TensorProto.FLOAT, [1], [values[name]]) for name in constants]
        nodes = {
            "scale": helper.make_node("Mul", ["x", scale], [scaled]),
            "move": helper.make_node("Add", ["x", bias], [moved]),
            "join": helper.make_node("Sub", [scaled, moved], ["y"]),
            "lost": helper.make_node("Neg", [scaled], ["nowhere"]),
        }
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in "xy"]
        return helper.make_graph([nodes[name] for name in order], "g", ends[:1], ends[1:], initializer=tensors)

    one = graph(["scale__1", "bias__2", "scaled__3", "moved__4"], ["scale__1", "bias__2"], ["scale", "move", "join"])
    other = graph(["b__17", "a__4", "z__9", "c"], ["a__4", "unused", "b__17"], ["move", "scale", "lost", "join"])
    make_canonical(one)
    make_canonical(other)
    assert one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)
    assert [tensor.float_data[0] for tensor in one.initializer] == [2.0, 3.0]
    assert [(node.op_type, list(node.input), list(node.output)) for node in one.node] == [
        ("Mul", ["x", "tensor_2"], ["tensor_3"]),
        ("Add", ["x", "tensor_4"], ["tensor_5"]),
        ("Sub", ["tensor_3", "tensor_5"], ["y"]),
    ]
