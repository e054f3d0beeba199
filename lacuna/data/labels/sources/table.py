"""Tables: a row per image, with columns for image and targets, maybe group and split. One file, or a folder of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lacuna.config.data import Data
from lacuna.core.targets import Kind
from lacuna.data.labels.folder_rows import spread_folders
from lacuna.data.labels.label_table import LabelTable, WordColumn
from lacuna.data.labels.match_images import ImageFinder
from lacuna.data.labels.part_files import find_near, parts_of_files
from lacuna.data.labels.tables.open_table import TABLE_SUFFIXES, bare_suffix, open_table
from lacuna.data.labels.tables.table_file import Malformed, TableFile
from lacuna.data.labels.tags import split_tags, unite_rows
from lacuna.errors import LacunaError
from lacuna.io.names import first_few, listed
from lacuna.io.plurals import number_of


def read_table(data: Data, images: Sequence[str]) -> LabelTable:
    """Read the columns that `data` names, of the file or of the tables in the folder `data.labels`.

    In a folder, tables without these columns are left out by name, images are found beside their table first, and the
    folders are the split where all are called like parts; of files that are called so, as train.csv and test.csv, these
    alone are read. Rows with another number of cells than the header (a comma
    without quotes), or with a double quote that is not closed, are kept apart with their lines. Raises LacunaError when
    a column is missing, or when more than `data.max_rejected` of the lines would be lost so.
    """
    path = Path(data.labels)
    files, notes = _open_tables(path, data) if path.is_dir() else ([open_table(path, data)], [])
    tables = [_read_file(file, data) for file in files]
    if path.is_dir():
        tables = _placed(path, tables, data, images)
    table = LabelTable.joined(path, tables)
    if not len(table):
        raise LacunaError(f"{path}: no row below the header, expected one per image")
    table = spread_folders(table, images, groups=not data.group_column)
    labels: dict[str, WordColumn] = {}
    targets: dict[str, Kind] = {}
    for name, kind in data.kinds.items():
        new = {name: table.labels[name]}
        if kind == "tags":
            unknown = data.column(name).unknown or ()
            together, n_differ = unite_rows(new[name], table.image, data.tags, unknown)
            if n_differ:
                n = number_of(n_differ, "image has", "images have")
                notes.append(f"{name}: {n} rows that list different tags, which are put together")
            new, said = split_tags(name, together, data.tags, unknown, data.min_class_count)
            notes += said
        if both := set(new) & set(labels):
            raise LacunaError(f"data.targets: {listed(sorted(both))} is a tag of {name} and a target as well")
        labels |= new
        targets |= dict.fromkeys(new, "binary" if kind == "tags" else kind)
    return replace(table, targets=targets, labels=labels, notes=tuple(notes))


def check_header(data: Data) -> None:
    """Raise LacunaError when a column that `data` names is not in the table; in a folder, in none of the tables."""
    path = Path(data.labels)
    if path.is_dir():
        _open_tables(path, data)
    else:
        _find_columns(open_table(path, data), data)


def find_tables(folder: Path) -> Iterator[Path]:
    """The tables in a folder and below, but for hidden ones, in alphabetical order."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and bare_suffix(path) in TABLE_SUFFIXES and path.is_file():
            yield path


def _open_tables(folder: Path, data: Data) -> tuple[list[TableFile], list[str]]:
    """The tables with the wanted columns, and which others are left out."""
    opened: list[TableFile] = []
    others: list[str] = []
    reason = f"{folder}: no table in this folder (data.labels), expected one of {', '.join(sorted(TABLE_SUFFIXES))}"
    for path in find_tables(folder):
        try:
            file = open_table(path, data)
            _find_columns(file, data)
        except LacunaError as error:
            reason = str(error) if not others else reason
            others.append(path.relative_to(folder).as_posix())
        else:
            opened.append(file)
    if not opened:
        raise LacunaError(reason)
    notes = [f"{number_of(len(others), 'table')} without the columns, left out: {first_few(others)}"] * bool(others)
    if parts := parts_of_files(folder, [file.path for file in opened]):
        beside = [file.path.relative_to(folder).as_posix() for file in opened if file.path not in parts]
        opened = [file for file in opened if file.path in parts]
        read = listed([file.path.relative_to(folder).as_posix() for file in opened])
        notes += [f"{read} are the parts; left out beside them: {first_few(beside)}"] * bool(beside)
    return opened, notes


def _wanted(data: Data) -> list[tuple[str, str]]:
    """The columns to read and the keys of params.yaml that name them: images, targets, group, split."""
    wanted = [(name, "data.image_column") for name in data.image_columns]
    wanted += [(column, "data.targets") for name in data.targets for column in _target_columns(data, name)]
    wanted += [(data.group_column, "data.group_column")] * bool(data.group_column)
    return wanted + [(data.split_column, "data.split_column")] * bool(data.split_column)


