"""Which format a table is in, by its content first: an Excel file called .csv is read as what it is."""

import re
from collections.abc import Sequence
from pathlib import Path

from lacuna.config.data import Data
from lacuna.data.labels.tables.delimited_text import open_delimited
from lacuna.data.labels.tables.excel_sheet import EXCEL_MARKS, open_excel
from lacuna.data.labels.tables.json_records import JSON_SUFFIXES, open_json
from lacuna.data.labels.tables.parquet_file import PARQUET_MARK, open_parquet
from lacuna.data.labels.tables.table_file import Columns, TableFile
from lacuna.data.labels.tables.via import read_via_csv
from lacuna.io.spreadsheets import unescaped

JSON_START = re.compile(rb"\s*(\[\s*)?\{\s*\"")

TABLE_SUFFIXES = frozenset((".csv", ".tsv", ".xlsx", ".xls", ".parquet", *JSON_SUFFIXES))
"""What tables are called, beside images; with .gz behind as well where they are text."""


def open_table(path: Path, data: Data) -> TableFile:
    """Read what columns the file has. Raises LacunaError, with the line where there are lines, at what is no table."""
    start = b""
    if path.is_file():
        with open(path, "rb") as file:
            start = file.read(64)
    if start.startswith(PARQUET_MARK):
        return open_parquet(path)
    if start.startswith(EXCEL_MARKS):
        return _without_escapes(open_excel(path, data.sheet, data.image_columns))
    if bare_suffix(path) in JSON_SUFFIXES or JSON_START.match(start):
        return open_json(path)
    table = _without_escapes(open_delimited(path, data))
    return read_via_csv(table) or table


def _without_escapes(table: TableFile) -> TableFile:
    """The table without the apostrophes that keep words from being taken for formulas in a spreadsheet."""

    def read(places: Sequence[int]) -> Columns:
        found = table.read(places)
        return found._replace(columns=[column.replaced(unescaped) for column in found.columns])

    return TableFile(table.path, list(map(unescaped, table.header)), read)


def bare_suffix(path: Path) -> str:
    """The suffix in lower case, without the .gz of a compressed file."""
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()
