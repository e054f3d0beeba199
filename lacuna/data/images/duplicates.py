"""Duplicates among the working images, so that no image stands in two splits.

Two images are near duplicates when their 32x32 RGB thumbnails (0 to 1, made by Pillow's BOX filter) differ by a root
mean square of at most `rms`. Duplicates of duplicates join the same group.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lacuna.data.images.components import Components
from lacuna.data.images.near_pairs import THUMBNAILS_FILE, join_near
from lacuna.execution.executor import LOCAL, Executor
from lacuna.io.atomic import create_array, save_arrays
from lacuna.io.progress import progress

SIDE = 32
IMAGES_PER_SLICE = 64
ROWS_PER_JOB = 1024


@dataclass(frozen=True)
class Duplicates:
    """`group`: for each image the smallest row of its group, int64 `(n,)`. An image without duplicate is alone.

    `n_exact` images have the very pixels of an earlier one, `n_near` others resemble an earlier one;
    `largest` is the size of the largest group. `n_compared` pairs of thumbnails were compared in full.
    """

    group: NDArray[np.int64]
    n_exact: int
    n_near: int
    largest: int
    n_compared: int


def find_duplicates(
    images: NDArray[np.uint8], *, rms: float, workspace: Path, executor: Executor = LOCAL
) -> Duplicates:
    """Group the duplicates among `images`, uint8 `(n, size, size, 3)`, of which slices are read one after the other.

    `rms` is the limit, inclusive. Thumbnails and their projections are kept in files in the folder `workspace` while it
    works, 3.3 KB an image, so that memory grows by little more than 100 bytes an image. executor: what makes and
    compares the thumbnails; the images then are those of `open_rows`.
    """
    with TemporaryDirectory(dir=workspace) as folder:
        thumbnails = create_array(Path(folder) / THUMBNAILS_FILE, (len(images), SIDE, SIDE, 3), np.uint8)
        first = _first_with_same_pixels(_write_thumbnails(images, thumbnails, Path(folder), executor))
        sets = Components(len(images))
        sets.join(np.arange(len(images)), first)
        distinct = np.flatnonzero(first == np.arange(len(images)))
        thumbnails.flush()
        n_compared = join_near(thumbnails, distinct, sets, rms, Path(folder), executor)
        del thumbnails
    group = sets.names(np.arange(len(images)))
    counts = np.unique(group, return_counts=True)[1]
    return Duplicates(
        group=group,
        n_exact=len(images) - len(distinct),
        n_near=len(distinct) - len(counts),
        largest=int(counts.max(initial=0)),
        n_compared=n_compared,
    )


@dataclass(frozen=True)
class ThumbnailTask:
    """Makes the thumbnails of a range of rows, each cell the mean of a box, and hashes of these images' pixels.

    They go to a file in `folder`, which is returned: `thumbnails`, uint8 `(n, 32, 32, 3)`, and `hashes`, `(n, 2)`.
    """

    images: NDArray[np.uint8]
    folder: Path

    def __call__(self, rows: range) -> Path:
        thumbnails, hashes = np.empty((len(rows), SIDE, SIDE, 3), np.uint8), np.empty((len(rows), 2), np.uint64)
        for at, picture in enumerate(_one_by_one(self.images, rows)):
            hashes[at] = np.frombuffer(blake2b(picture.tobytes(), digest_size=16).digest(), np.uint64)
            thumbnails[at] = np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BOX))
        target = self.folder / f"thumbnails-{rows.start}.npz"
        save_arrays(target, {"thumbnails": thumbnails, "hashes": hashes})
        return target


def _write_thumbnails(
    images: NDArray[np.uint8], thumbnails: NDArray[np.uint8], folder: Path, executor: Executor
) -> NDArray[np.uint64]:
    """Fill `thumbnails`; return the hashes of the images' pixels, `(n, 2)`."""
    hashes = np.empty((len(images), 2), np.uint64)
    work = [range(start, min(start + ROWS_PER_JOB, len(images))) for start in range(0, len(images), ROWS_PER_JOB)]
    made = zip(work, executor.map(ThumbnailTask(images, folder), work), strict=True)
    done = progress(made, total=len(images), what="compare", unit="images", size=lambda each: len(each[0]))
    for rows, path in done:
        with np.load(path) as arrays:
            thumbnails[rows.start : rows.stop], hashes[rows.start : rows.stop] = arrays["thumbnails"], arrays["hashes"]
        path.unlink()
    return hashes


def _one_by_one(images: NDArray[np.uint8], rows: range) -> Iterator[NDArray[np.uint8]]:
    for start in range(rows.start, rows.stop, IMAGES_PER_SLICE):
        yield from np.asarray(images[start : min(start + IMAGES_PER_SLICE, rows.stop)])


def _first_with_same_pixels(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """For each row of `hashes` the first one that equals it, int64 `(n,)`."""
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))  # stable: of equal ones the first row stands first
    new = np.ones(len(order), np.bool_)
    new[1:] = (hashes[order[1:]] != hashes[order[:-1]]).any(axis=1)
    first = np.empty(len(order), np.int64)
    first[order] = order[new][np.cumsum(new) - 1]
    return first
