"""Working images, each decoded once, in one array on disk."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lacuna.core.working_image import Origin
from lacuna.data.images.collections import Picture, printable
from lacuna.data.images.decode import UnreadableImageError
from lacuna.io.atomic import create_array
from lacuna.io.progress import progress


def write_images(
    pictures: Iterable[tuple[str, Picture]], n: int, target: Path, *, size: int
) -> tuple[dict[str, Origin], list[tuple[str, str]]]:
    """Write `n` named pictures into the array `target`, uint8 `(n_accepted, size, size, 3)`.

    Returns the accepted names, in the order of their rows, with what they were made from, and the rejected ones with
    the reason.
    """
    accepted: dict[str, Origin] = {}
    rejected: list[tuple[str, str]] = []
    images = create_array(target, (n, size, size, 3), np.uint8)
    for name, picture in progress(pictures, total=n, what="decode", unit="images"):
        if isinstance(picture, UnreadableImageError):
            rejected.append((printable(name), str(picture)))
        else:
            images[len(accepted)] = picture.pixels
            accepted[name] = picture.origin
    images.flush()
    del images
    _keep_first_rows(target, len(accepted))
    return accepted, rejected


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
