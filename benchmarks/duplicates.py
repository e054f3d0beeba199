"""Processor seconds, memory and comparisons of the search for duplicates, on images made up while they are read.

    python -m benchmarks duplicates --images 100000

Products: two shapes on much white, one in a hundred a lighter or darker copy of an earlier one, one in five hundred an
exact copy. White: noise of which nearly all pairs are near ones. Frames: one picture under noise of which no pair is,
the worst case, where every pair has to be compared; a tenth as many, at most 10,000. Making the images is not counted.
For 100,000 about two minutes on one core; 3.3 KB of disk an image in the folder for temporary files.
"""

import tempfile
import threading
import time
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks.project import machine
from lacuna.data.images.duplicates import find_duplicates
from lacuna.io.text_table import align

RMS = 0.02
SIDE = 64
TRAITS = 14
POOL = 2**24  # values of noise, of which each image shows others


class MadeUp:
    """Images that exist only while they are read: uint8 `(n, SIDE, SIDE, 3)`."""

    dtype = np.dtype(np.uint8)

    def __init__(self, n: int) -> None:
        self.shape = (n, SIDE, SIDE, 3)
        self.seconds = 0.0
        """Processor seconds that making them took."""

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        began = time.process_time()
        numbers = np.arange(*rows.indices(len(self)))
        made = self.make(numbers)
        self.seconds += time.process_time() - began
        return made

    def make(self, rows: np.ndarray) -> np.ndarray:
        """The images of these rows, uint8 `(len(rows), SIDE, SIDE, 3)`."""
        raise NotImplementedError


class Products(MadeUp):
    """An ellipse and a rectangle on white, each of its own place, size and colour."""

    def __init__(self, n: int) -> None:
        super().__init__(n)
        generator = np.random.default_rng(0)
        self._traits = generator.random((n, TRAITS), np.float32)
        self._light = np.zeros(n, np.float32)
        for every, light in ((100, 2), (500, 0)):
            copies = np.arange(every - 1, n, every)
            self._traits[copies] = self._traits[(copies * generator.random(len(copies))).astype(int)]
            self._light[copies] = light * generator.choice([-1, 1], len(copies))

    def make(self, rows: np.ndarray) -> np.ndarray:
        made = np.full((len(rows), SIDE, SIDE, 3), 255, np.float32)
        grid = np.linspace(0, 1, SIDE, dtype=np.float32)
        for traits, join in zip(np.split(self._traits[rows], 2, axis=1), (np.add, np.maximum), strict=True):
            across, down = (
                (grid - (0.3 + 0.4 * traits[:, i, None])) / (0.05 + 0.3 * traits[:, i + 2, None]) for i in (0, 1)
            )
            inside = join(down[:, :, None] ** 2, across[:, None] ** 2) <= 1
            made = np.where(inside[..., None], 230 * traits[:, None, None, 4:], made)
        return (made + self._light[rows, None, None, None]).clip(0, 255).astype(np.uint8)


class Noise(MadeUp):
    """One grey level under noise of this standard deviation, half of which is left in a thumbnail."""

    def __init__(self, n: int, grey: float, deviation: float) -> None:
        super().__init__(n)
        generator = np.random.default_rng(0)
        self._pool = (grey + deviation * generator.standard_normal(POOL, np.float32)).clip(0, 255).astype(np.uint8)
        self._starts = generator.integers(0, POOL - SIDE * SIDE * 3, n)

    def make(self, rows: np.ndarray) -> np.ndarray:
        cuts = [self._pool[start : start + SIDE * SIDE * 3] for start in self._starts[rows].tolist()]
        return np.stack(cuts).reshape(-1, SIDE, SIDE, 3)


def duplicates(n: int) -> None:
    """Print a line for each kind of images."""
    kinds = {"products": Products(n), "white": Noise(n, 250, 2), "frames": Noise(min(n // 10, 10_000), 128, 9)}
    rows = [("images", "number", "processor s", "peak MiB", "compared", "exact", "near", "largest group")]
    for kind, images in kinds.items():
        with tempfile.TemporaryDirectory() as workspace, _PeakMemory() as peak:
            began = time.process_time()
            found = find_duplicates(cast(Any, images), rms=RMS, workspace=Path(workspace))
            seconds = time.process_time() - began - images.seconds
        counts = (len(images), found.n_compared, found.n_exact, found.n_near, found.largest)
        number, *others = (f"{count:,}" for count in counts)
        rows.append((kind, number, f"{seconds:.1f}", f"{peak.mebibytes:.0f}", *others))
    print(machine())
    print(align(rows))


class _PeakMemory:
    """The largest anonymous memory of this process while a block runs; files that are memory-mapped don't count."""

    mebibytes = 0.0

    def __enter__(self) -> "_PeakMemory":
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            lines = Path("/proc/self/status").read_text().splitlines()
            (kibibytes,) = (int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
            self.mebibytes = max(self.mebibytes, kibibytes / 1024)
