"""CSV files that people open in a spreadsheet: no cell is taken for a formula there, and each is read back as it was.

Names of files and classes may come from strangers, and Excel, LibreOffice and Google Sheets compute what begins with
a sign (OWASP, CSV injection). An apostrophe before it makes it text. A cell that has apostrophes there already gets one
more, so that exactly one is taken off again. Numbers stay numbers.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from lacuna.io.csv_files import read_csv, write_csv

FORMULA = re.compile("'*[=+@\t\r\n\uff1d\uff0b\uff0d\uff20-]")
"""How a formula begins. The last but one are the signs in full width, which Excel takes for the others."""

PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

Written = TypeVar("Written")


def escaped(cell: Written) -> Written | str:
    """A cell as it is to be written. What is no text, and text that is a number, stays what it is.

    >>> [escaped(cell) for cell in ("=1+1.jpg", "-5", "-5.jpg", "'+a", "it's", -5)]
    ["'=1+1.jpg", '-5', "'-5.jpg", "''+a", "it's", -5]
    """
    if isinstance(cell, str) and FORMULA.match(cell) and not PLAIN_NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def unescaped(cell: str) -> str:
    """The text that `escaped` made this cell of.

    >>> [unescaped(cell) for cell in ("'=1+1.jpg", "-5", "''+a", "'tis")]
    ['=1+1.jpg', '-5', "'+a", "'tis"]
    """
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def write_sheet(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], escapes: bool = True) -> None:
    """Write a table as `write_csv` does, without formulas, or as it is."""
    if escapes:
        header, rows = list(map(escaped, header)), (list(map(escaped, row)) for row in rows)
    write_csv(path, header, rows)


def read_sheet(path: Path) -> list[dict[str, str]]:
    """The rows of a table that `write_sheet` wrote, each by the names of its columns."""
    return [{unescaped(name): unescaped(cell) for name, cell in row.items()} for row in read_csv(path)]
