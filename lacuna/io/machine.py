"""Describe this machine: processor, memory, and the versions of the libraries that results and speed depend on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil

LIBRARIES = ("dvc", "keras", "numpy", "openvino", "pillow", "scikit-learn", "tensorflow")


def describe_machine() -> dict[str, str]:
    """Facts as text, for a log or a table's caption: {"cpu": "Apple M2", "cpu_count": "8", "memory_gb": "16", ...}."""
    return {
        "cpu": describe_processor(),
        "cpu_count": str(os.cpu_count()),
        "memory_gb": f"{psutil.virtual_memory().total / 2**30:.0f}",
        "platform": platform.platform(),
        "python": platform.python_version(),
        **{f"version.{library}": version(library) for library in LIBRARIES},
    }


def describe_processor() -> str:
    """The model of the processor, for example "Apple M2"."""
    info = Path("/proc/cpuinfo")  # platform.processor() is empty on most Linux systems
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())
