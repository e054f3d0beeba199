"""Which images a model has seen, from the tables of ingest and prepare. Not for predicting: it reads by pyarrow."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lacuna.core.files_table import read_files_columns
from lacuna.inference.seen_images import Digests, SeenImages
from lacuna.io.csv_columns import read_csv_columns


def read_seen(files: Path, manifest: Path, test: NDArray[np.str_]) -> SeenImages:
    """From files.csv and manifest.csv; `test` (n,) are the names of the test images that were predicted.

    Raises LacunaError for other tables.
    """
    listed = read_csv_columns(
        manifest, {"image": pa.string(), "row": pa.int64(), "split": pa.string()}, "run dvc repro prepare"
    )
    digests = _digests(files)[listed.column("row").to_numpy()]
    names, split = (np.array(listed.column(name).to_numpy(), np.str_) for name in ("image", "split"))
    order = np.argsort(names)
    return SeenImages(
        np.unique(digests[split != "test"]),
        digests[order[np.searchsorted(names, test, sorter=order)]],
    )


def _digests(files: Path) -> Digests:
    """The beginning of each image's hash, uint64 (n,), in the order of their rows."""
    column = read_files_columns(files, {"sha256": pa.binary(32)}).column("sha256")
    whole = np.frombuffer(b"".join(column.to_pylist()), np.uint8).reshape(-1, 32)
    return np.ascontiguousarray(whole[:, :8]).view(">u8")[:, 0].astype(np.uint64)
