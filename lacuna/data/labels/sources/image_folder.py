"""Hugging Face's ImageFolder: images with a metadata.csv or metadata.jsonl in their folder, or in each split's."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lacuna.config.data import Data
from lacuna.core.manifest import SPLIT_WORDS
from lacuna.data.labels.annotations.annotation_files import (
    as_object,
    as_text,
    describe_value,
    find_repeated,
    read_text_lines,
)
from lacuna.data.labels.annotations.json_items import decode_json
from lacuna.data.labels.label_table import LabelRow, LabelTable
from lacuna.errors import LacunaError
from lacuna.io.names import listed, shortened
from lacuna.io.plurals import number_of

_EXPECTED = "a metadata.csv or metadata.jsonl with file_name"

_NAMES = ("metadata.csv", "metadata.jsonl")

_IMAGE = "file_name"

_Cells = Mapping[str, object]


def read_image_folder(data: Data, _: Sequence[str] = ()) -> LabelTable:
    """Read the metadata in the folder `data.labels` and in those in it, or the one file that it names.

    `data.targets` names columns, which all of the files must have, `data.group_column` another. Folders called like
    splits give the split. Raises LacunaError with file and line where the metadata cannot be read.
    """
    root = Path(data.labels)
    files = _find(root)
    root = root if root.is_dir() else root.parent
    if not data.targets:
        first = next(_read(files[0]), None)
        there = [name for name in first[1] if name != _IMAGE] if first else []
        raise LacunaError(
            f"{files[0]}: data.targets must name the columns to learn; there are {listed(there) or 'none'}"
        )
    rows: list[LabelRow] = []
    for file in files:
        place = file.parent.relative_to(root).as_posix()
        folder = "" if place == "." else f"{place}/"
        rows += [_row(data, file, line, cells, folder) for line, cells in _read(file)]
    if not rows:
        raise LacunaError(f"{files[0]}: no row, expected one for each image")
    if not all(row.split for row in rows):  # a folder called test beside others is one of the user's
        rows = [row._replace(split="") for row in rows]
    return LabelTable.of_rows(files[0] if len(files) == 1 else root, data.target_kinds, rows)


def _row(data: Data, file: Path, line: int, cells: _Cells, folder: str) -> LabelRow:
    place = f"{file}:{line}"
    for name in (_IMAGE, *data.targets, *filter(None, [data.group_column])):
        if name not in cells:
            raise LacunaError(f"{place}: no {shortened(name)}; there are {listed(list(cells)) or 'no columns'}")
    image = folder + as_text(cells[_IMAGE], place, _IMAGE).removeprefix("./")
    labels = tuple(_word(cells[name], kind == "binary", place, name) for name, kind in data.kinds.items())
    group = _word(cells[data.group_column], False, place, data.group_column) if data.group_column else ""
    top = image.split("/")[0].lower() if "/" in image else ""
    return LabelRow(line, image, labels, group, SPLIT_WORDS.get(top, ""))


def _word(value: object, is_binary: bool, place: str, name: str) -> str:
    """The cell as a word: a truth of JSON is present or absent for a binary target, null is unknown."""
    match value:
        case None:
            return ""
        case bool():
            return ("present" if value else "absent") if is_binary else str(value).lower()
        case int() | float():
            return str(value)
        case str():
            return as_text(value, place, name)
    raise LacunaError(
        f"{place}: {shortened(name)} is {describe_value(value)}, expected a text, number, true, false or null"
    )


def _find(root: Path) -> list[Path]:
    if root.is_file():
        return [root]
    folders = [root, *sorted(folder for folder in root.glob("*") if folder.is_dir())]
    found = []
    for folder in folders:
        here = [folder / name for name in _NAMES if (folder / name).is_file()]
        if len(here) > 1:
            raise LacunaError(f"{folder}: both {' and '.join(_NAMES)}; expected one of them")
        found += here
    if not found:
        raise LacunaError(f"{root}: no such file or folder with metadata in data.labels; expected {_EXPECTED}")
    return found


def _read(file: Path) -> Iterator[tuple[int, _Cells]]:
    return _read_json_lines(file) if file.suffix.lower() == ".jsonl" else _read_csv(file)


def _read_json_lines(file: Path) -> Iterator[tuple[int, _Cells]]:
    for number, line in enumerate(read_text_lines(file, _EXPECTED), start=1):
        if line.strip():
            place = f"{file}:{number}"
            yield number, as_object(decode_json(line, place), place, "a line")


def _read_csv(file: Path) -> Iterator[tuple[int, _Cells]]:
    reader = csv.reader(read_text_lines(file, _EXPECTED), strict=True)
    line = 1
    header: list[str] = []
    try:
        for cells in reader:
            if not header:
                header = [cell.strip() for cell in cells]
                if twice := find_repeated(header):
                    raise LacunaError(f"{file}:1: more than one column {shortened(twice)}")
            elif cells:
                if len(cells) != len(header):
                    raise LacunaError(
                        f"{file}:{line}: {number_of(len(cells), 'cell')}, the header has {len(header)}; is it cut off?"
                    )
                yield line, dict(zip(header, cells, strict=True))
            line = reader.line_num + 1
    except csv.Error as error:
        raise LacunaError(f"{file}:{line}: not valid CSV: {error}") from None
