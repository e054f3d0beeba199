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
from lacuna.data.images.near_pairs import join_near
from lacuna.io.atomic import create_array
from lacuna.io.progress import progress

SIDE = 32
IMAGES_PER_SLICE = 64


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


def find_duplicates(images: NDArray[np.uint8], *, rms: float, workspace: Path) -> Duplicates:
    """Group the duplicates among `images`, uint8 `(n, size, size, 3)`, of which slices are read one after the other.

    `rms` is the limit, inclusive. Thumbnails and their projections are kept in files in the folder `workspace` while it
    works, 3.3 KB an image, so that memory grows by little more than 100 bytes an image.
    """
    with TemporaryDirectory(dir=workspace) as folder:
        thumbnails = create_array(Path(folder) / "thumbnails.npy", (len(images), SIDE, SIDE, 3), np.uint8)
        first = _first_with_same_pixels(_write_thumbnails(images, thumbnails))
        sets = Components(len(images))
        sets.join(np.arange(len(images)), first)
        distinct = np.flatnonzero(first == np.arange(len(images)))
        n_compared = join_near(thumbnails, distinct, sets, rms, Path(folder))
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


def _write_thumbnails(images: NDArray[np.uint8], thumbnails: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Fill `thumbnails`, each cell the mean of a box; return the hashes of the images' pixels, `(n, 2)`."""
    hashes = np.empty((len(images), 2), np.uint64)
    pictures = progress(_one_by_one(images), total=len(images), what="compare", unit="images")
    for row, picture in enumerate(pictures):
        hashes[row] = np.frombuffer(blake2b(picture.tobytes(), digest_size=16).digest(), np.uint64)
        thumbnails[row] = np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BOX))
    return hashes


def _one_by_one(images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(images), IMAGES_PER_SLICE):
        yield from np.asarray(images[start : start + IMAGES_PER_SLICE])


def _first_with_same_pixels(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """For each row of `hashes` the first one that equals it, int64 `(n,)`."""
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))  # stable: of equal ones the first row stands first
    new = np.ones(len(order), np.bool_)
    new[1:] = (hashes[order[1:]] != hashes[order[:-1]]).any(axis=1)
    first = np.empty(len(order), np.int64)
    first[order] = order[new][np.cumsum(new) - 1]
    return first
