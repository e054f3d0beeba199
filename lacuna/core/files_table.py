"""What ingest noted of each usable image: `data/images/files.csv`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lacuna.core.working_image import Origin
from lacuna.errors import LacunaError
from lacuna.io.csv_files import read_csv, write_csv


class FileInfo(NamedTuple):
    """An image's name and what it was before ingest made it square: the fields of `Origin`."""

    image: str
    format: str
    mode: str
    width: int
    height: int
    bytes: int


def write_files(path: Path, accepted: Mapping[str, Origin], group: NDArray[np.int64], sha256: Sequence[str]) -> None:
    """Write a row per image: its name, its row in images.npy, its group of duplicates `(n,)`, its origin, and the hash
    of its content `(n,)`."""
    rows = zip(accepted.items(), group.tolist(), sha256, strict=True)
    write_csv(
        path,
        ("image", "row", "group", *Origin._fields, "sha256"),
        ((name, row, member_of, *origin, digest) for row, ((name, origin), member_of, digest) in enumerate(rows)),
    )


def read_files(path: Path) -> list[FileInfo]:
    """The images in the order of their rows in images.npy. Raises LacunaError when the table is of an older kind."""
    lines = read_lines(path, FileInfo._fields)
    return [
        FileInfo(
            line["image"], line["format"], line["mode"], int(line["width"]), int(line["height"]), int(line["bytes"])
        )
        for line in lines
    ]


def read_lines(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The table's lines by the names of its columns. Raises LacunaError when it lacks one of these `columns`."""
    lines = read_csv(path)
    missing = [name for name in columns if lines and name not in lines[0]]
    if missing:
        raise LacunaError(f"{path}: no column {', '.join(missing)}; run dvc repro ingest")
    return lines
