"""The images that a command line names: files, folders, patterns, CSV files of paths, and standard input."""

import csv
import glob
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from lacuna.data.images.find import describe_left_out, find_files
from lacuna.errors import LacunaError
from lacuna.io.csv_files import skip_byte_order_marks
from lacuna.io.spreadsheets import unescaped

STANDARD_INPUT = "-"
PATH_COLUMNS = ("image", "path", "file", "filename")
"""The columns that hold the paths in a CSV file, by the first that is there, unless another one is named."""


def find_images(arguments: Sequence[str], column: str | None = None) -> Iterator[Path]:
    """Yield the images that the arguments name, one after another; only one folder's names are in memory at a time.

    A folder stands for the images in it and below, found as for training (`find_files`). A pattern (`*.jpg`,
    `**/*.png`) stands for what it matches. A `.csv` file lists paths in `column`, relative to itself; "-" reads a path
    per line from standard input. Any other argument is taken for an image, there or not.

    Raises LacunaError when a folder or pattern has no image, or a CSV file no column of paths.
    """
    for argument in arguments:
        path = Path(argument)
        if argument == STANDARD_INPUT:
            yield from (Path(line) for line in map(str.rstrip, skip_byte_order_marks(sys.stdin)) if line)
        elif path.is_dir():
            yield from _in_folder(path)
        elif glob.has_magic(argument) and not path.exists():
            found = map(Path, sorted(glob.glob(argument, recursive=True)))  # noqa: PTH207, Path.glob needs a root
            yield from _some((path for path in found if path.is_file()), f"{argument}: no file matches this pattern")
        elif path.suffix.lower() == ".csv":
            yield from _some(_in_table(path, column), f"{path}: no path in this file")
        else:
            yield path


def count_images(arguments: Sequence[str], column: str | None = None) -> int | None:
    """How many images the arguments name; None with standard input, which can be read only once."""
    return None if STANDARD_INPUT in arguments else sum(1 for _ in find_images(arguments, column))


def find_path_column(table: str, header: Sequence[str], column: str | None) -> int:
    """Which column of a table holds the paths: the one that is asked for, or the first of PATH_COLUMNS that is there.

    table: its name, for messages. Raises LacunaError when there is none.
    """
    wanted = [column] if column is not None else list(PATH_COLUMNS)
    place = next((header.index(name) for name in wanted if name in header), None)
    if place is None:
        found = ", ".join(header) or "an empty file"
        raise LacunaError(
            f"{table}: expected a column {' or '.join(wanted)}, received {found}; "
            "name the column of paths with --column"
        )
    return place


def _some(paths: Iterator[Path], otherwise: str) -> Iterator[Path]:
    first = next(paths, None)
    if first is None:
        raise LacunaError(otherwise)
    yield first
    yield from paths


def _in_folder(folder: Path) -> Iterator[Path]:
    others = []
    is_empty = True
    for path, is_image in find_files(folder):
        if is_image:
            is_empty = False
            yield path
        elif is_empty:
            others.append(path)
    if is_empty:
        raise LacunaError("; ".join([f"{folder}: no image in this folder", *describe_left_out(others)]))


def _in_table(path: Path, column: str | None) -> Iterator[Path]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(skip_byte_order_marks(file))
            header = next(rows, [])
            place = find_path_column(str(path), header, column)
            for row in rows:
                if len(row) > place and row[place]:
                    yield _listed(path.parent, row[place])
    except (UnicodeDecodeError, csv.Error) as error:
        raise LacunaError(f"{path}: not a CSV file in UTF-8 ({error})") from None


def _listed(folder: Path, cell: str) -> Path:
    """The image that a cell names. Lacuna's own lists have an apostrophe before the sign of a formula."""
    named, plain = folder / cell, folder / unescaped(cell)
    return plain if plain.exists() else named
