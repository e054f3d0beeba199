"""Large CSV files, column by column: no Python object per cell. What stands in them is as in `csv_files`."""

import csv
from binascii import hexlify, unhexlify
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from lacuna.errors import LacunaError
from lacuna.io.arrow_memory import give_back

Cells: TypeAlias = Sequence[str] | NDArray[Any] | pa.Array
"""A column to write: texts, whole numbers, or bytes (`pa.binary(n)`), which become hexadecimal digits."""

WRITTEN_AT_ONCE = 50_000


def write_csv_columns(path: Path, columns: Mapping[str, Cells]) -> None:
    """Write columns of equal length, two or more, by their names: the same bytes as `write_csv` makes of the rows."""
    with open(path, "wb") as file:
        file.write(_lines([_quoted([name]) for name in columns]))
        for start in range(0, len(next(iter(columns.values()))), WRITTEN_AT_ONCE):
            file.write(_lines([_quoted(cells[start : start + WRITTEN_AT_ONCE]) for cells in columns.values()]))
    give_back()


def _quoted(cells: Cells) -> pa.Array:
    """The cells as they stand in the file. Bytes that are no UTF-8 are escapes."""
    if isinstance(cells, np.ndarray) and cells.dtype.kind not in "iu":
        cells = cells.tolist()
    if not isinstance(cells, pa.Array):
        try:
            cells = pa.array(cells)
        except UnicodeEncodeError:
            cells = pa.array([str(cell).encode("utf-8", "backslashreplace").decode() for cell in cells])
    if not pa.types.is_string(cells.type):
        return (_unpack(cells) if _is_bytes(cells.type) else cells).cast(pa.string())
    needs_quotes = pc.match_substring_regex(cells, '[,"\r\n]')
    if not pc.any(needs_quotes).as_py():
        return cells
    within = pc.binary_join_element_wise('"', pc.replace_substring(cells, '"', '""'), '"', "")
    return pc.if_else(needs_quotes, within, cells)


def _lines(cells: Sequence[pa.Array]) -> pa.Buffer:
    """The text of these rows: in memory the strings of an array stand one behind the other."""
    lines = pc.binary_join_element_wise(pc.binary_join_element_wise(*cells, ","), "", "\n")
    return lines.buffers()[2]


def read_csv_columns(path: Path, types: Mapping[str, pa.DataType], advice: str) -> pa.Table:
    """Read the columns that `types` names. A text stays what it is: `007`, `NA`, and the empty one. Of the type
    `pa.binary(n)` are hexadecimal digits, two for each of n bytes.

    Raises LacunaError, with `advice` on what to do, when a column is missing or a cell is not of its type.
    """
    table = pa.Table.from_batches(_read_pieces(path, types, advice), pa.schema(types.items()))
    give_back()
    return table


def _read_pieces(path: Path, types: Mapping[str, pa.DataType], advice: str) -> Iterator[pa.RecordBatch]:
    """Some ten thousand rows at a time, so that hashes are digits for no longer."""
    header = read_header(path)
    missing = [name for name in types if name not in header]
    if missing:
        raise LacunaError(f"{path}: no column {', '.join(missing)}; {advice}")
    written = {name: pa.binary(2 * kind.byte_width) if _is_bytes(kind) else kind for name, kind in types.items()}
    try:
        pieces = pyarrow.csv.open_csv(
            path,
            pyarrow.csv.ReadOptions(use_threads=False),  # which would hold more of the file in memory
            pyarrow.csv.ParseOptions(newlines_in_values=True),
            pyarrow.csv.ConvertOptions(include_columns=list(types), column_types=written, null_values=[]),
        )
        for piece in pieces:
            cells = [_pack(piece[name]) if _is_bytes(kind) else piece[name] for name, kind in types.items()]
            yield pa.record_batch(cells, list(types))
    except ValueError as error:  # that of Arrow is one
        raise LacunaError(f"{path}: {' '.join(str(error).split())[:200]}; {advice}") from None


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_binary(kind))


def _pack(digits: pa.Array) -> pa.Array:
    return _of_bytes(unhexlify(_bytes(digits)), digits.type.byte_width // 2)


def _unpack(cells: pa.Array) -> pa.Array:
    return _of_bytes(hexlify(_bytes(cells)), 2 * cells.type.byte_width)


def _bytes(cells: pa.Array) -> pa.Buffer:
    width = cells.type.byte_width
    return cells.buffers()[1].slice(cells.offset * width, len(cells) * width)


def _of_bytes(content: bytes, width: int) -> pa.Array:
    return pa.Array.from_buffers(pa.binary(width), len(content) // width, [None, pa.py_buffer(content)])


def read_header(path: Path) -> list[str]:
    """The names of the columns."""
    with open(path, encoding="utf-8", newline="") as file:
        return next(csv.reader(file), [])
