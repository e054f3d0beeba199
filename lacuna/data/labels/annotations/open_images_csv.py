"""The CSV files of Open Images, read in columns: millions of rows of image, label and confidence."""

import codecs
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from lacuna.data.labels.annotations.annotation_files import describe_text, read_bytes, read_pieces, read_text_lines
from lacuna.data.labels.label_table import WordColumn
from lacuna.errors import LacunaError
from lacuna.io.names import listed, shortened
from lacuna.io.plurals import number_of

_EXPECTED = "rows as Open Images has them (a CSV with the columns ImageID, LabelName and Confidence)"

_COLUMNS = ("ImageID", "LabelName", "Confidence")

_MACHINE = "machine"
"""The `Source` of labels that a model predicted."""


@dataclass(frozen=True)
class Verdicts:
    """Verified labels, `(n,)` each: of an image and a label, whether it is there, and the line that says so."""

    image: WordColumn
    label: WordColumn
    is_present: NDArray[np.bool_]
    line: NDArray[np.int64]
    notes: tuple[str, ...]


def read_verdicts(path: Path) -> Verdicts:
    """The rows of a file that people verified.

    Raises LacunaError with the line of the first row that has other cells than the header or a confidence that is no
    number from 0 to 1, and when no row is left.
    """
    if next(read_bytes(path, _EXPECTED)).startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise LacunaError(
            f"{path}: UTF-16 text, expected UTF-8; save it so: iconv -f UTF-16 -t UTF-8 {path.name} > new.csv"
        )
    start = next((piece[:4000] for piece in read_pieces(path, _EXPECTED)), "")
    header = [name.strip() for name in next(csv.reader([start.split("\n")[0]]), [])]
    if missing := [name for name in _COLUMNS if header.count(name) != 1]:
        what = "more than one column" if missing[0] in header else "no column"
        raise LacunaError(f"{path}: {what} {missing[0]}, this is {describe_text(start)}; expected {_EXPECTED}")
    rows = _read_columns(path, header)
    line = np.arange(2, len(rows) + 2)
    confidence = _confidences(path, rows["Confidence"])
    is_machine = np.zeros(len(rows), dtype=np.bool_)
    if "Source" in header:
        is_machine = pc.equal(pc.utf8_trim_whitespace(rows["Source"]), _MACHINE).to_numpy(zero_copy_only=False)
    is_verified = ((confidence == 0) | (confidence == 1)) & ~is_machine
    notes = []
    if n_left_out := int((~is_verified).sum()):
        notes.append(f"{n_left_out} of {len(rows)} rows are a model's predictions, not verified, and are left out")
    if not is_verified.any():
        raise LacunaError(f"{path}: none of its {number_of(len(rows), 'row')} is verified, with a confidence of 0 or 1")
    kept = rows.filter(pa.array(is_verified))
    image, label = (_column(path, kept[name], name, line[is_verified]) for name in ("ImageID", "LabelName"))
    return Verdicts(image, label, confidence[is_verified] == 1, line[is_verified], tuple(notes))


def _column(path: Path, cells: Any, name: str, line: NDArray[np.int64]) -> WordColumn:
    column = WordColumn.of(cells)
    if "" in column.words:
        empty = line[column.code == column.words.index("")][0]
        raise LacunaError(f"{path}:{empty}: {name} is empty")
    return column


def _read_columns(path: Path, header: list[str]) -> Any:
    wanted = [name for name in (*_COLUMNS, "Source") if name in header]
    wrong = []

    def refuse(row: Any) -> str:
        wrong.append(row)
        return "error"

    try:
        return pyarrow.csv.read_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(use_threads=False, column_names=header, skip_rows=1),
            parse_options=pyarrow.csv.ParseOptions(invalid_row_handler=refuse, ignore_empty_lines=False),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        if wrong:
            at = f"{path}:{wrong[0].number}" if wrong[0].number else str(path)
            raise LacunaError(
                f"{at}: {number_of(wrong[0].actual_columns, 'cell')}, the header has {wrong[0].expected_columns}: "
                f"{shortened(wrong[0].text)}; is it cut off?"
            ) from None
        for _ in read_pieces(path, _EXPECTED):  # names the line where it is no UTF-8
            pass
        raise LacunaError(
            f"{path}: not a CSV in UTF-8 that can be read: {shortened(str(error))}; expected {_EXPECTED}"
        ) from None


def _confidences(path: Path, cells: Any) -> NDArray[np.float64]:
    column = WordColumn.of(cells)
    values = np.array([_confidence(word) for word in column.words])[column.code] if len(column) else np.empty(0)
    if (wrong := np.flatnonzero(np.isnan(values))).size:
        word = column[int(wrong[0])]
        raise LacunaError(f"{path}:{wrong[0] + 2}: the Confidence {shortened(word)} is no number from 0 to 1")
    return values


def _confidence(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        return np.nan
    return value if 0 <= value <= 1 else np.nan


def read_class_descriptions(folder: Path) -> dict[str, str]:
    """What labels are called by the files `*class-descriptions*.csv` in the folder; the first that says it counts.

    Raises LacunaError with the line of a row that is not a label and its name.
    """
    called: dict[str, str] = {}
    for path in sorted(folder.glob("*class-descriptions*.csv")):
        reader = csv.reader(read_text_lines(path, "rows of a label and its name"))
        try:
            for cells in reader:
                if len(cells) != 2:
                    raise LacunaError(
                        f"{path}:{reader.line_num}: expected a label and its name, received {listed(cells)}"
                    )
                if cells != ["LabelName", "DisplayName"]:
                    called.setdefault(cells[0].strip(), cells[1].strip() or cells[0].strip())
        except csv.Error as error:
            raise LacunaError(f"{path}:{reader.line_num}: not valid CSV: {error}") from None
    return called
