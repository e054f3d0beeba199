"""A table as columns of text, whatever its format.

Cells stay what they are: `007` and `NA` are words, a whole number is written without a point, true and false in lower
case, a missing cell is empty, and a list in a cell is JSON.
"""

import datetime
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lacuna.data.labels.label_table import Dropped, WordColumn, to_arrow

ROWS_IN_PYTHON = 50_000

MOST_ABOVE = 20
"""Rows in which the header is looked for."""


class Malformed(NamedTuple):
    """Lines that are no row; `is_open`: because of a double quote."""

    lines: list[Dropped]
    is_open: bool


class Columns(NamedTuple):
    """Some columns of a table; `line`: that of each row, int64 `(n_rows,)`, 0 where there are none."""

    columns: list[WordColumn]
    line: NDArray[np.int64]
    malformed: list[Malformed]


@dataclass(frozen=True)
class TableFile:
    """A table whose header is read and whose rows are on demand.

    `header`: the names of the columns, stripped. `read`: given places in the header, the columns there.
    """

    path: Path
    header: list[str]
    read: Callable[[Sequence[int]], Columns]


def find_header(rows: Sequence[Sequence[str]], image_columns: Collection[str]) -> int:
    """Which of the first rows of a file names the columns: the one with the image columns; or, below titles of one
    cell, the first with several. Names are stripped of blanks.

    >>> find_header([["Survey of May", "", ""], [], ["file", "kind", "seen"], ["1.png", "cat", ""]], [""])
    2
    >>> find_header([["by", "Anna"], ["file", "kind"], ["1.png", "cat"]], ["file"])
    1
    >>> find_header([["", "kind"], ["1.png", "cat"]], [""])
    0
    """
    wanted = set(image_columns) - {""}
    filled = [[place for place, cell in enumerate(row) if cell] for row in rows]
    with_images = [place for place, row in enumerate(rows) if wanted and wanted <= set(row)]
    several = [place for place, cells in enumerate(filled) if cells and cells != [0]]  # pandas leaves the first empty
    single = [place for place, cells in enumerate(filled) if cells]
    return (with_images or several or single or [0])[0]


def table_of_values(
    path: Path, header: list[str], pick: Callable[[Sequence[int]], Iterable[Sequence[object]]], first_line: int
) -> TableFile:
    """A table of values: `pick` gives the cells at some places of each row. `first_line`: the number of the first row,
    0 where there are no lines. Rows in which all that is asked for is missing are none."""

    def read(places: Sequence[int]) -> Columns:
        lines: list[int] = []

        def texts() -> Iterator[tuple[str, ...]]:
            for number, cells in enumerate(pick(places), start=first_line):
                words = tuple(map(text_of, cells))
                if any(words):
                    lines.append(number if first_line else 0)
                    yield words

        return Columns(gather(texts(), len(places)), np.array(lines, dtype=np.int64), [])

    return TableFile(path, header, read)


def gather(rows: Iterator[tuple[str, ...]], n_columns: int) -> list[WordColumn]:
    """The columns of these rows, put together piece by piece, so that few cells are Python objects at a time."""
    pieces: list[list[pa.Array]] = [[] for _ in range(n_columns)]
    while chunk := list(islice(rows, ROWS_IN_PYTHON)):
        for piece, cells in zip(pieces, zip(*chunk, strict=True), strict=True):
            piece.append(to_arrow(cells))
    return [WordColumn.of(pa.chunked_array(piece, type=pa.large_string())) for piece in pieces]


def text_of(cell: object) -> str:
    """A cell as text.

    >>> [text_of(cell) for cell in ("007", 7.0, 0.5, True, None, float("nan"), ["a", "b"])]
    ['007', '7', '0.5', 'true', '', '', '["a", "b"]']
    """
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    if isinstance(cell, list | dict):
        return json.dumps(cell, ensure_ascii=False)
    return str(cell)
