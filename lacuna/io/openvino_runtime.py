"""OpenVINO, kept from reporting its use over the network, and how Lacuna compiles networks for it."""

import os
import sys
from typing import Any

if "openvino_telemetry" not in sys.modules:
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # cannot be imported: OpenVINO does without


def n_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def compile_network(model: Any, precision: str, streams: int = 1) -> Any:
    """Compile a model, or the file of one, for all cores of the processor.

    precision: f32 or bf16; left alone it is bf16 where the processor has it. streams: so many images are computed at a
    time, each by its share of the threads.
    """
    import openvino

    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": n_cores(),  # the default is one thread on some virtual machines
        "NUM_STREAMS": streams,
    }
    return openvino.compile_model(model, "CPU", settings)
