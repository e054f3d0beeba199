"""The columns of a table of which nothing is known yet."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from lacuna.config.data import Data
from lacuna.data.labels.label_table import WordColumn
from lacuna.data.labels.tables.open_table import open_table
from lacuna.data.labels.tables.table_file import TableFile
from lacuna.errors import LacunaError

ROOMY = ("cp1252", "latin-1")
MOST_TRIED = 500
"""Columns that are read one by one where not all can be read."""


def encoding_of(said: str) -> str:
    """The encoding that `open_as_it_is` names."""
    return next((encoding for encoding in ROOMY if encoding in said), "utf-8")


def open_as_it_is(path: Path, data: Data) -> tuple[TableFile, str]:
    """The table, and in what encoding it is, where that is not UTF-8."""
    blank = data.model_copy(update={"image_column": "", "columns": (), "encoding": "utf-8"})
    try:
        return open_table(path, blank), ""
    except LacunaError as error:
        if "not UTF-8" not in str(error):
            raise
    for encoding in ROOMY:
        with suppress(LacunaError):
            return open_table(path, blank.model_copy(update={"encoding": encoding})), f", text in {encoding}"
    raise LacunaError(f"{path}: neither UTF-8 nor {' or '.join(ROOMY)}; data.encoding must name its encoding")


def header_words(cells: Sequence[str]) -> WordColumn:
    """The names of columns as a column of words."""
    words = tuple(dict.fromkeys(cell for cell in cells if cell))
    return WordColumn(np.arange(len(words), dtype=np.int32), words)


def read_columns(table: TableFile) -> dict[str, WordColumn]:
    """The columns whose name stands once in the header and of which text can be made."""
    counts = Counter(table.header)
    once = [place for place, name in enumerate(table.header) if counts[name] == 1]
    try:
        columns = table.read(once).columns
    except LacunaError:
        if len(once) > MOST_TRIED:
            raise
        return _readable_columns(table, once)
    return {table.header[place]: column for place, column in zip(once, columns, strict=True)}


def _readable_columns(table: TableFile, places: Sequence[int]) -> dict[str, WordColumn]:
    """Without the columns that no text can be made of, such as a Parquet file's bytes."""
    found, reasons = {}, []
    for place in places:
        try:
            found[table.header[place]] = table.read([place]).columns[0]
        except LacunaError as error:
            reasons.append(error)
    if not found:
        raise reasons[0]
    return found
