"""How many cores a process may use."""

import os


def n_cores() -> int:
    """How many cores this process may use: LACUNA_CORES, where a process is one of several that share a machine."""
    if "LACUNA_CORES" in os.environ:
        return int(os.environ["LACUNA_CORES"])
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
