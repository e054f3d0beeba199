"""Run an exported network: images in, logits and the last feature map out, on all cores of this machine.

Both runtimes report their use over the network unless they are told not to, OpenVINO as soon as it is imported. So
import this module before either of them.
"""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
if "openvino_telemetry" not in sys.modules:
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # cannot be imported: OpenVINO does without

Runtime = Literal["openvino", "openvino-bf16", "openvino-int8", "onnx", "keras"]
"""openvino: float32, the fastest that is exact. bf16: half the digits where the CPU has them. int8: 8-bit integers, if
they were exported. onnx: ONNX Runtime. keras: needs Keras and TensorFlow."""

MODEL_FILES: dict[Runtime, tuple[str, ...]] = {
    "openvino": ("model.xml", "model.bin"),
    "openvino-bf16": ("model.xml", "model.bin"),
    "openvino-int8": ("int8.xml", "int8.bin"),
    "onnx": ("model.onnx",),
    "keras": ("keras.weights.h5", "keras.json"),
}
RUNTIMES: tuple[Runtime, ...] = ("openvino", "onnx")
"""Those that must say what Keras says, or the export stops."""

HEAD_FILE = "head.npy"
"""Beside an exported network whose head is linear: its weights, float32 (channels, n_logits)."""

OUTPUTS = ("logits", "features")
"""The names of an exported network's outputs, in their order."""


class Output(NamedTuple):
    """What a network says of n images: logits float32 (n, n_logits), and its last feature map float32 (n, h, w,
    channels), whose mean over positions is what the head sees."""

    logits: NDArray[np.float32]
    features: NDArray[np.float32]


Network = Callable[[NDArray[np.uint8]], Output]
"""Images uint8 (n, size, size, 3), any n ≥ 1 → Output."""


def load_network(folder: Path, runtime: Runtime) -> Network:
    """Load the exported network in `folder` into a runtime.

    The runtimes raise their own RuntimeError-like exceptions when a file is missing or damaged.
    """
    if runtime == "onnx":
        return _load_onnx(folder)
    if runtime == "keras":
        network: Network = import_module("lacuna.export.keras_runtime").load(
            folder
        )  # by its name: predicting needs no Keras
        return network
    return _load_openvino(folder / MODEL_FILES[runtime][0], "bf16" if runtime == "openvino-bf16" else "f32")


def _load_openvino(path: Path, precision: str) -> Network:
    import openvino

    settings = {
        "INFERENCE_PRECISION_HINT": precision,  # left alone it is bf16 where the CPU has it: off by 0.04 in probability
        "INFERENCE_NUM_THREADS": n_cores(),  # the default is one thread on some virtual machines
    }
    compiled = openvino.compile_model(path, "CPU", settings)

    def infer(images: NDArray[np.uint8]) -> Output:
        said = compiled(np.ascontiguousarray(images))
        return Output(*(np.array(said[name]) for name in OUTPUTS))  # copies: the next call overwrites its buffers

    return infer


def _load_onnx(folder: Path) -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_cores()
    options.log_severity_level = 3  # errors; they also arrive as exceptions
    path = str(folder / MODEL_FILES["onnx"][0])
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def infer(images: NDArray[np.uint8]) -> Output:
        return Output(*session.run(list(OUTPUTS), {name: images}))

    return infer


def n_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
