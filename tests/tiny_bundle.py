"""A bundle whose predictions can be worked out by hand: its logits are the means of the image's colours."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from lacuna.calibration.model import Calibration, TargetCalibration
from lacuna.core.feature_store import ColumnBlock, FeatureLayout
from lacuna.core.head_weights import HeadWeights
from lacuna.core.predictions import Predictions
from lacuna.core.relations import Relation
from lacuna.core.targets import Target, Targets
from lacuna.inference.bundle import Bundle, Input, Member, write_bundle
from lacuna.inference.seen_images import SeenImages
from lacuna.io.atomic import write_json

SIZE = 32

TARGETS = Targets((Target("colour", "categorical", ("green", "blue")), Target("red", "binary", ("absent", "present"))))

ZEROS = (0.0, 0.0)
CALIBRATION = Calibration(
    {
        "colour": TargetCalibration(
            "categorical", 1.0, (0.0, 0.0), (0.0, 0.0), "argmax", None, None, None, 50, None, ()
        ),
        "red": TargetCalibration("binary", 2.0, (-1.0,), (0.0,), "expected_f1", 0.6, 0.5, 0.7, 50, 20, ()),
    }
)

FILES = ("head.npz", "layout.json", "model.bin", "model.onnx", "model.xml")

BUNDLE = Bundle(
    TARGETS,
    CALIBRATION,
    (Member("efficientnet_lite0", Input(SIZE, "pad", 1_000_000), FILES),),
    {"colour": [20, 30], "red": [40, 10]},
)


LAYOUT = FeatureLayout((ColumnBlock(SIZE, "image", "mean", 3, top=True),))
(MAP,) = LAYOUT.map_names

PICK = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
"""What the channels red, green and blue add to each logit."""

TIED_TARGETS = Targets((TARGETS[0], Target("shade", "categorical", ("leaf", "sky"))))
TIED_CALIBRATION = Calibration(
    {
        name: TargetCalibration("categorical", 1.0, ZEROS, ZEROS, "argmax", None, None, None, 50, None, ())
        for name in TIED_TARGETS.names
    },
    (Relation("shade", "colour", {"leaf": "green", "sky": "blue"}, 1.0),),
)
TIED_PICK = [[0, 0, 1, 0], [1, 0, 0, 1], [0, 1, 0, 0]]


def write_tiny_bundle(
    folder: Path,
    targets: Targets = TARGETS,
    calibration: Calibration = CALIBRATION,
    pick: list[list[int]] = PICK,
    linear: bool = True,
    test: Predictions | None = None,
    validation: Predictions | None = None,
    images: SeenImages | None = None,
) -> Path:
    """Of an image whose channels have the means r, g, b (0 to 1), colour has the logits g, b, and red 2 r - 1.

    With what is TIED colour has the logits g, b and shade r, g: leaf is green and sky is blue. `test` and `validation`
    are the predictions of these parts, of noise by default; `images` says which ones they are.
    """
    exported = folder.with_name(folder.name + "_exported")
    for path in (exported, folder):
        path.mkdir(parents=True)
    write_tiny_network(exported, pick)
    members = (replace(BUNDLE.members[0], files=FILES if linear else FILES[1:]),)
    counts = {target.name: BUNDLE.training_counts.get(target.name, [10] * target.n_classes) for target in targets}
    bundle = replace(BUNDLE, targets=targets, calibration=calibration, members=members, training_counts=counts)
    predictions = write_tiny_predictions(exported)
    for part, given in (("test", test), ("validation", validation)):
        if given is not None:
            given.save(predictions[part])
    write_bundle(
        folder,
        bundle,
        exported=[exported],
        predictions=predictions,
        origin={"versions": {}},
        metrics={"test": {}},
        images=images,
    )
    return folder


def write_tiny_predictions(folder: Path, seed: int = 0, labels_seed: int = 0) -> dict[str, Path]:
    """Noisy logits of 60 images a part, whose labels hang on `labels_seed` alone."""
    noise, truth = np.random.default_rng(seed), np.random.default_rng(labels_seed)
    paths = {}
    for part in ("validation", "test"):
        labels = truth.integers(-1, 2, (60, 2)).astype(np.int16)
        present = np.stack([labels[:, 0] == 0, labels[:, 0] == 1, labels[:, 1] == 1], axis=1)
        logits = (2 * present + noise.normal(size=(60, 3))).astype(np.float32)
        names = np.array([f"{part}_{row}.png" for row in range(60)])
        paths[part] = folder / f"{part}.npz"
        Predictions(logits, labels, names, np.arange(60)).save(paths[part])
    return paths


def write_tiny_network(folder: Path, pick: list[list[int]] = PICK) -> None:
    """The logits are sums of the channels' means, from 0 to 1: with PICK green, blue and red.

    Its feature map is the image, from 0 to 1, its features are the means of this map, and `pick` the head's weights.
    """
    import onnx
    import openvino
    from onnx import TensorProto, helper, numpy_helper

    weights, scale = np.array(pick, np.float32), np.array(1 / 255, np.float32)
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "scale"], [MAP]),
        helper.make_node("ReduceMean", [MAP], ["features"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["features", "pick"], ["logits"]),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", SIZE, SIZE, 3])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", weights.shape[1]])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 3])
    maps = helper.make_tensor_value_info(MAP, TensorProto.FLOAT, ["n", SIZE, SIZE, 3])
    constants = [numpy_helper.from_array(weights, "pick"), numpy_helper.from_array(scale, "scale")]
    graph = helper.make_graph(nodes, "tiny", [images], [logits, features, maps], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    n_logits = weights.shape[1]
    HeadWeights(np.zeros(3), np.ones(3), weights.astype(np.float64), np.zeros(n_logits)).save(folder / "head.npz")
    write_json(folder / "layout.json", LAYOUT.to_json())
    onnx.save(model, folder / "model.onnx")
    openvino.save_model(openvino.Core().read_model(folder / "model.onnx"), folder / "model.xml", compress_to_fp16=False)