def _target_columns(data: Data, name: str) -> tuple[str, ...]:
    column = data.column(name).column
    return (column,) if isinstance(column, str) else column


def _find_columns(file: TableFile, data: Data) -> dict[str, int]:
    n_called = Counter(file.header)
    place_of = {name: place for place, name in enumerate(file.header)}
    places = {}
    for name, key in _wanted(data):
        if n_called[name] != 1:
            what = "more than one column" if n_called[name] else "no column"
            raise LacunaError(f"{file.path}:1: {what} {name!r} ({key}), expected one of {listed(file.header)}")
        places[name] = place_of[name]
    return places


def _read_file(file: TableFile, data: Data) -> LabelTable:
    places = _find_columns(file, data)
    columns, line, malformed = file.read(list(places.values()))
    _check_losses(file, len(line), malformed, data.max_rejected)
    cell = dict(zip(places, columns, strict=True))
    n_rows = len(line)
    nothing = WordColumn.constant("", n_rows)
    labels = {}
    for name in data.targets:
        of_target = [cell[column] for column in _target_columns(data, name)]
        labels[name] = of_target[0] if len(of_target) == 1 else _one_hot(name, of_target, data)
    group = cell[data.group_column] if data.group_column else nothing
    if len(data.image_columns) > 1 and not data.group_column:  # the images of a row belong together
        group = WordColumn.of([f"{file.path}:{row}" for row in range(n_rows)])
    lost = tuple(dropped for one in malformed for dropped in one.lines)
    split = cell[data.split_column] if data.split_column else nothing  # "" may be the name of the image column
    source = WordColumn.constant(str(file.path), n_rows)
    whole = [
        LabelTable(file.path, {}, cell[image], labels, group, split, line, source, lost if place == 0 else ())
        for place, image in enumerate(data.image_columns)
    ]
    if len(whole) == 1:
        return whole[0]
    named = [np.flatnonzero(np.array([bool(w) for w in table.image.words])[table.image.code]) for table in whole]
    return LabelTable.joined(file.path, [table.take(rows) for table, rows in zip(whole, named, strict=True)])


def _one_hot(name: str, columns: Sequence[WordColumn], data: Data) -> WordColumn:
    """One categorical column of a block of columns of which one says present: its name is the class.

    A row in which none or several do is unknown. Raises LacunaError at a word that is none of a binary target.
    """
    target = data.column(name)
    names = _target_columns(data, name)
    present = set(target.positive or ())
    known = {*present, *(target.negative or ()), *(target.unknown or ()), ""}
    said = []
    for column_name, column in zip(names, columns, strict=True):
        if wrong := [word for word in column.words if word not in known]:
            raise LacunaError(
                f"data.targets.{name}: column {column_name!r} holds {listed(wrong)}, expected words of positive, "
                "negative and unknown"
            )
        said.append(np.array([word in present for word in column.words], dtype=bool)[column.code])
    which = np.stack(said)
    one = which.sum(axis=0) == 1
    return WordColumn(np.where(one, which.argmax(axis=0), len(names)).astype(np.int32), (*names, ""))


def _placed(root: Path, tables: list[LabelTable], data: Data, images: Sequence[str]) -> list[LabelTable]:
    """Images found beside their table or in the folder of its part, and the split that the tables' places give."""
    parts = parts_of_files(root, [table.path for table in tables])
    finder = ImageFinder(images)
    placed = []
    for table in tables:
        part = parts.get(table.path)
        image = find_near(table.image, table.path.relative_to(root).parent, part, finder, images)
        split = WordColumn.constant(part, len(table)) if part and not data.split_column else table.split
        placed.append(replace(table, image=image, split=split))
    return placed


def _check_losses(file: TableFile, n_rows: int, malformed: Sequence[Malformed], max_rejected: float) -> None:
    n_lost = sum(len(one.lines) for one in malformed)
    if n_lost <= max_rejected * (n_rows + n_lost):
        return
    lost = f"{n_lost} of {n_rows + n_lost} rows"
    allowed = f"more than data.max_rejected = {max_rejected:g} allows"
    for one in malformed:
        if one.is_open:
            raise LacunaError(f"{file.path}:{one.lines[0].line}: {one.lines[0].reason}; {lost} are lost, {allowed}")
    raise LacunaError(
        f"{file.path}:{malformed[0].lines[0].line}: {lost} lack the header's {len(file.header)} cells, {allowed}; "
        "put cells that hold commas in double quotes"
    )
