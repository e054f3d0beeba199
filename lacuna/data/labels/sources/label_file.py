"""What every label format is read into: rows of text, before anything is interpreted."""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lacuna.core.targets import Kind
from lacuna.errors import LacunaError
from lacuna.io.csv_files import BYTE_ORDER_MARK


class LabelRow(NamedTuple):
    """One line of a label file, cells stripped of blanks. `group` and `split` are "" where nothing is given.

    `line` is 0 where labels come from something else than lines.
    """

    line: int
    image: str
    labels: tuple[str, ...]
    group: str = ""
    split: str = ""


class Dropped(NamedTuple):
    """A line of the label file that labels no image, and why; `image` is "" where it cannot be told."""

    line: int
    image: str
    reason: str


class Record(NamedTuple):
    """A row of a CSV file: its lines, its cells, and what is wrong with its quotes, "" for nothing."""

    lines: range
    cells: list[str]
    flaw: str


@dataclass(frozen=True)
class LabelFile:
    """The rows of a label file; `targets` names the kind of each of a row's labels, in order.

    `malformed`: the lines that could not be read as rows. `notes`: what the user should know of the source.
    """

    path: Path
    targets: dict[str, Kind]
    rows: list[LabelRow]
    malformed: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()


def read_text(path: Path, key: str = "data.labels") -> str:
    """The file's text without byte order marks: files that were put together have several.

    Raises LacunaError when it is missing, empty or not UTF-8.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8").lstrip(BYTE_ORDER_MARK)
    except FileNotFoundError:
        raise LacunaError(f"{path}: no such file; {key} must name the label file") from None
    except IsADirectoryError:
        raise LacunaError(f"{path}: a folder; {key} must name the label file") from None
    except UnicodeDecodeError as error:
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise LacunaError(f"{path}: UTF-16 text, expected UTF-8; {_to_utf8('UTF-16', path)}") from None
        line = content.count(b"\n", 0, error.start) + 1
        raise LacunaError(
            f"{path}:{line}: not UTF-8 text (byte 0x{content[error.start]:02x}); if it is Latin-1, as older programs "
            f"write it, {_to_utf8('LATIN1', path)}"
        ) from None
    if not text.strip():
        raise LacunaError(f"{path}: the label file is empty, expected a line per image")
    return text


def read_records(path: Path, text: str) -> Iterator[Record]:
    """The rows of a CSV file that a person or another program wrote, its header among them.

    Raises LacunaError with file and line where what follows cannot be read at all.
    """
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines)
    first = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            if reader.line_num > first:
                raise LacunaError(f"{path}:{first}: a double quote that is never closed: {error}") from None
            raise LacunaError(f"{path}:{first}: not valid CSV: {error}") from None
        if cells is None:
            return
        yield Record(range(first, reader.line_num + 1), cells, _find_flaw(lines, first, reader.line_num, len(cells)))
        first = reader.line_num + 1


def _find_flaw(lines: list[str], first: int, last: int, n_cells: int) -> str:
    """What is wrong with the quotes of the row of these lines: one that nobody closed makes one row of all that follow,
    or of those up to the next quote, behind which something other than a comma stands."""
    if first == last:
        return ""
    try:
        list(csv.reader(lines[first - 1 : last], strict=True))
    except csv.Error:
        end = "never closed" if last == len(lines) else "not closed"
        return f"lines {first} to {last} are one row of {n_cells} cells: a double quote is {end}"
    return ""


def _to_utf8(encoding: str, path: Path) -> str:
    return f"save it as UTF-8: iconv -f {encoding} -t UTF-8 {path.name} > new.csv"
