"""ONNX Runtime, kept from reporting its use over the network, and how Lacuna opens networks in it."""

import os
from pathlib import Path
from typing import Any

from lacuna.io.cores import n_cores

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def open_session(model: Path | bytes) -> Any:
    """An inference session of a model's file or content on all cores. Raises ONNX Runtime's own exceptions."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_cores()
    options.log_severity_level = 3  # errors; they also arrive as exceptions
    given = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
