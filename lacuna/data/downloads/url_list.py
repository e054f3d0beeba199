"""The URLs of a file: one a line, or a column of a table."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from lacuna.config.data import Data
from lacuna.data.images.formats import IMAGE_SUFFIXES
from lacuna.data.labels.label_table import WordColumn
from lacuna.data.labels.tables.excel_sheet import EXCEL_MARKS
from lacuna.data.labels.tables.json_records import JSON_SUFFIXES
from lacuna.data.labels.tables.open_table import TABLE_SUFFIXES, bare_suffix, open_table
from lacuna.data.labels.tables.parquet_file import PARQUET_MARK
from lacuna.data.labels.tables.table_file import TableFile
from lacuna.data.labels.tables.text_file import read_text
from lacuna.errors import LacunaError
from lacuna.io.names import listed, shortened

ROOMY_ENCODING = "cp1252"
"""Tried where a text is not in `data.encoding`: URLs are the same in it."""

_URL = re.compile(r"[a-z][\w+.-]*://", re.I)
_NAMELESS = "column_{}"


class UrlList(NamedTuple):
    """`urls`: distinct, in the file's order, as they stand there. `column`: "" where the file is a list. `n_malformed`:
    lines that are no row of the table, with what is wrong with the first in `flaw`."""

    urls: list[str]
    column: str
    n_malformed: int = 0
    flaw: str = ""


def read_urls(path: Path, column: str, data: Data) -> UrlList:
    """Read a text of a URL a line, or the column of a table in any format that labels may have.

    column: its name; "" for the one that holds URLs; of several, the one whose URLs name images. A table without a
    header has `column_1`, `column_2` and so on. data: gives sheet and encoding. Cells that hold something else than a
    URL are among the URLs; empty ones are not. Raises LacunaError when no column, or no single one, can be meant.
    """
    if not path.is_file():
        raise LacunaError(f"{path}: no such file; expected a text of a URL a line, or a table with a column of URLs")
    told = data.model_copy(update={"image_column": column, "columns": (), "encoding": _encoding(path, data)})
    if not column and (lines := _lines(path, told.encoding)):
        return UrlList(lines, "")
    table = open_table(path, told)
    if any(map(_URL.match, table.header)):
        names = tuple(_NAMELESS.format(number) for number in range(1, len(table.header) + 1))
        table = open_table(path, told.model_copy(update={"columns": names}))
        if any(map(_URL.match, table.header)):
            raise LacunaError(f"{path}: its first row holds a URL, expected the names of columns; add a header")
    name = _named(table, column) if column else _find_column(table)
    read = table.read([table.header.index(name)])
    urls = [word for word in read.columns[0].words if word]
    if not urls:
        raise LacunaError(f"{path}: column {shortened(name)} is empty, expected URLs")
    lost = [dropped for malformed in read.malformed for dropped in malformed.lines]
    return UrlList(urls, name, len(lost), f"{path}:{lost[0].line}: {lost[0].reason}" if lost else "")


def _is_text(path: Path) -> bool:
    with open(path, "rb") as file:
        start = file.read(4)
    return start != PARQUET_MARK and start not in EXCEL_MARKS and bare_suffix(path) not in JSON_SUFFIXES


def _encoding(path: Path, data: Data) -> str:
    if _is_text(path):
        try:
            read_text(path, encoding=data.encoding)
        except LacunaError as error:
            if "must name its encoding" not in str(error):
                raise
            return ROOMY_ENCODING
    return data.encoding


def _lines(path: Path, encoding: str) -> list[str]:
    """The lines of a list; none where the file is a table."""
    if not _is_text(path):
        return []
    stripped = map(str.strip, read_text(path, encoding=encoding).splitlines())
    lines = [line for line in stripped if line and not line.startswith("#")]
    between = r"[\s,;|]" if bare_suffix(path) in TABLE_SUFFIXES else r"\s"
    is_list = all(_URL.match(line) and not re.search(between, line) for line in lines)
    return list(dict.fromkeys(lines)) if is_list else []


def _named(table: TableFile, column: str) -> str:
    if table.header.count(column) != 1:
        what = "no column" if column not in table.header else "more than one column"
        raise LacunaError(
            f"{table.path}: {what} {shortened(column)} (--column), expected one of {listed(table.header)}"
        )
    return column


def _find_column(table: TableFile) -> str:
    once = [place for place, name in enumerate(table.header) if name and table.header.count(name) == 1]
    columns = {table.header[place]: column for place, column in zip(once, table.read(once).columns, strict=True)}
    found = [name for name, column in columns.items() if _share(column, _is_url) >= 0.5]
    of_images = [name for name in found if _share(columns[name], _names_image) > 0.5]
    chosen: Sequence[str] = of_images if len(found) > 1 and len(of_images) == 1 else found
    if len(chosen) != 1:
        said = f"{listed(found)} hold URLs" if found else f"no column holds URLs; its columns: {listed(table.header)}"
        raise LacunaError(f"{table.path}: {said}; --column must name the one with those of the images")
    return chosen[0]


def _is_url(word: str) -> bool:
    return bool(_URL.match(word))


def _names_image(word: str) -> bool:
    return _is_url(word) and Path(re.split(r"[?#]", word)[0]).suffix.lower() in IMAGE_SUFFIXES


def _share(column: WordColumn, is_so: Callable[[str], bool]) -> float:
    words = [word for word in column.words if word]
    return sum(map(is_so, words)) / max(len(words), 1)
