"""Google's AutoML and Vertex AI: lines of a part, an image in Cloud Storage and its labels, as many as it has."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lacuna.core.manifest import SPLIT_WORDS
from lacuna.data.labels.tables.table_file import TableFile, table_of_values
from lacuna.data.labels.tables.text_file import read_records
from lacuna.errors import LacunaError
from lacuna.io.names import shortened

AUTOML_COLUMNS = ["split", "image", "label"]

NO_PART = "unassigned"
"""What stands for an image that is in no part yet."""

_BUCKET = "gs://"
_BOX = 8
"""Cells behind a label that are the corners of a box, in lists of objects."""

_START = re.compile(r'\s*((train(ing)?|validation|test|unassigned)\s*,|,)?\s*"?gs://', re.I)
_CORNER = re.compile(r"([01](\.\d+)?)?")


def open_automl(path: Path, text: str) -> TableFile | None:
    """The columns `split`, `image` and `label` of such lines; None for other texts.

    Where a line has several labels, each cell is a list. A line of an object and the corners of its box says that the
    image has that object. Raises LacunaError with the line where no image follows.
    """
    if not _START.match(text):
        return None
    rows: list[tuple[str, str, list[str]]] = []
    for numbers, cells, flaw in read_records(path, text):
        if any(cells):
            if flaw:
                raise LacunaError(f"{path}:{numbers[0]}: {flaw}")
            rows.append(_read_line([cell.strip() for cell in cells], f"{path}:{numbers[0]}"))
    is_single = all(len(labels) <= 1 for _, _, labels in rows)

    def cells_of(row: tuple[str, str, list[str]]) -> list[Any]:
        split, image, labels = row
        return [split, image, (labels[0] if is_single else labels) if labels else None]

    def pick(places: Sequence[int]) -> Iterable[Sequence[object]]:
        return ([cells[place] for place in places] for cells in map(cells_of, rows))

    return table_of_values(path, AUTOML_COLUMNS, pick, 1)


def _read_line(cells: list[str], place: str) -> tuple[str, str, list[str]]:
    split = "" if cells[0].startswith(_BUCKET) else cells.pop(0)
    if split and split.lower() not in (*SPLIT_WORDS, NO_PART):
        raise LacunaError(f"{place}: {shortened(split)} is no part; expected TRAIN, VALIDATION, TEST or UNASSIGNED")
    if not cells or not cells[0].startswith(_BUCKET):
        raise LacunaError(f"{place}: no image that begins with {_BUCKET}; expected [PART,]gs://bucket/image.jpg,label")
    image, *labels = cells
    if len(labels) == 1 + _BOX and all(map(_CORNER.fullmatch, labels[1:])):
        labels = labels[:1]
    return "" if split.lower() == NO_PART else split, image, list(dict.fromkeys(filter(None, labels)))
