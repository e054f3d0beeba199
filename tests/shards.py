"""Arrays as stages leave them: in several shards."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.io.sharded_array import open_rows, shard_name


def save_rows(folder: Path | str, array: NDArray[Any], ends: tuple[int, ...] | None = None) -> None:
    """Write an array into shards that end at the given rows; by default two, the first of a third of the rows."""
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    parts = np.split(array, ends if ends is not None else [len(array) // 3])
    for number, part in enumerate(parts):
        np.save(folder / shard_name(number, len(parts)), part)


def load_rows(folder: Path | str) -> NDArray[Any]:
    """All rows of the shards in a folder."""
    return np.array(open_rows(Path(folder)))
