"""What ingest leaves in `data/images`: the pixels of each usable image, and in `files.csv` what it noted of it.

`pixels/`: uint8 `(n_images, size, size, 3)` in shards, as `lacuna.io.sharded_array` reads them. Rows are those of
`files.csv`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lacuna.core.working_image import Origin
from lacuna.io.csv_columns import read_csv_columns, write_csv_columns


class FileInfo(NamedTuple):
    """An image's name and what it was before ingest made it square: the fields of `Origin`."""

    image: str
    format: str
    mode: str
    width: int
    height: int
    bytes: int


_TYPES = {"image": pa.string(), "format": pa.string(), "mode": pa.string()} | dict.fromkeys(
    ("width", "height", "bytes"), pa.int64()
)


def write_files(path: Path, accepted: Mapping[str, Origin], group: NDArray[np.int64], sha256: Sequence[str]) -> None:
    """Write a row per image: its name, its row in the pixels, its group of duplicates `(n,)`, its origin, and the hash
    of its content `(n,)`."""
    origins = {name: [getattr(origin, name) for origin in accepted.values()] for name in Origin._fields}
    columns = {"image": list(accepted), "row": np.arange(len(accepted)), "group": group, **origins, "sha256": sha256}
    write_csv_columns(path, columns)


def read_files(path: Path) -> list[FileInfo]:
    """The images in the order of their rows. Raises LacunaError when the table is of an older kind."""
    table = read_files_columns(path, _TYPES)
    return list(map(FileInfo._make, zip(*(table.column(name).to_pylist() for name in FileInfo._fields), strict=True)))


def read_duplicates(path: Path) -> NDArray[np.int64]:
    """The group of near duplicates of each image, int64 `(n,)`. Raises LacunaError like `read_files`."""
    groups: NDArray[np.int64] = read_files_columns(path, {"group": pa.int64()}).column("group").to_numpy()
    return groups


def read_files_columns(path: Path, types: Mapping[str, pa.DataType]) -> pa.Table:
    """Some columns of the table. Raises LacunaError when it lacks one."""
    return read_csv_columns(path, types, "run dvc repro ingest")
