"""All pairs of thumbnails within a distance, joined into sets: exact, in bounded memory, slab by slab.

Candidates are pairs within the distance on a few axes (see `principal_axes`), sought among cells of neighbours (see
`cells`), and compared in full. Pairs that are in one set already are of no interest. So a cluster of n look-alikes
costs a comparison for each image and not for each pair: the first one joins all its neighbours, and images of the
largest set of a cell, and whole cells of one set, are then not even sought.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lacuna.data.images.cells import PointCells, load_cells, sort_into_cells
from lacuna.data.images.components import Components
from lacuna.data.images.principal_axes import project_thumbnails
from lacuna.execution.executor import LOCAL, Executor
from lacuna.io.atomic import atomic_file
from lacuna.io.progress import progress

THUMBNAILS_FILE = "thumbnails.npy"
CELLS_AT_ONCE = 32
CHECKED_AT_ONCE = 1024
COMPARED_AT_ONCE = 64
FEW_NEAR = 0.25
PRODUCT_SAVES = 24  # times the cost of a pair in a product of all with all is that of one by itself


def join_near(
    thumbnails: NDArray[np.uint8],
    rows: NDArray[np.int64],
    sets: Components,
    rms: float,
    folder: Path,
    executor: Executor = LOCAL,
) -> int:
    """Join the sets of all pairs of `rows` whose thumbnails, uint8 `(n, side, side, 3)`, differ by at most `rms`.

    `rms` is a root mean square of values from 0 to 1. thumbnails: those of THUMBNAILS_FILE in `folder`, where files of
    projections and of joined pairs are put. executor: what does the slabs. Returns how many pairs were compared in
    full, which depends on it, as what one slab has joined another of the same process need not compare.
    """
    if len(rows) < 2:
        return 0
    cells = sort_into_cells(project_thumbnails(thumbnails, rows, folder), rows, folder)
    cells.save(folder)
    slabs = range(len(cells.slabs) - 1)
    joined = progress(executor.map(SlabTask(folder, rms), slabs), total=len(slabs), what="duplicates", unit="slabs")
    n_compared = 0
    for slab in joined:
        pairs = np.load(slab.pairs)
        sets.join(pairs[0], pairs[1])
        n_compared += slab.n_compared
    return n_compared


class JoinedSlab(NamedTuple):
    """A slab that was done. pairs: the file of rows that are near each other, int64 `(2, p)`, as many as join all."""

    pairs: Path
    n_compared: int


@dataclass(frozen=True)
class SlabTask:
    """Joins the near pairs among the cells of a slab, and between them and later ones.

    folder: of the thumbnails, and of the cells of those among them that are compared.
    Slabs may be done in any order and side by side. What a process has joined, it need not seek in its later slabs: so
    it is all slabs' pairs together that join whatever is near.
    """

    folder: Path
    rms: float

    def __call__(self, slab: int) -> JoinedSlab:
        # Opened for each slab: a folder with a file that is still open cannot be removed on a network's file system.
        thumbnails, cells = np.load(self.folder / THUMBNAILS_FILE, mmap_mode="r"), load_cells(self.folder)
        sets, united = self._known
        near, radius = [np.empty((2, 0), np.int64)], self.rms * 255 * math.sqrt(thumbnails[0].size)
        n_compared = 0
        for left, right in _candidates(slab, cells, sets, united, radius):
            n_compared += _join_piece(thumbnails, left, right, sets, self.rms, near)
        target = self.folder / f"pairs-{slab}.npy"
        with atomic_file(target) as partial:
            np.save(partial, np.concatenate(near, axis=1))
        return JoinedSlab(target, n_compared)

    @cached_property
    def _known(self) -> tuple[Components, NDArray[np.int64]]:
        """The sets of all rows as this process has joined them; for each cell all of whose images are known to be in
        one set a row of that set, otherwise -1, `(c,)`."""
        united = np.full(len(load_cells(self.folder).starts) - 1, -1, np.int64)
        return Components(len(np.load(self.folder / THUMBNAILS_FILE, mmap_mode="r"))), united


def _join_piece(
    thumbnails: NDArray[np.uint8],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    sets: Components,
    rms: float,
    found: list[NDArray[np.int64]],
) -> int:
    """Join those of some pairs that are near, and add them to `found`; return how many were compared."""
    compared, sifted = 0, False
    while True:
        # Thousands of look-alikes make millions of pairs; most are in one set before their turn comes.
        apart = sets.names(left) != sets.names(right)
        left, right = left[apart], right[apart]
        if not len(left):
            return compared
        i, j = left[:CHECKED_AT_ONCE], right[:CHECKED_AT_ONCE]
        near = _are_near(thumbnails, i, j, rms)
        sets.join(i[near], j[near])
        if near.any():
            found.append(np.stack([i[near], j[near]]))
        compared += len(i)
        left, right = left[CHECKED_AT_ONCE:], right[CHECKED_AT_ONCE:]
        if not sifted and len(left) and near.mean() < FEW_NEAR:
            left, right = _sift(thumbnails, left, right, rms)
            sifted = True


def _sift(
    thumbnails: NDArray[np.uint8], left: NDArray[np.int64], right: NDArray[np.int64], rms: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Those of many pairs that are near but perhaps for the last digit, by one product of all with all where it pays.

    In float64 it is exact, as its terms are whole numbers whose sums stay below 2^53.
    """
    i, left_place = np.unique(left, return_inverse=True)
    j, right_place = np.unique(right, return_inverse=True)
    if len(i) * len(j) > PRODUCT_SAVES * len(left):
        return left, right
    x, y = thumbnails[i].reshape(len(i), -1).astype(np.float64), thumbnails[j].reshape(len(j), -1).astype(np.float64)
    squares = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - 2 * (x @ y.T)
    close = (squares <= (rms * 255) ** 2 * x.shape[1] * (1 + 1e-9))[left_place, right_place]
    return left[close], right[close]


