"""Label files in CSV: a header, then a row per image, with columns for image and targets, maybe group and split."""

import csv
import io
from pathlib import Path

from lacuna.config.blocks import Data
from lacuna.data.labels.sources.label_file import Dropped, LabelFile, Row, read_text
from lacuna.errors import LacunaError


def read_table(data: Data) -> LabelFile:
    """Read the columns of `data.labels` that `data` names.

    Rows with another number of cells than the header (a comma without quotes) are kept apart with their lines. Raises
    LacunaError when a column is missing, or when more than `data.max_rejected` of the lines would be lost so.
    """
    path = Path(data.labels)
    reader = csv.reader(io.StringIO(read_text(path), newline=""))
    rows: list[Row] = []
    malformed: list[Dropped] = []
    try:
        header = [name.strip() for name in next(reader)]
        columns = {name: _column(path, header, name, key) for name, key in _wanted(data)}
        line = reader.line_num + 1
        for cells in reader:
            if len(cells) == len(header):
                cell = {name: cells[column].strip() for name, column in columns.items()}
                labels = tuple(cell[name] for name in data.targets)
                group = cell.get(data.group_column, "")
                split = cell.get(data.split_column, "")
                rows.append(Row(line, cell[data.image_column], labels, group, split))
            elif cells:
                malformed += _malformed(cells, len(header), range(line, reader.line_num + 1))
            line = reader.line_num + 1
    except csv.Error as error:
        raise LacunaError(f"{path}:{reader.line_num}: not valid CSV: {error}") from None
    if len(malformed) > data.max_rejected * (len(rows) + len(malformed)):
        raise LacunaError(
            f"{path}:{malformed[0].line}: {len(malformed)} of {len(rows) + len(malformed)} rows don't have the "
            f"header's {len(header)} cells, more than data.max_rejected = {data.max_rejected:g} allows; put "
            "cells that hold commas in double quotes"
        )
    if not rows:
        raise LacunaError(f"{path}: no row below the header, expected one per image")
    return LabelFile(path, dict(data.targets), rows, tuple(malformed))


def _malformed(cells: list[str], n_expected: int, lines: range) -> list[Dropped]:
    """An entry for each line, because a quote that nobody closed makes one row of all that follow."""
    if len(lines) == 1:
        reason = f"{len(cells)} cells, the header has {n_expected}"
    else:
        reason = f"lines {lines[0]} to {lines[-1]} are one row of {len(cells)} cells: a double quote is not closed"
    return [Dropped(line, "", reason) for line in lines]


def _wanted(data: Data) -> list[tuple[str, str]]:
    """The columns to read and the keys of params.yaml that name them."""
    wanted = [(data.image_column, "data.image_column")] + [(name, "data.targets") for name in data.targets]
    if data.group_column:
        wanted.append((data.group_column, "data.group_column"))
    if data.split_column:
        wanted.append((data.split_column, "data.split_column"))
    return wanted


def _column(path: Path, header: list[str], name: str, key: str) -> int:
    if header.count(name) != 1:
        what = "no column" if name not in header else "more than one column"
        raise LacunaError(f"{path}:1: {what} {name!r} ({key}), expected one of {', '.join(map(repr, header))}")
    return header.index(name)
