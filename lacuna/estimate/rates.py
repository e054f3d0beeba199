"""Measuring rates in fractions of a second: decoding, products of matrices, and lines through two sizes of work."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lacuna.config.data import Data
from lacuna.data.images.decode import decode_with_origin
from lacuna.data.images.headers import UnreadableImageError

SECONDS_TO_MEASURE = 0.25
MOST_DECODED = 50


@dataclass(frozen=True)
class CostLine:
    """What work costs that is done once, and what each image adds, in processor seconds."""

    once: float
    each: float

    def at(self, n: float) -> float:
        """The cost of n images."""
        return self.once + self.each * n


@dataclass(frozen=True)
class Decoding:
    """What an image costs: seconds by the clock and of a processor, on one core, and bytes of its file."""

    elapsed: float
    busy: float
    file_bytes: float


def fit_line(work: Callable[[int], object], few: int, many: int) -> CostLine:
    """The line through what `work` costs with `few` and with `many` images, in processor seconds on all cores.

    The smaller size is done twice and its cheaper run counts: the first one loads what is used. Noise can make neither
    part of the line negative.
    """
    at_few = min(busy_seconds(lambda: work(few)) for _ in range(2))
    at_many = busy_seconds(lambda: work(many))
    each = max(at_many - at_few, 0) / (many - few)
    return CostLine(max(at_few - each * few, 0), each)


def busy_seconds(work: Callable[[], object]) -> float:
    """The processor seconds of this process, on all cores, that `work` takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def measure_decoding(folder: Path, names: Sequence[str], data: Data) -> Decoding:
    """Decode some of the images at `names` in `folder`, spread over all, for SECONDS_TO_MEASURE at most.

    What cannot be read costs its time too. Without names all is 0.
    """

    def decode_one(name: str) -> int:
        with suppress(UnreadableImageError):
            path, limits = Path(folder, name), {"size": data.image_size, "max_pixels": data.max_pixels}
            return decode_with_origin(path, resize=data.resize, **limits).origin.bytes
        return 0

    for name in names[:1]:
        decode_one(name)  # the first one loads the decoder
    began, busy, n_read, n_bytes = time.perf_counter(), time.process_time(), 0, 0
    for name in names[:: max(1, len(names) // MOST_DECODED)]:
        n_bytes += decode_one(name)
        n_read += 1
        if time.perf_counter() - began > SECONDS_TO_MEASURE:
            break
    n_read = max(n_read, 1)
    return Decoding((time.perf_counter() - began) / n_read, (time.process_time() - busy) / n_read, n_bytes / n_read)


def measure_gflops() -> float:
    """What a product of matrices reaches on all cores, in 10^9 operations a second, whatever else they do now."""
    size = 512
    matrix = np.ones((size, size), dtype=np.float32)
    began, busy, n = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - began < SECONDS_TO_MEASURE:
        matrix @ matrix
        n += 1
    per_core = 2 * size**3 * n / max(time.process_time() - busy, 1e-3) / 1e9
    return per_core * (os.cpu_count() or 1)
