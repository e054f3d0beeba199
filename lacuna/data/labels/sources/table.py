"""Label files in CSV: a header, then a row per image, with columns for image and targets, maybe group and split."""

from collections.abc import Sequence
from pathlib import Path

from lacuna.config.blocks import Data
from lacuna.data.labels.sources.label_file import Dropped, LabelFile, LabelRow, read_records, read_text
from lacuna.errors import LacunaError


def read_table(data: Data, _: Sequence[str] = ()) -> LabelFile:
    """Read the columns of `data.labels` that `data` names.

    Rows with another number of cells than the header (a comma without quotes), or with a double quote that is not
    closed, are kept apart with their lines. Raises LacunaError when a column is missing, or when more than
    `data.max_rejected` of the lines would be lost so.
    """
    path = Path(data.labels)
    records = read_records(path, read_text(path))
    top = next(records)
    if top.flaw:
        raise LacunaError(f"{path}:1: {top.flaw}")
    header = [name.strip() for name in top.cells]
    columns = {name: _column(path, header, name, key) for name, key in _wanted(data)}
    rows: list[LabelRow] = []
    malformed: list[Dropped] = []
    open_quotes: list[Dropped] = []
    for lines, cells, flaw in records:
        if cells and (flaw or len(cells) != len(header)):
            reason = flaw or f"{len(cells)} cells, the header has {len(header)}"
            malformed += [Dropped(line, "", reason) for line in lines]
            open_quotes += malformed[-len(lines) :] if flaw else []
        elif cells:
            cell = {name: cells[column].strip() for name, column in columns.items()}
            labels = tuple(cell[name] for name in data.targets)
            group = cell.get(data.group_column, "")
            split = cell.get(data.split_column, "")
            rows.append(LabelRow(lines[0], cell[data.image_column], labels, group, split))
    if len(malformed) > data.max_rejected * (len(rows) + len(malformed)):
        lost = f"{len(malformed)} of {len(rows) + len(malformed)} rows"
        allowed = f"more than data.max_rejected = {data.max_rejected:g} allows"
        if open_quotes:
            raise LacunaError(f"{path}:{open_quotes[0].line}: {open_quotes[0].reason}; {lost} are lost, {allowed}")
        raise LacunaError(
            f"{path}:{malformed[0].line}: {lost} don't have the header's {len(header)} cells, {allowed}; put cells "
            "that hold commas in double quotes"
        )
    if not rows:
        raise LacunaError(f"{path}: no row below the header, expected one per image")
    return LabelFile(path, dict(data.targets), rows, tuple(malformed))


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
