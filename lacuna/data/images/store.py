"""Working images, each decoded once, in one array on disk."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lacuna.core.working_image import Origin
from lacuna.data.images.collections import Picture
from lacuna.data.images.decode import UnreadableImageError
from lacuna.io.atomic import create_array
from lacuna.io.progress import progress


@dataclass
class Stored:
    """What became of the images.

    `accepted`: names in the order of their rows, with what they were made from; `sha256`: the hashes of these files'
    content. `rejected`: names with the reason.
    `value_bits`: of grey images with 16 bits per pixel, the names by how many of these their values use (`Decoded`).
    """

    accepted: dict[str, Origin] = field(default_factory=dict)
    sha256: list[str] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    value_bits: dict[int, list[str]] = field(default_factory=dict)


def write_images(pictures: Iterable[tuple[str, Picture]], n: int, target: Path, *, size: int) -> Stored:
    """Write those of `n` pictures that can be used into the array `target`, uint8 `(n_accepted, size, size, 3)`."""
    stored = Stored()
    images = create_array(target, (n, size, size, 3), np.uint8)
    for name, picture in progress(pictures, total=n, what="decode", unit="images"):
        if isinstance(picture, UnreadableImageError):
            stored.rejected.append((name, str(picture)))
        else:
            images[len(stored.accepted)] = picture.pixels
            stored.accepted[name] = picture.origin
            stored.sha256.append(picture.sha256)
            if picture.value_bits:
                stored.value_bits.setdefault(picture.value_bits, []).append(name)
    images.flush()
    del images
    _keep_first_rows(target, len(stored.accepted))
    return stored


def _keep_first_rows(path: Path, n_rows: int) -> None:
    """Cut an array file down to its first rows, in place."""
    array = np.load(path, mmap_mode="r")
    shape, dtype, start = (n_rows, *array.shape[1:]), array.dtype, array.offset
    n_bytes = array[:1].nbytes * n_rows
    del array
    with open(path, "r+b") as file:
        # The header keeps its length: numpy pads it so that the first axis may change.
        np.lib.format.write_array_header_1_0(
            file, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        )
        if file.tell() != start:
            raise AssertionError(f"{path}: header of {file.tell()} bytes, expected {start}")
        file.truncate(start + n_bytes)
