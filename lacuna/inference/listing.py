"""Listings of images: a text with a name a line, a CSV file or a Parquet file, of any length.

A listing is read once from its beginning to be cut into slices, and each slice again by itself, wherever that is done.
A name is a URL or a path, as seen from the listing's folder.
"""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from lacuna.errors import LacunaError
from lacuna.inference.image_inputs import find_path_column
from lacuna.io.csv_files import BYTE_ORDER_MARK
from lacuna.io.remote_files import open_place

LONGEST_LINE = 100_000
"""In bytes. A file with a longer line is no listing, and would be read into memory as a whole."""

ROWS_OF_A_BATCH = 65_536

PlacedNames = Iterator[tuple[str, int]]
"""Each name with the position behind it: in bytes, in rows of a Parquet file."""


@dataclass(frozen=True)
class ListingSlice:
    """So many names of a listing in a row, from a position on: in bytes, in rows of a Parquet file."""

    listing: str
    column: int
    start: int
    n_names: int

    def read(self) -> list[str]:
        """The names. Raises LacunaError for a listing that is not what it was."""
        with _opened(self.listing) as file:
            found = islice(_read_names(self.listing)(file, self.column, self.start), self.n_names)
            return [name for name, _ in found]


def cut_listing(listing: str, column: str | None, n_names: int) -> Iterator[tuple[ListingSlice, list[str]]]:
    """Yield slices of so many names, of which the last may have fewer, and their names. Empty ones are left out.

    column: of a CSV or Parquet file; without it the first of `PATH_COLUMNS` that is there. Raises LacunaError for a
    listing that is missing, empty or no text in UTF-8.
    """
    with _opened(listing) as file:
        place = _find_column(file, listing, column)
        names, start = _read_names(listing)(file, place, 0), 0
        while found := list(islice(names, n_names)):
            yield ListingSlice(listing, place, start, len(found)), [name for name, _ in found]
            start = found[-1][1]
    if not start:
        raise LacunaError(f"{listing}: no name in this listing")


@contextmanager
def _opened(listing: str) -> Iterator[BinaryIO]:
    try:
        with open_place(listing) as file:
            try:
                yield file
            except (ValueError, csv.Error) as error:  # pyarrow's errors and UnicodeDecodeError are ValueErrors
                what = listing.rpartition(".")[2] if _read_names(listing) is not _in_lines else "text"
                raise LacunaError(f"{listing}: not a listing: no {what} file in UTF-8 ({error})") from None
    except FileNotFoundError:
        raise LacunaError(f"{listing}: no such file") from None


def _in_lines(file: BinaryIO, _: int, start: int) -> PlacedNames:
    return ((name, at) for line, at in _lines(file, start) if (name := line.rstrip("\r\n")))


def _in_csv(file: BinaryIO, column: int, start: int) -> PlacedNames:
    at = start

    def lines() -> Iterator[str]:
        nonlocal at
        for line, at in _lines(file, start):  # noqa: B007, the position is read below
            yield line

    rows = csv.reader(lines())
    if start == 0:
        next(rows)
    for row in rows:
        if len(row) > column and row[column]:
            yield row[column], at


def _lines(file: BinaryIO, start: int) -> Iterator[tuple[str, int]]:
    at = file.seek(start)
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise ValueError(f"a line of more than {LONGEST_LINE} bytes")
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            shown = line.decode(errors="backslashreplace").strip()[:80]
            raise ValueError(f"the line from byte {at} on, {shown!r}: {error.reason}") from None
        yield (text if at else text.lstrip(BYTE_ORDER_MARK)), (at := at + len(line))


def _in_parquet(file: BinaryIO, column: int, start: int) -> PlacedNames:
    from pyarrow import parquet, string

    table = parquet.ParquetFile(file)
    name, at = table.schema_arrow.names[column], 0
    for group in range(table.num_row_groups):
        n_rows = table.metadata.row_group(group).num_rows
        if at + n_rows <= start:
            at += n_rows
            continue
        for batch in table.iter_batches(ROWS_OF_A_BATCH, row_groups=[group], columns=[name]):
            skipped = min(max(start - at, 0), len(batch))
            at += skipped
            for cell in batch.column(0)[skipped:].cast(string()).to_pylist():
                at += 1
                if cell:
                    yield cell, at


def _read_names(listing: str) -> Callable[[BinaryIO, int, int], PlacedNames]:
    """What reads names from a position of a listing on, by the end of the listing's name."""
    return {"csv": _in_csv, "parquet": _in_parquet}.get(listing.rpartition(".")[2].lower(), _in_lines)


def _find_column(file: BinaryIO, listing: str, column: str | None) -> int:
    read = _read_names(listing)
    if read is _in_csv:
        header = next(csv.reader(line for line, _ in _lines(file, 0)), [])
    elif read is _in_parquet:
        from pyarrow import parquet, types

        schema = parquet.read_schema(file)
        header = schema.names
    elif column is not None:
        raise LacunaError(f"{listing}: a text with a name a line has no columns: leave out --column {column}")
    else:
        return 0
    place = find_path_column(listing, header, column)
    if read is _in_parquet and types.is_nested(kind := schema.field(place).type):  # as tables of images have it
        raise LacunaError(f"{listing}: expected text in column {header[place]}, received {kind}; name another --column")
    return place
