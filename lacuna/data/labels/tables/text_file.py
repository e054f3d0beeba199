"""Label files that are text: how it is decoded, and the rows of a table in it."""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lacuna.data.labels.file_kinds import kind_of_file
from lacuna.errors import LacunaError
from lacuna.io.csv_files import BYTE_ORDER_MARK
from lacuna.io.plurals import number_of

MOST_FILE_BYTES = 4 * 2**30
"""Of a label file, unpacked: a hundred million rows of a name and a few labels."""

CHUNK = 1 << 20
"""Bytes that are read at a time."""

GZIP_MARK = b"\x1f\x8b"
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Record(NamedTuple):
    """A row of a table: its lines, its cells, and what is wrong with its quotes, "" for nothing."""

    lines: range
    cells: list[str]
    flaw: str


def unpacked_pieces(path: Path, expected: str, key: str = "data.labels") -> Iterator[bytes]:
    """The file's content in pieces of CHUNK bytes, unpacked where it is gzipped.

    `expected` says in messages what the file should be, `key` which parameter names it. Raises LacunaError when it is
    missing, a folder, or a gzip file that is damaged.
    """
    try:
        with path.open("rb") as raw:
            is_packed = raw.read(len(GZIP_MARK)) == GZIP_MARK
            raw.seek(0)
            file = gzip.GzipFile(fileobj=raw) if is_packed else raw
            while piece := file.read(CHUNK):
                yield piece
    except FileNotFoundError:
        raise LacunaError(f"{path}: no such file; {key} must name {expected}") from None
    except IsADirectoryError:
        raise LacunaError(f"{path}: a folder; {key} must name {expected}") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise LacunaError(f"{path}: a gzip file that is damaged or cut off: {error}") from None


def read_unpacked(path: Path, key: str = "data.labels") -> bytes:
    """The file's content, unpacked where it is gzipped. Raises LacunaError when it is missing, empty or too large."""
    whole = io.BytesIO()
    for piece in unpacked_pieces(path, "the label file", key):
        if whole.tell() + len(piece) > MOST_FILE_BYTES:
            raise LacunaError(f"{path}: more than {MOST_FILE_BYTES / 2**30:g} GiB, too large for a label file")
        whole.write(piece)
    content = whole.getvalue()
    if not content.strip():
        raise LacunaError(f"{path}: the label file is empty, expected a line per image")
    return content


def read_text(path: Path, key: str = "data.labels", encoding: str = "utf-8") -> str:
    """The file's text without byte order marks: files that were put together have several.

    A byte order mark tells UTF-8 or UTF-16, whatever `encoding` says. Raises LacunaError when the file is missing,
    empty or not text of this encoding.
    """
    content = read_unpacked(path, key)
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), encoding)
    if kind := kind_of_file(content[:16]):
        raise LacunaError(f"{path}: this is {kind}; expected text: data.source says in which format the labels are")
    try:
        text = content.decode(encoding).lstrip(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise LacunaError(
            f"{path}:{line}: not {encoding.upper()} text (byte 0x{content[error.start]:02x}); data.encoding must name "
            "its encoding: that of older programs is often cp1252, for example"
        ) from None
    if not text.strip():
        raise LacunaError(f"{path}: the label file is empty, expected a line per image")
    return text


def read_records(path: Path, text: str, delimiter: str = ",", first: int = 1) -> Iterator[Record]:
    """The rows of a table that a person or another program wrote, its header among them.

    `first`: the number of the text's first line in the file. Raises LacunaError with file and line where what follows
    cannot be read at all.
    """
    raw: list[str] = []

    def lines() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            raw.append(line)
            yield line

    reader = csv.reader(lines(), delimiter=delimiter)
    read = 0
    while True:
        begin = first + read
        try:
            cells = next(reader, None)
        except csv.Error as error:
            if reader.line_num > read + 1:
                raise LacunaError(f"{path}:{begin}: a double quote that is never closed: {error}") from None
            raise LacunaError(f"{path}:{begin}: not valid CSV: {error}") from None
        if cells is None:
            return
        read = reader.line_num
        numbers = range(begin, first + read)
        yield Record(numbers, cells, _find_flaw(raw, numbers, len(cells), text, delimiter) if len(raw) > 1 else "")
        raw.clear()


def _find_flaw(raw: list[str], numbers: range, n_cells: int, text: str, delimiter: str) -> str:
    """What is wrong with the quotes of a row of these lines: one that nobody closed makes one row of all that follow,
    or of those up to the next quote, behind which something other than a delimiter stands."""
    try:
        list(csv.reader(raw, delimiter=delimiter, strict=True))
    except csv.Error:
        end = "never closed" if text.endswith("".join(raw)) else "not closed"
        cells = number_of(n_cells, "cell")
        return f"lines {numbers[0]} to {numbers[-1]} are one row of {cells}: a double quote is {end}"
    return ""
