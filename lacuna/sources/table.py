"""Label files in CSV: a header, then a row per image, with columns for image and targets, maybe group and split."""

import csv
import io
from pathlib import Path

from lacuna.config import Data
from lacuna.errors import LacunaError
from lacuna.sources.label_file import LabelFile, Row, read_text


def read_table(data: Data) -> LabelFile:
    """Read the columns of `data.labels` that `data` names.

    Rows with another number of cells than the header (a comma without quotes) are skipped and counted. Raises
    LacunaError when a column is missing, or when more than `data.max_rejected` of the rows would be skipped.
    """
    path = Path(data.labels)
    reader = csv.reader(io.StringIO(read_text(path), newline=""))
    rows, skipped = [], []
    try:
        header = [name.strip() for name in next(reader)]
        columns = {name: _column(path, header, name, key) for name, key in _wanted(data)}
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                skipped.append(reader.line_num)
                continue
            cell = {name: cells[column].strip() for name, column in columns.items()}
            labels = tuple(cell[name] for name in data.targets)
            group = cell.get(data.group_column, "")
            split = cell.get(data.split_column, "")
            rows.append(Row(reader.line_num, cell[data.image_column], labels, group, split))
    except csv.Error as error:
        raise LacunaError(f"{path}:{reader.line_num}: not valid CSV: {error}") from None
    if len(skipped) > data.max_rejected * (len(rows) + len(skipped)):
        raise LacunaError(
            f"{path}:{skipped[0]}: {len(skipped)} of {len(rows) + len(skipped)} rows don't have the header's "
            f"{len(header)} cells, more than data.max_rejected = {data.max_rejected:g} allows; "
            "put cells that hold commas in double quotes"
        )
    if not rows:
        raise LacunaError(f"{path}: no row below the header, expected one per image")
    return LabelFile(path, dict(data.targets), rows, len(skipped))


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
