"""The files of the MNIST family: idx images and labels, unsigned bytes behind a header, maybe gzipped.

The format (LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist): two zero bytes, the type of the values, the
number of axes, each axis' length as a big-endian 32-bit integer, then the values.
"""

import gzip
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import LacunaError
from lacuna.io.csv_files import skip_byte_order_marks

UNSIGNED_BYTE = 0x08
GZIP = b"\x1f\x8b"
MOST_IDX_BYTES = 10**9
"""More values than this are not unpacked: a few megabytes of gzip may promise terabytes."""

SPLITS = {"train": "train", "t10k": "test"}
"""The name that a part's files begin with, and the split it is."""

CLASSES_FILE = "classes.txt"


@dataclass(frozen=True)
class IdxPart:
    """The files of one part, `n` images and as many labels."""

    name: str
    images: Path
    labels: Path
    n: int

    def image_names(self) -> list[str]:
        return [f"{self.name}/{number:05}" for number in range(self.n)]

    def read_images(self) -> NDArray[np.uint8]:
        """Grey values `(n, height, width)`."""
        return read_idx_file(self.images, 3)

    def read_labels(self, classes: list[str] | None) -> NDArray[np.uint8]:
        """The labels `(n,)`. Raises LacunaError at one that `classes` has no name for."""
        labels = read_idx_file(self.labels, 1)
        if classes is not None and labels.max() >= len(classes):
            first = int(np.argmax(labels >= len(classes)))
            raise LacunaError(
                f"{self.labels}: label {labels[first]} of image {self.name}/{first:05}, expected 0 to "
                f"{len(classes) - 1}: {CLASSES_FILE} beside it names {len(classes)} classes"
            )
        return labels


def find_parts(folder: Path) -> list[IdxPart]:
    """The training and test part in `folder`: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and `t10k-...`.

    A name may end in `.gz`, and have a dot before `idx` instead of the hyphen. Raises LacunaError when a file is
    missing, is no idx file of its kind, or when images and labels differ in number.
    """
    if not folder.is_dir():
        raise LacunaError(f"{folder}: no such folder; data.path must name the folder of the idx files")
    parts = []
    for name in SPLITS:
        images, labels = _find(folder, name, "images", "idx3"), _find(folder, name, "labels", "idx1")
        n, n_labels = (read_shape(path, n_axes)[0] for path, n_axes in ((images, 3), (labels, 1)))
        if n != n_labels:
            raise LacunaError(f"{labels}: {n_labels} labels, expected {n}, one for each image of {images.name}")
        parts.append(IdxPart(name, images, labels, n))
    return parts


def read_classes(folder: Path) -> list[str] | None:
    """The names in `classes.txt`, one a line, in the order of the labels; None without such a file."""
    path = folder / CLASSES_FILE
    try:
        lines = path.read_text(encoding="utf-8").rstrip().splitlines()
        classes = [line.strip() for line in skip_byte_order_marks(lines)]
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise LacunaError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    for number, name in enumerate(classes, start=1):
        if not name or name in classes[: number - 1]:
            what = f"{name!r} a second time" if name else "an empty line"
            raise LacunaError(f"{path}:{number}: {what}, expected the name of class {number - 1}")
    if len(classes) < 2:
        raise LacunaError(f"{path}: {len(classes)} names, expected at least two, one a line")
    return classes


def read_shape(path: Path, n_axes: int) -> tuple[int, ...]:
    """The axes' lengths by the header alone. Raises LacunaError when it is not one of `n_axes` axes of bytes."""
    content = _unpack(path, 4 + 4 * n_axes)
    expected = bytes([0, 0, UNSIGNED_BYTE, n_axes])
    if content[:4] != expected:
        raise LacunaError(
            f"{path}: magic number 0x{content[:4].hex() or '(none)'}, expected 0x{expected.hex()}: an idx file of "
            f"{'images' if n_axes == 3 else 'labels'} (unsigned bytes, {n_axes} {'axes' if n_axes > 1 else 'axis'})"
        )
    if len(content) != 4 + 4 * n_axes:
        raise LacunaError(f"{path}: the header is cut short: {len(content)} bytes, expected {4 + 4 * n_axes}")
    shape = tuple(np.frombuffer(content, ">u4", offset=4).tolist())
    if not 0 < math.prod(shape) <= MOST_IDX_BYTES:
        raise LacunaError(
            f"{path}: the header promises {' x '.join(map(str, shape))} bytes, expected 1 to {MOST_IDX_BYTES} in all"
        )
    return shape


def read_idx_file(path: Path, n_axes: int) -> NDArray[np.uint8]:
    """All values. Raises LacunaError when the file does not end where its header says; no more is unpacked."""
    shape, start = read_shape(path, n_axes), 4 + 4 * n_axes
    n_bytes = math.prod(shape)
    content = _unpack(path, start + n_bytes + 1)
    if len(content) < start + n_bytes:
        raise LacunaError(
            f"{path}: cut short after {len(content) - start} of the {n_bytes} bytes that its header promises; fetch it "
            "again"
        )
    if len(content) > start + n_bytes:
        raise LacunaError(f"{path}: more bytes behind the {n_bytes} that its header promises; fetch it again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _find(folder: Path, part: str, what: str, kind: str) -> Path:
    names = [f"{part}-{what}{mark}{kind}-ubyte{end}" for mark in "-." for end in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise LacunaError(
        f"{folder}: no {names[0]} or {names[1]}; expected the four files {', '.join(SPLITS)} x images, labels of the "
        "MNIST family (data.path)"
    )


def _unpack(path: Path, n_bytes: int) -> bytes:
    """The first bytes of the content. What is inside decides, not the suffix: browsers unpack what they download."""
    with open(path, "rb") as file:
        packed = file.read(2) == GZIP
    try:
        with gzip.open(path, "rb") if packed else open(path, "rb") as file:
            return file.read(n_bytes)
    except EOFError:
        raise LacunaError(f"{path}: the gzip file is cut short; fetch it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise LacunaError(f"{path}: damaged gzip file ({error}); fetch it again") from None
