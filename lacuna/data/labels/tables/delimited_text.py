"""Tables in text: a row a line, cells between commas, semicolons, tabs or bars."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from lacuna.config.data import Data
from lacuna.data.labels.captions import CAPTIONS_REFUSED, begins_with_caption
from lacuna.data.labels.label_table import Dropped, WordColumn
from lacuna.data.labels.tables.automl import open_automl
from lacuna.data.labels.tables.table_file import MOST_ABOVE, Columns, Malformed, TableFile, find_header, gather
from lacuna.data.labels.tables.text_file import read_records, read_text
from lacuna.errors import LacunaError
from lacuna.io.plurals import number_of

DELIMITERS = (",", ";", "\t", "|")


def open_delimited(path: Path, data: Data) -> TableFile:
    """A table whose first line, behind comments and empty ones, names the columns, unless `data.columns` does.

    The delimiter is the one that finds the image column; AutoML's lines have columns of their own. Raises LacunaError
    at what is no text, at captions, and with the line at a header whose quotes are not closed.
    """
    text = read_text(path, encoding=data.encoding)
    if begins_with_caption(text):
        raise LacunaError(f"{path}:1: {CAPTIONS_REFUSED}")
    if not data.columns and (table := open_automl(path, text)):
        return table
    start, line, delimiter = _find_top(text, data)
    text = text[start:] if start else text
    (top,) = islice(read_records(path, text, delimiter, line), 1)
    if top.flaw:
        raise LacunaError(f"{path}:{line}: {top.flaw}")
    header = [name.strip() for name in data.columns or top.cells]
    n_above = 0 if data.columns else 1

    def read(places: Sequence[int]) -> Columns:
        if (quick := _read_plain(text, delimiter, len(header), places, n_above)) is not None:
            return Columns(quick, np.arange(line + n_above, line + n_above + len(quick[0])), [])
        lines: list[int] = []
        malformed: list[Malformed] = []

        def rows() -> Iterator[tuple[str, ...]]:
            for numbers, cells, flaw in islice(read_records(path, text, delimiter, line), n_above, None):
                if len(cells) > len(header) and not any(map(str.strip, cells[len(header) :])):
                    del cells[len(header) :]  # delimiters at the end of a line, as spreadsheets leave them
                if not flaw and len(cells) == len(header):
                    lines.append(numbers[0])
                    yield tuple([cells[place] for place in places])
                elif cells:
                    reason = flaw or f"{number_of(len(cells), 'cell')}, the header has {len(header)}"
                    malformed.append(Malformed([Dropped(number, "", reason) for number in numbers], bool(flaw)))

        columns = gather(rows(), len(places))
        return Columns(columns, np.array(lines, dtype=np.int64), malformed)

    return TableFile(path, header, read)


def _read_plain(
    text: str, delimiter: str, n_columns: int, places: Sequence[int], n_above: int
) -> list[WordColumn] | None:
    """The columns of a text without quotes and empty lines, in which every line has as many cells; else None.

    Ten times as fast as row by row. Of what is amiss, the slow way knows the lines.
    """
    if '"' in text or "\n\n" in text or "\n\r\n" in text or text.count("\r") != text.count("\r\n"):
        return None
    names = [str(place) for place in range(n_columns)]
    wanted = [names[place] for place in places]
    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(text.encode()),
            pyarrow.csv.ReadOptions(column_names=names, skip_rows=n_above, use_threads=False),
            pyarrow.csv.ParseOptions(delimiter=delimiter, quote_char=False),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pa.large_string()), include_columns=list(dict.fromkeys(wanted))
            ),
        )
    except (pa.ArrowException, UnicodeEncodeError):
        return None
    columns = [WordColumn.of(table.column(name)) for name in wanted]
    is_bounded = all(len(word) < csv.field_size_limit() for column in columns for word in column.words)
    return columns if is_bounded else None


def _find_top(text: str, data: Data) -> tuple[int, int, str]:
    """Where the table begins, at which line, and its delimiter. Above it may stand empty lines, comments, and `sep=;`,
    by which Excel is told."""
    start, line, told = 0, 1, ""
    while True:
        end = text.find("\n", start)
        top = text[start : end if end >= 0 else len(text)].strip("\r")
        delimiter = told or _find_delimiter(top, data)
        named = re.fullmatch(r"sep=(.)", top.strip(), re.I)
        is_comment = top.startswith("#") and not set(data.image_columns) & set(_cells(top, delimiter))
        if end < 0 or not (named or is_comment or not top.strip()):
            return (start, line, delimiter) if data.columns else _below_titles(text, data, start, line, told)
        told = named[1] if named else told
        start, line = end + 1, line + 1


def _below_titles(text: str, data: Data, start: int, line: int, told: str) -> tuple[int, int, str]:
    tops: list[tuple[int, str, list[str]]] = []
    place = start
    while len(tops) < MOST_ABOVE and place < len(text):
        end = text.find("\n", place)
        end = end if end >= 0 else len(text)
        top = text[place:end].strip("\r")
        delimiter = told or _find_delimiter(top, data)
        tops.append((place, delimiter, _cells(top, delimiter)))
        place = end + 1
    number = find_header([cells for _, _, cells in tops], data.image_columns)
    return tops[number][0], line + number, tops[number][1]


def _find_delimiter(top: str, data: Data) -> str:
    """The one that splits the first line into the columns that are known of, or into most."""

    def fit(delimiter: str) -> tuple[int, int]:
        cells = _cells(top, delimiter)
        known = len(cells) == len(data.columns) if data.columns else len({*data.image_columns} & {*cells})
        return int(known), len(cells)

    return max(DELIMITERS, key=fit)


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []
