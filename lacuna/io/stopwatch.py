"""Measure how long work takes. Times are printed and logged; no stage writes them into its outs."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

REPEATS = 5


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Call `work`; return its result and the seconds that it took."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def milliseconds_per_image(predict: Callable[[NDArray[np.uint8]], Any], images: NDArray[np.uint8]) -> float:
    """The median time per image of REPEATS passes over `images` (n, height, width, 3), after one pass that compiles."""
    predict(images)
    return 1000 * float(np.median([timed(lambda: predict(images))[1] for _ in range(REPEATS)])) / len(images)
