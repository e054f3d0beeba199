"""The runtimes that run an exported network: images in, logits and the last feature map out, on all cores.

A runtime is a row of the table RUNTIMES at the end of this module. Bundle, export and benchmarks go by that table; the
command line, which must not import numpy to show its help, and docs/predict.md are tested against it.

Both OpenVINO and ONNX Runtime report their use over the network unless they are told not to, OpenVINO as soon as it is
imported (`lacuna.io.openvino_runtime` tells it). So import this module before either of them.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import LacunaError
from lacuna.io.openvino_runtime import compile_network, n_cores

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

HEAD_FILE = "head.npy"
"""Beside an exported network whose head is linear: the head's weights, float32 (channels, n_logits)."""

OUTPUTS = ("logits", "features")
"""The names of an exported network's outputs, in their order."""


class Output(NamedTuple):
    """What a network puts out for n images: logits float32 (n, n_logits), and its last feature map float32 (n, h, w,
    channels), whose mean over positions is the input of the head."""

    logits: NDArray[np.float32]
    features: NDArray[np.float32]


Network = Callable[[NDArray[np.uint8]], Output]
"""A function from images uint8 (n, size, size, 3), n ≥ 1, to their Output."""


@dataclass(frozen=True)
class Runtime:
    """A library that runs an exported network, with its settings.

    files: what it reads in the folder of an exported network. load: takes the path of the first of them; raises the
    library's own exceptions when a file is missing or damaged, and ImportError without the library. exact: its
    probabilities must agree with those of Keras, or stage export stops. needs_keras: not available where only
    requirements-serve.txt is installed. advice: what to do when a bundle has no such files.
    """

    files: tuple[str, ...]
    load: Callable[[Path], Network]
    exact: bool = False
    needs_keras: bool = False
    advice: str = ""


def find_runtime(name: str) -> Runtime:
    """The runtime of this name. Raises LacunaError for a name that is not in RUNTIMES."""
    if name not in RUNTIMES:
        raise LacunaError(f"runtime {name!r}: expected one of {', '.join(RUNTIMES)}")
    return RUNTIMES[name]


def load_network(folder: Path, runtime: str) -> Network:
    """Load the exported network in `folder` into a runtime.

    Raises LacunaError for an unknown runtime, and whatever the runtime raises for a file that is missing or damaged.
    """
    found = find_runtime(runtime)
    return found.load(folder / found.files[0])


def _load_openvino(path: Path, *, precision: str) -> Network:
    compiled = compile_network(path, precision)

    def infer(images: NDArray[np.uint8]) -> Output:
        outputs = compiled(np.ascontiguousarray(images))
        return Output(*(np.array(outputs[name]) for name in OUTPUTS))  # copies: the next call overwrites its buffers

    return infer


def _load_onnx(path: Path) -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_cores()
    options.log_severity_level = 3  # errors; they also arrive as exceptions
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def infer(images: NDArray[np.uint8]) -> Output:
        return Output(*session.run(list(OUTPUTS), {name: images}))

    return infer


def _load_keras(path: Path) -> Network:
    # Imported by its name: it trains, and nothing here may depend on what trains (import-linter checks that).
    network: Network = import_module("lacuna.export.keras_runtime").load_keras_network(path.parent)
    return network


RUNTIMES: dict[str, Runtime] = {
    "openvino": Runtime(("model.xml", "model.bin"), partial(_load_openvino, precision="f32"), exact=True),
    "openvino-bf16": Runtime(("model.xml", "model.bin"), partial(_load_openvino, precision="bf16")),
    "openvino-int8": Runtime(
        ("int8.xml", "int8.bin"),
        partial(_load_openvino, precision="f32"),
        advice="set export.int8 in params.yaml and run `dvc repro bundle`",
    ),
    "onnx": Runtime(("model.onnx",), _load_onnx, exact=True),
    "keras": Runtime(("keras.weights.h5", "keras.json"), _load_keras, needs_keras=True),
}
"""Every runtime by its name, as --runtime takes it. bf16 are numbers of half the length, where the processor has them;
int8 are integers of 8 bits."""

EXACT_RUNTIMES = tuple(name for name, runtime in RUNTIMES.items() if runtime.exact)
