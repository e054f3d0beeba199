"""Small idx files, right ones and others."""

import gzip
import struct
from pathlib import Path

import numpy as np


def idx_bytes(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def write_idx_folder(folder: Path, *, train: int, test: int, side: int = 28, classes: int = 4) -> dict[str, np.ndarray]:
    """Write the four files, the test part gzipped; return the values by the files' first words (train-images, ...)."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    values = {}
    for part, n in (("train", train), ("t10k", test)):
        values[f"{part}-images"] = generator.integers(0, 256, (n, side, side), dtype=np.uint8)
        values[f"{part}-labels"] = (np.arange(n) % classes).astype(np.uint8)
    for name, one in values.items():
        content = idx_bytes(one)
        kind = "idx3" if "images" in name else "idx1"
        if name.startswith("t10k"):
            (folder / f"{name}-{kind}-ubyte.gz").write_bytes(gzip.compress(content, mtime=0))
        else:
            (folder / f"{name}-{kind}-ubyte").write_bytes(content)
    return values
