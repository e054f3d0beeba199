"""Duplicates among the working images, so that no image stands in two splits.

Two images are near duplicates when their 32x32 RGB thumbnails (0 to 1, made by Pillow's BOX filter) differ by a root
mean square of at most `rms`. Duplicates of duplicates join the same group.
"""

from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.cluster.hierarchy import DisjointSet
from scipy.spatial import cKDTree

from lacuna.core.groups import smallest_members
from lacuna.io.atomic import create_array
from lacuna.io.progress import progress

SIDE = 32
HASH_BLOCKS = 4
COMPARED_AT_ONCE = 64
QUERIES = 32  # at a time: each may find as many candidates as there are images


@dataclass(frozen=True)
class Duplicates:
    """`group`: for each image the smallest row of its group, int64 `(n,)`. An image without duplicate is alone.

    `n_exact` images have the very pixels of an earlier one, `n_near` others resemble an earlier one;
    `largest` is the size of the largest group.
    """

    group: NDArray[np.int64]
    n_exact: int
    n_near: int
    largest: int


def find_duplicates(images: NDArray[np.uint8], *, rms: float, workspace: Path) -> Duplicates:
    """Group the duplicates among `images`, uint8 `(n, size, size, 3)`.

    Thumbnails are kept in a file in the folder `workspace` while it works, so that memory does not grow with them.
    """
    first = _first_with_same_pixels(images)
    distinct = np.flatnonzero(first == np.arange(len(images)))
    sets = DisjointSet(range(len(images)))
    for row, earlier in enumerate(first.tolist()):
        sets.merge(row, earlier)
    with TemporaryDirectory(dir=workspace) as folder:
        thumbnails = _write_thumbnails(images, distinct, Path(folder))
        _join_near(thumbnails, distinct, sets, rms)
        del thumbnails
    group = smallest_members(sets)
    counts = np.unique(group, return_counts=True)[1]
    return Duplicates(
        group=group,
        n_exact=len(images) - len(distinct),
        n_near=len(distinct) - len(counts),
        largest=int(counts.max(initial=0)),
    )


def _first_with_same_pixels(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    seen: dict[bytes, int] = {}
    pictures = progress(images, total=len(images), what="compare", unit="images")
    rows = [
        seen.setdefault(blake2b(picture.tobytes(), digest_size=16).digest(), i) for i, picture in enumerate(pictures)
    ]
    return np.array(rows, dtype=np.int64)


def _write_thumbnails(images: NDArray[np.uint8], rows: NDArray[np.int64], folder: Path) -> np.memmap[Any, Any]:
    """Thumbnails of the images in these rows, uint8 `(len(rows), SIDE, SIDE, 3)`: each cell is the mean of a box."""
    thumbnails = create_array(folder / "thumbnails.npy", (len(rows), SIDE, SIDE, 3), np.uint8)
    for place, row in enumerate(rows.tolist()):
        thumbnails[place] = Image.fromarray(images[row]).resize((SIDE, SIDE), Image.Resampling.BOX)
    return thumbnails


def _join_near(thumbnails: NDArray[np.uint8], rows: NDArray[np.int64], sets: DisjointSet, rms: float) -> None:
    """Join all pairs of thumbnails within `rms`; `rows` are their images' numbers in `sets`.

    Candidates come from a radius search over block means. A mean of differences squares to no more than the mean of
    their squares (Jensen), so block means differ by no more than the thumbnails do, and no pair is missed.
    """
    step = SIDE // HASH_BLOCKS
    blocks = np.empty((len(thumbnails), HASH_BLOCKS * HASH_BLOCKS * 3), np.float64)
    for start in range(0, len(thumbnails), COMPARED_AT_ONCE):
        batch = thumbnails[start : start + COMPARED_AT_ONCE] / 255
        means = batch.reshape(len(batch), HASH_BLOCKS, step, HASH_BLOCKS, step, 3).mean(axis=(2, 4))
        blocks[start : start + COMPARED_AT_ONCE] = means.reshape(len(batch), -1)
    tree = cKDTree(blocks)
    radius = rms * np.sqrt(blocks.shape[1]) + 1e-6
    starts = range(0, len(blocks), QUERIES)
    for start in progress(starts, total=len(starts), what="duplicates", unit="batches"):
        near = tree.query_ball_point(blocks[start : start + QUERIES], radius, workers=-1)
        left = np.repeat(np.arange(start, start + len(near)), [len(found) for found in near])
        right = np.fromiter(chain.from_iterable(near), np.int64, len(left))
        later = right > left
        _join_verified(thumbnails, left[later], right[later], rows, sets, rms)


def _join_verified(
    thumbnails: NDArray[np.uint8],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    rows: NDArray[np.int64],
    sets: DisjointSet,
    rms: float,
) -> None:
    for start in range(0, len(left), COMPARED_AT_ONCE):
        i, j = left[start : start + COMPARED_AT_ONCE], right[start : start + COMPARED_AT_ONCE]
        # Thousands of look-alikes make millions of pairs; most are in one group before their turn comes.
        apart = np.array([not sets.connected(a, b) for a, b in zip(rows[i].tolist(), rows[j].tolist(), strict=True)])
        i, j = i[apart], j[apart]
        squares = (thumbnails[i] / 255 - thumbnails[j] / 255) ** 2
        close = np.sqrt(squares.mean(axis=(1, 2, 3))) <= rms
        for a, b in zip(rows[i[close]].tolist(), rows[j[close]].tolist(), strict=True):
            sets.merge(a, b)
