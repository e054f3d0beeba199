"""Parquet files, of which only the columns that are asked for are read."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lacuna.data.labels.label_table import WordColumn, to_arrow
from lacuna.data.labels.tables.table_file import Columns, TableFile, text_of
from lacuna.data.labels.tables.text_file import MOST_FILE_BYTES
from lacuna.errors import LacunaError
from lacuna.io.names import shortened

PARQUET_MARK = b"PAR1"


def open_parquet(path: Path) -> TableFile:
    """Read the names of the columns. Raises LacunaError at a damaged file, `read` at columns of bytes."""
    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        size = sum(file.metadata.row_group(group).total_byte_size for group in range(file.metadata.num_row_groups))
    except (pa.ArrowException, OSError) as error:
        raise LacunaError(f"{path}: a Parquet file that cannot be read: {str(error)[:200]}") from None
    if size > MOST_FILE_BYTES:
        raise LacunaError(f"{path}: unpacks to more than {MOST_FILE_BYTES / 2**30:g} GiB, too large for a label file")

    def text(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        kind = column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            return column.cast(pa.large_string())
        if pa.types.is_struct(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            raise LacunaError(f"{path}: column {shortened(name)} holds {kind}, expected text, numbers or lists"[:400])
        if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
            return pc.cast(column, pa.large_string())
        pieces = [to_arrow([text_of(cell) for cell in chunk.to_pylist()]) for chunk in column.chunks]
        return pa.chunked_array(pieces, type=pa.large_string())

    def read(places: Sequence[int]) -> Columns:
        try:
            columns = [
                WordColumn.of(text(file.read(columns=[names[place]]).column(0), names[place])) for place in places
            ]
        except (pa.ArrowException, OSError) as error:
            raise LacunaError(f"{path}: a Parquet file that cannot be read: {str(error)[:200]}") from None
        return Columns(columns, np.zeros(file.metadata.num_rows, dtype=np.int64), [])

    return TableFile(path, [name.strip() for name in names], read)
