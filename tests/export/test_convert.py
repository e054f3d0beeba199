import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.export.convert import MAX_DIFFERENCE, check_export, export_network, make_canonical
from lacuna.inference.runtimes import EXACT_RUNTIMES, RUNTIMES, load_network

SIZE = 32
TARGETS = Targets((Target("shape", "categorical", ("a", "b", "c")), Target("red", "binary", ("0", "1"))))

NETWORK = f"""
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from lacuna.features.backend import keras, layers

def small_network():
    "Every kind of layer that the backbones use, those that trouble converters too."
    keras.utils.set_random_seed(3)
    images = keras.Input(({SIZE}, {SIZE}, 3), dtype="uint8")
    x = layers.Rescaling(1 / 128, offset=-127 / 128)(images)
    normalization = layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[0.9, 1.0, 1.1])
    x = normalization(x)
    for filters in (8, 16):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.0)(x)
        x = layers.ReLU(6.0)(x)
        x = layers.DepthwiseConv2D(3, padding="same")(x)
        x = layers.Activation("swish")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    pooled = keras.Input((16,))
    logits = layers.Dense(4, kernel_initializer="random_normal", name="logits")(layers.Dropout(0.3)(pooled))
    return keras.Model(images, keras.Model(pooled, logits, name="head")(x))
"""


@pytest.fixture(scope="module")
def network():
    scope: dict[str, object] = {}
    exec(NETWORK, scope)
    return scope["small_network"]()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (7, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    export_network(network, folder)
    return folder


@pytest.mark.parametrize("runtime", EXACT_RUNTIMES)
def test_an_exported_network_gives_keras_logits_for_any_batch_size(network, images, exported, runtime):
    infer = load_network(exported, runtime)
    for n in (1, 2, 7):
        logits, features = infer(images[:n])
        assert logits.dtype == features.dtype == np.float32
        np.testing.assert_allclose(logits, np.asarray(network(images[:n], training=False)), atol=1e-5)
        by_hand = features.mean(axis=(1, 2)) @ np.load(exported / "head.npy")  # the bias is 0
        np.testing.assert_allclose(by_hand, logits, atol=1e-5)


def test_a_networks_answer_is_not_overwritten_by_its_next_one(images, exported):
    for runtime in EXACT_RUNTIMES:
        infer = load_network(exported, runtime)
        first = infer(images[:2])
        kept = [one.copy() for one in first]
        infer(images[2:4])
        for one, copy in zip(first, kept, strict=True):
            np.testing.assert_array_equal(one, copy)


def test_both_formats_take_the_images_alone_and_put_out_logits_and_features(exported):
    import onnx
    import openvino

    graph = onnx.load(exported / "model.onnx").graph
    assert [tensor.name for tensor in graph.input] == ["images"]
    assert [tensor.name for tensor in graph.output] == ["logits", "features"]
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param == "n"
    model = openvino.Core().read_model(exported / "model.xml")
    assert [tensor.names for tensor in model.inputs] == [{"images"}]
    assert [tensor.names for tensor in model.outputs] == [{"logits"}, {"features"}]


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
    files = [name for runtime in EXACT_RUNTIMES for name in RUNTIMES[runtime].files]
    assert digests(tmp_path, files) == digests(exported, files)


def test_the_check_reports_how_far_each_runtime_is_from_keras(network, images, exported):
    differences = check_export(network, TARGETS, images, exported)
    assert set(differences) == set(EXACT_RUNTIMES)
    assert all(0 <= difference < MAX_DIFFERENCE for difference in differences.values())


def test_the_check_stops_when_an_exported_network_answers_differently(network, images, exported):
    def retrained(batch, training):
        return np.asarray(network(batch, training=training)) + 0.001  # 0.00025 in the probability of "red"

    with pytest.raises(LacunaError, match=r"openvino differs from Keras by 0\.000\d+ in probability on 7 images"):
        check_export(retrained, TARGETS, images, exported)


def test_the_check_stops_at_nan(network, images, exported):
    with pytest.raises(LacunaError, match="differs from Keras by nan"):
        check_export(lambda batch, training: np.full((7, 4), np.nan), TARGETS, images, exported)


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