def _are_near(
    thumbnails: NDArray[np.uint8], left: NDArray[np.int64], right: NDArray[np.int64], rms: float
) -> NDArray[np.bool_]:
    near = np.empty(len(left), np.bool_)
    for start in range(0, len(left), COMPARED_AT_ONCE):
        i, j = left[start : start + COMPARED_AT_ONCE], right[start : start + COMPARED_AT_ONCE]
        squares = (thumbnails[i] / 255 - thumbnails[j] / 255) ** 2
        near[start : start + len(i)] = np.sqrt(squares.mean(axis=(1, 2, 3))) <= rms
    return near


def _candidates(
    slab: int, cells: PointCells, sets: Components, united: NDArray[np.int64], radius: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield rows `left`, `right` of pairs that may be within `radius`, each pair once, a piece at a time."""
    reach, limit = _bounds(cells, radius)
    for cell in range(cells.slabs[slab], cells.slabs[slab + 1]):
        near = cells.near(cell, reach)
        if united[cell] >= 0:
            near = near[(united[near] < 0) | (sets.names(united[near]) != sets.names(united[cell]))]
        points = cells.points(np.array([cell]))
        for start in range(0, len(near), CELLS_AT_ONCE):
            batch = near[start : start + CELLS_AT_ONCE]
            others = cells.points(batch)
            united[batch] = _united(cells, batch, sets.names(cells.rows[others]))
            for some, those in _without_largest_set(points, others, cells.rows, sets):
                left, right = _close(cells.vectors, some, those, limit)
                yield cells.rows[left], cells.rows[right]


def _united(cells: PointCells, batch: NDArray[np.int64], names: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each cell of a batch the set that all of its images are in, or -1; `names` of their sets, cell by cell."""
    starts = np.cumsum([0, *(cells.starts[batch + 1] - cells.starts[batch])[:-1]])
    lowest, highest = np.minimum.reduceat(names, starts), np.maximum.reduceat(names, starts)
    return np.where(lowest == highest, lowest, -1)


def _bounds(cells: PointCells, radius: float) -> tuple[float, np.float32]:
    """How far apart projections of images within `radius` may be in float32, and the least -|x - y|²/2 found for them.

    With u the unit roundoff, k axes and |x| at most m: storing x moves it by u·m. Products of k + 2 columns err by at
    most (k + 2)·u times the sum of their terms' sizes, 2m², and storing both -|x|²/2 adds u·m² (Higham 2002, chapter
    3). What float64 adds in the projection and the comparison is far below the last digits added here.
    """
    unit = float(np.finfo(np.float32).eps) / 2
    reach = radius * (1 + 1e-6) + 2 * unit * cells.longest + 1e-6
    error = (2 * cells.vectors.shape[1] + 1) * unit * cells.longest**2
    limit = np.float32(-(reach**2) / 2 - 1.01 * error)
    return reach, np.nextafter(limit, np.float32(-np.inf))


def _without_largest_set(
    points: NDArray[np.int64], others: NDArray[np.int64], rows: NDArray[np.int64], sets: Components
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Blocks that hold all pairs of `points` and `others` but, where it pays, those within one large set."""
    ours, theirs = sets.names(rows[points]), sets.names(rows[others])
    names, counts = np.unique(ours, return_counts=True)
    inside, known = ours == names[counts.argmax()], theirs == names[counts.argmax()]
    if inside.mean() * known.mean() < 0.25:
        yield points, others
        return
    for some, those in ((points[inside], others[~known]), (points[~inside], others)):
        if len(some) and len(those):
            yield some, those


def _close(
    vectors: NDArray[np.float32], points: NDArray[np.int64], others: NDArray[np.int64], limit: np.float32
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs of `points` and `others`, the lower one first, whose -|x - y|²/2 reaches `limit`."""
    swapped = vectors[points]
    swapped[:, [-2, -1]] = swapped[:, [-1, -2]]
    pairs = np.flatnonzero(swapped @ vectors[others].T >= limit)
    left, right = points[pairs // len(others)], others[pairs % len(others)]
    later = right > left
    return left[later], right[later]
