"""The runtimes that run an exported network: images in, logits and features out, and the feature maps where they are
wanted, on all cores.

A runtime is a row of the table RUNTIMES at the end of this module. Bundle, export and benchmarks go by that table; the
command line, which must not import numpy to show its help, and docs/predict.md are tested against it.

Both OpenVINO and ONNX Runtime report their use over the network unless they are told not to, OpenVINO as soon as it is
imported (`lacuna.io.openvino_runtime` and `onnx_runtime` tell them). So import this module before either of them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lacuna.core.feature_maps import Output
from lacuna.core.feature_store import FeatureLayout
from lacuna.errors import LacunaError
from lacuna.inference.description import check_layout
from lacuna.io.atomic import read_json
from lacuna.io.cores import n_cores
from lacuna.io.onnx_runtime import open_session
from lacuna.io.openvino_runtime import compile_network

HEAD_FILE = "head.npz"
"""Beside an exported network whose head is linear: the head, as `lacuna.core.head_weights` reads it."""

LAYOUT_FILE = "layout.json"
"""Beside every exported network: what the columns of its features are, `lacuna.core.feature_store`."""

OUTPUTS = ("logits", "features")
"""The names of an exported network's first outputs, in their order; those of its feature maps follow."""


class ExportedNetwork(Protocol):
    """A function from images uint8 (n, size, size, 3), n ≥ 1, to their Output, with feature maps if asked for; for any
    number of threads."""

    def __call__(self, images: NDArray[np.uint8], maps: bool = False) -> Output: ...


@dataclass(frozen=True)
class Runtime:
    """A library that runs an exported network, with its settings.

    files: what it reads in the folder of an exported network. load: takes the path of the first of them; raises the
    library's own exceptions when a file is missing or damaged, and ImportError without the library. exact: always
    exported, and its probabilities must agree with those of Keras, or stage export stops. needs_keras: not available
    where only requirements-serve.txt is installed. advice: what to do when a bundle has no such files.
    """

    files: tuple[str, ...]
    load: Callable[[Path], ExportedNetwork]
    exact: bool = False
    needs_keras: bool = False
    advice: str = ""


def find_runtime(name: str) -> Runtime:
    """The runtime of this name. Raises LacunaError for a name that is not in RUNTIMES."""
    if name not in RUNTIMES:
        raise LacunaError(f"runtime {name!r}: expected one of {', '.join(RUNTIMES)}")
    return RUNTIMES[name]


def load_network(folder: Path, runtime: str) -> ExportedNetwork:
    """Load the exported network in `folder` into a runtime.

    Raises LacunaError for an unknown runtime, and whatever the runtime raises for a file that is missing or damaged.
    """
    found = find_runtime(runtime)
    return found.load(folder / found.files[0])


def load_layout(folder: Path) -> FeatureLayout:
    """What the columns of the features of the exported network in `folder` are. Raises LacunaError for another file."""
    try:
        content = read_json(folder / LAYOUT_FILE)
        check_layout(content)
        layout = FeatureLayout.from_json(content)
        if not any(block.top and not block.tuned for block in layout.blocks):
            raise ValueError("no block is the last map's")
    except (OSError, TypeError, ValueError, RecursionError) as error:
        raise LacunaError(f"{folder / LAYOUT_FILE}: no layout of features ({error}); run `dvc repro bundle`") from None
    return layout


def _load_openvino(path: Path, *, precision: str) -> ExportedNetwork:
    return _OpenVino(path, precision)


