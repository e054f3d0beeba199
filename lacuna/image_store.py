"""A folder of image files to one array of working images, each file decoded once."""

import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import LacunaError
from lacuna.files import create_array
from lacuna.images import SUFFIXES, Resize, UnreadableImageError, decode
from lacuna.progress import progress

BATCH = 64


def find_images(folder: Path) -> tuple[list[str], int]:
    """Return the image files in `folder` and below, and how many other files there are.

    Names are relative to `folder`, with forward slashes, sorted. Hidden files and folders are left out. Raises
    LacunaError when there is no such folder or no image in it.
    """
    if not folder.is_dir():
        raise LacunaError(f"{folder}: no such folder; data.path must name the folder of the images")
    names, n_other = [], 0
    visited = set()
    for place, folders, files in os.walk(folder, onerror=_stop, followlinks=True):
        visited.add(os.path.realpath(place))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        # A link back to a folder above would be followed for ever.
        folders[:] = [name for name in folders if os.path.realpath(Path(place, name)) not in visited]
        for name in files:
            path = Path(place, name)
            if name.startswith(".") or path.suffix.lower() not in SUFFIXES:
                n_other += 1
            else:
                names.append(path.relative_to(folder).as_posix())
    if not names:
        raise LacunaError(f"{folder}: no image in this folder (data.path), only {n_other} other files")
    return sorted(names), n_other


def _stop(error: OSError) -> None:
    raise error


def write_images(
    folder: Path, names: list[str], target: Path, *, size: int, resize: Resize, max_pixels: int
) -> tuple[list[str], list[tuple[str, str]]]:
    """Decode `names` in `folder` into the array `target`, uint8 `(n_accepted, size, size, 3)`.

    Returns the accepted names, in the order of their rows, and the rejected ones with the reason.
    """
    accepted: list[str] = []
    rejected: list[tuple[str, str]] = []
    images = create_array(target, (len(names), size, size, 3), np.uint8)
    pictures = _decode_all(folder, names, size, resize, max_pixels)
    for name, picture in progress(pictures, total=len(names), what="decode", unit="images"):
        if isinstance(picture, UnreadableImageError):
            rejected.append((_printable(name), str(picture)))
        else:
            images[len(accepted)] = picture
            accepted.append(name)
    images.flush()
    del images
    _keep_first_rows(target, len(accepted))
    return accepted, rejected


def _decode_all(
    folder: Path, names: list[str], size: int, resize: Resize, max_pixels: int
) -> Iterator[tuple[str, NDArray[np.uint8] | UnreadableImageError]]:
    def one(name: str) -> NDArray[np.uint8] | UnreadableImageError:
        path = folder / name
        if _printable(name) != name:
            return UnreadableImageError("the file's name is not UTF-8")
        if path.exists() and not path.is_file():
            return UnreadableImageError("not a regular file")
        try:
            return decode(path, size=size, resize=resize, max_pixels=max_pixels)
        except UnreadableImageError as error:
            return error

    # Pillow decodes outside the interpreter's lock. Batches, because `map` takes all its input at once.
    with ThreadPoolExecutor(os.cpu_count()) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata name no file and change no pixel
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            yield from zip(batch, pool.map(one, batch), strict=True)


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


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
