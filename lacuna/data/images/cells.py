"""Projected images in small cells of neighbours, so that each is compared with what lies around it only.

The first axis is cut into slabs of as many images each, each slab along the second axis into cells. The box around a
cell, on all axes, tells which other cells may hold a point within a radius of one of its own: the slab's halo.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.io.atomic import create_array, save_arrays

VECTORS_FILE, CELLS_FILE = "vectors.npy", "cells.npz"
KEPT_ARRAYS = ("rows", "starts", "slabs", "edges", "low", "high", "longest")

CELL_POINTS = 128
"""Points in a cell, at most. Smaller ones have tighter boxes, larger ones fewer of them."""


@dataclass(frozen=True)
class PointCells:
    """n points of k axes, sorted into c cells and s slabs.

    `rows`: the images' rows, cell by cell, int64 `(n,)`. `starts`: where each cell begins and the last one ends, int64
    `(c + 1,)`; `slabs`: the same of slabs among cells, int64 `(s + 1,)`; `edges`: where slabs begin on the first axis,
    `(s,)`. `low`, `high`: boxes, float64 `(c, k)`. `longest`: the largest norm of a point.
    `vectors`: float32 `(n, k + 2)` in a file: a point x, then -|x|²/2, then 1. The product of one and another that has
    the last two swapped is -|x - y|²/2.
    """

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    slabs: NDArray[np.int64]
    edges: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    longest: float
    vectors: np.memmap[Any, Any]

    def save(self, folder: Path) -> None:
        """Write what `load_cells` reads; the vectors are in the folder."""
        self.vectors.flush()
        arrays = {name: np.asarray(getattr(self, name)) for name in KEPT_ARRAYS}
        save_arrays(folder / CELLS_FILE, arrays)

    def near(self, cell: int, reach: float) -> NDArray[np.int64]:
        """This cell and those of the later ones whose boxes are at most `reach` from its own, int64."""
        end = self.slabs[np.searchsorted(self.edges, self.high[cell, 0] + reach, side="right")]
        gap = np.maximum(self.low[cell:end] - self.high[cell], self.low[cell] - self.high[cell:end]).clip(min=0)
        return cell + np.flatnonzero((gap**2).sum(axis=1) <= reach**2)

    def points(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the points of these cells stand in `rows` and `vectors`, int64."""
        return np.concatenate([np.arange(self.starts[cell], self.starts[cell + 1]) for cell in cells])


def load_cells(folder: Path) -> PointCells:
    """The cells that were saved in a folder, the vectors mapped from their file."""
    with np.load(folder / CELLS_FILE) as arrays:
        kept = {name: arrays[name] for name in KEPT_ARRAYS}
    return PointCells(
        **{**kept, "longest": float(kept["longest"])}, vectors=np.load(folder / VECTORS_FILE, mmap_mode="r")
    )


def sort_into_cells(projected: NDArray[np.float32], rows: NDArray[np.int64], folder: Path) -> PointCells:
    """Sort the points of `rows`, float32 `(n, k)`, n at least 1, k at least 2, into cells; a file goes to `folder`."""
    order, starts, slabs = _cut(np.array(projected[:, 0]), np.array(projected[:, 1]))
    vectors = create_array(folder / VECTORS_FILE, (len(projected), projected.shape[1] + 2), np.float32)
    low = np.empty((len(starts) - 1, projected.shape[1]))
    high = np.empty_like(low)
    longest = 0.0
    for cell, (start, end) in enumerate(pairwise(starts.tolist())):
        points = projected[order[start:end]]
        squares = (points.astype(np.float64) ** 2).sum(axis=1)
        vectors[start:end] = np.column_stack([points, -squares / 2, np.ones(len(points))])
        low[cell], high[cell] = points.min(axis=0), points.max(axis=0)
        longest = max(longest, float(np.sqrt(squares.max())))
    edges = np.minimum.reduceat(low[:, 0], slabs[:-1])
    return PointCells(rows[order], starts, slabs, edges, low, high, longest, vectors)


def _cut(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """`order`, `starts` and `slabs` of points by their first two axes: about as many slabs as cells in each."""
    n_slabs = math.ceil(math.sqrt(len(first) / CELL_POINTS))
    slabs = np.array_split(np.argsort(first, kind="stable"), n_slabs)
    cells = [
        np.array_split(slab[np.argsort(second[slab], kind="stable")], -(-len(slab) // CELL_POINTS)) for slab in slabs
    ]
    order = np.concatenate([points for slab in cells for points in slab])
    starts = np.cumsum([0, *(len(points) for slab in cells for points in slab)])
    return order, starts, np.cumsum([0, *(len(slab) for slab in cells)])