class _OpenVino:
    """A network on all cores for one caller, and on a core for each as soon as there are as many callers as cores.

    Threads that share an image wait for each other in every layer. That is repaid where the cores have nothing else to
    do; where they have, each wait lasts as long as that takes. The numbers are the same.
    """

    def __init__(self, path: Path, precision: str) -> None:
        import openvino

        self._whole, self._precision = openvino.Core().read_model(path), precision
        self._compiled = cache(self._compile)
        self._turn, self._compiling, self._counting, self._n_callers = Lock(), Lock(), Lock(), 0
        self._compiled(False, 1)

    def __call__(self, images: NDArray[np.uint8], maps: bool = False) -> Output:
        with self._called() as n_callers:
            if maps or n_callers < n_cores() or n_cores() == 1:
                with self._turn:
                    return self._infer(images, maps, streams=1)
            return self._infer(images, maps, streams=n_cores())

    @contextmanager
    def _called(self) -> Iterator[int]:
        """Yield how many callers there are, with this one."""
        with self._counting:
            self._n_callers += 1
            n_callers = self._n_callers
        try:
            yield n_callers
        finally:
            with self._counting:
                self._n_callers -= 1

    def _infer(self, images: NDArray[np.uint8], maps: bool, streams: int) -> Output:
        with self._compiling:
            compiled = self._compiled(maps, streams)
        outputs = compiled.create_infer_request().infer(np.ascontiguousarray(images), share_inputs=True)
        return _output({name: values for port, values in outputs.items() for name in port.get_names()})

    def _compile(self, maps: bool, streams: int) -> Any:
        model = self._whole.clone()  # compiling changes a model
        for output in model.outputs:
            if not maps and output.names.isdisjoint(OUTPUTS):
                model.remove_result(output.node)  # so that layers can be merged and memory shared across it
        return compile_network(model, self._precision, streams)


def _in_turn(network: ExportedNetwork) -> ExportedNetwork:
    """For one caller at a time: two would take the cores from each other, and some runtimes have one set of buffers."""
    turn = Lock()

    def infer(images: NDArray[np.uint8], maps: bool = False) -> Output:
        with turn:
            return network(images, maps)

    return infer


def _load_onnx(path: Path) -> ExportedNetwork:
    session = open_session(path)
    name = session.get_inputs()[0].name
    every = [output.name for output in session.get_outputs()]

    def infer(images: NDArray[np.uint8], maps: bool = False) -> Output:
        wanted = every if maps else list(OUTPUTS)
        return _output(dict(zip(wanted, session.run(wanted, {name: images}), strict=True)))

    return _in_turn(infer)


def _load_litert(path: Path) -> ExportedNetwork:
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(str(path), num_threads=n_cores()).get_signature_runner()
    (name,) = run.get_input_details()

    def infer(images: NDArray[np.uint8], maps: bool = False) -> Output:
        found = _output(run(**{name: images}))
        return found if maps else found._replace(maps={})

    return _in_turn(infer)


def _output(values: dict[str, NDArray[np.float32]]) -> Output:
    logits, features = (values[name] for name in OUTPUTS)
    return Output(logits, features, {name: found for name, found in values.items() if name not in OUTPUTS})


def _load_keras(path: Path) -> ExportedNetwork:
    # Imported by its name: it trains, and nothing here may depend on what trains (import-linter checks that).
    network: ExportedNetwork = import_module("lacuna.export.keras_runtime").load_keras_network(path.parent)
    return _in_turn(network)


NO_KERAS = "a backbone from an ONNX file or of KerasHub has none: use openvino or onnx"

RUNTIMES: dict[str, Runtime] = {
    "openvino": Runtime(("model.xml", "model.bin"), partial(_load_openvino, precision="f32"), exact=True),
    "openvino-bf16": Runtime(("model.xml", "model.bin"), partial(_load_openvino, precision="bf16")),
    "openvino-int8": Runtime(
        ("int8.xml", "int8.bin"),
        partial(_load_openvino, precision="f32"),
        advice="set export.int8 in params.yaml and run `dvc repro bundle`",
    ),
    "onnx": Runtime(("model.onnx",), _load_onnx, exact=True),
    "litert": Runtime(
        ("model.tflite",), _load_litert, advice="set export.litert in params.yaml and run `dvc repro bundle`"
    ),
    "keras": Runtime(("keras.weights.h5", "keras.json"), _load_keras, needs_keras=True, advice=NO_KERAS),
}
"""Every runtime by its name, as --runtime takes it. bf16 are numbers of half the length, where the processor has them;
int8 are integers of 8 bits."""

EXACT_RUNTIMES = tuple(name for name, runtime in RUNTIMES.items() if runtime.exact)
