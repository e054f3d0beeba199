"""CSV files: written so that every cell comes back as it was, whatever stands in it."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

BYTE_ORDER_MARK = "\ufeff"
"""What some programs put at the start of a text file, once more each time they save it."""


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table in UTF-8, lines ending in a line feed. Bytes that are no UTF-8 are written as escapes."""
    with open(path, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv_writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a table that `write_csv` wrote, each by the names of its columns."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def skip_byte_order_marks(lines: Iterable[str]) -> Iterator[str]:
    """The lines of a text without the marks before the first."""
    for number, line in enumerate(lines):
        yield line if number else line.lstrip(BYTE_ORDER_MARK)


def csv_writer(file: TextIO) -> Any:
    """A `csv.writer` to a file opened with `newline=""`: rows end in a line feed, and carriage returns are quoted.

    Python quotes just those line ends that are part of its `lineterminator`: with a line feed alone, a carriage return
    in a cell stands bare, and every reader takes it for the end of the row.
    """
    return csv.writer(_LineFeeds(file), lineterminator="\r\n")


class _LineFeeds:
    """Passes rows on to a file with a line feed for the carriage return and line feed at their end."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> int:
        return self._file.write(row.removesuffix("\r\n") + "\n")
