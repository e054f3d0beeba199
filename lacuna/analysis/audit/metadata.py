"""What can be told of an image without looking at it: a probe on the file's properties, field by field.

A target that they tell is confounded: a network may learn the source of the pictures instead of what they show.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.core.files_table import read_files
from lacuna.core.pixels import brightness
from lacuna.core.scores import Floats
from lacuna.core.working_image import Resize

FILE_FIELDS = ("format", "mode", "width", "height")
"""Fields that say where a picture comes from."""

PICTURE_FIELDS = ("bytes", "brightness")
"""Fields that may also follow from what a picture shows."""

FIELDS = FILE_FIELDS + PICTURE_FIELDS

WORD_FIELDS = ("format", "mode")

EIGHTHS = 8
"""A number enters the probe as the eighth of all images that it falls into, so that no straight line needs to fit."""


def describe_files(path: Path, rows: NDArray[np.int64], images: NDArray[np.uint8], resize: Resize) -> dict[str, Floats]:
    """Each field as columns (len(rows), k) of 0 and 1, for images at `rows` of files.csv and of the image array.

    A field that is the same for all images has no column.
    """
    every = read_files(path)
    files = [every[row] for row in rows.tolist()]
    table: dict[str, Sequence[str] | Sequence[int] | Floats] = {
        name: [getattr(file, name) for file in files] for name in (*FILE_FIELDS, "bytes")
    }
    table["brightness"] = brightness(images, rows, files, resize)
    return {
        name: _words(table[name]) if name in WORD_FIELDS else _eighths(np.asarray(table[name], dtype=np.float64))
        for name in FIELDS
    }


def together(fields: Mapping[str, Floats]) -> Floats:
    """All fields side by side; one empty column when none differs between images."""
    columns = [columns for columns in fields.values() if columns.shape[1]]
    return np.concatenate(columns, axis=1) if columns else np.zeros((len(next(iter(fields.values()))), 1))


def _words(values: Sequence[str] | Sequence[int] | Floats) -> Floats:
    words, place = np.unique(np.asarray(values), return_inverse=True)
    return _one_hot(place, len(words))


def _eighths(values: Floats) -> Floats:
    distinct = np.unique(values)
    shares = np.arange(1, EIGHTHS) / EIGHTHS
    edges = distinct[1:] if len(distinct) <= EIGHTHS else np.unique(np.quantile(values, shares))
    place = np.searchsorted(edges, values, side="right")
    return _one_hot(place, len(edges) + 1)


def _one_hot(place: NDArray[np.intp], size: int) -> Floats:
    columns: Floats = np.eye(size)[place]
    return columns[:, columns.any(axis=0)] if size > 1 else columns[:, :0]
