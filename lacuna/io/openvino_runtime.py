"""OpenVINO, kept from reporting its use over the network and from loading its converter, and how Lacuna compiles
networks for it.

It does both as soon as it is imported, so import this module before it. The converter is two thirds of what the import
costs, and predictions need none; `convert_graph` loads it.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from lacuna.io.cores import n_cores

CONVERTER = "openvino.tools.ovc"

for unwanted in ("openvino_telemetry", CONVERTER):
    if unwanted not in sys.modules:
        sys.modules[unwanted] = None  # type: ignore[assignment]  # cannot be imported: OpenVINO does without


def compile_network(model: Any | Path, precision: str, streams: int | None = None) -> Any:
    """Compile a model, or the file of one, for all cores of the processor.

    precision: f32 or bf16; left alone it is bf16 where the processor has it, off by 0.04 in probability. streams: so
    many images are computed at a time, each by its share of the threads; None leaves OpenVINO's choice for one caller.
    """
    import openvino

    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": n_cores(),  # the default is one thread on some virtual machines
    }
    if streams is not None:
        settings["NUM_STREAMS"] = streams
    return openvino.compile_model(model, "CPU", settings)


def convert_graph(graph: Any, outputs: Sequence[str]) -> Any:
    """OpenVINO's model of a TensorFlow graph whose weights are constants; what no output needs is left out."""
    if sys.modules.get(CONVERTER) is None:
        del sys.modules[CONVERTER]
    return import_module(CONVERTER).convert_model(graph, output=list(outputs))
