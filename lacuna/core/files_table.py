"""What ingest noted of each usable image: `data/images/files.csv`."""

from pathlib import Path
from typing import NamedTuple

from lacuna.errors import LacunaError
from lacuna.io.csv_files import read_csv


class FileInfo(NamedTuple):
    """An image as it was before ingest made it square; `width` and `height` as one sees it, after the EXIF turn."""

    image: str
    format: str
    mode: str
    width: int
    height: int
    bytes: int


def read_files(path: Path) -> list[FileInfo]:
    """The images in the order of their rows in images.npy. Raises LacunaError when the table is of an older kind."""
    lines = read_csv(path)
    missing = [name for name in FileInfo._fields if lines and name not in lines[0]]
    if missing:
        raise LacunaError(f"{path}: no column {', '.join(missing)}; run dvc repro ingest")
    return [
        FileInfo(
            line["image"], line["format"], line["mode"], int(line["width"]), int(line["height"]), int(line["bytes"])
        )
        for line in lines
    ]
