"""Which of many names are there already: found on disk, by 128-bit hashes, so that memory does not grow with them."""

from collections.abc import Sequence
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import numpy as np
from numpy.typing import NDArray

BUCKETS = 64
"""Files that hashes are put into by their last bits. One of them at a time is in memory: of 100 million names 38 MB."""

RECORD = np.dtype([("low", "<u8"), ("high", "<u8"), ("row", "<u8")])


class RepeatedNames:
    """Takes names in order and then tells which of them stood before. On disk 24 bytes a name, until it is closed."""

    def __init__(self) -> None:
        self._open = ExitStack()
        folder = Path(self._open.enter_context(TemporaryDirectory(prefix="lacuna_names_")))
        self._buckets = [self._open.enter_context((folder / str(n)).open("w+b")) for n in range(BUCKETS)]
        self._n = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, names: Sequence[str]) -> None:
        """Take further names."""
        hashes = b"".join(blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).digest() for name in names)
        records = np.empty(len(names), RECORD)
        records["low"], records["high"] = np.frombuffer(hashes, "<u8").reshape(-1, 2).T
        records["row"] = np.arange(self._n, self._n + len(names))
        bucket = records["low"] % BUCKETS
        in_order = records[np.argsort(bucket, kind="stable")]
        ends = np.cumsum(np.bincount(bucket.astype(np.intp), minlength=BUCKETS))
        for file, part in zip(self._buckets, np.split(in_order, ends[:-1]), strict=True):
            file.write(part.tobytes())
        self._n += len(names)

    def find(self) -> NDArray[np.bool_]:
        """(n,): of each name that was taken, whether it had been taken before."""
        repeated = np.zeros(self._n, bool)
        for file in self._buckets:
            file.seek(0)
            records = np.frombuffer(file.read(), RECORD)
            records = records[np.lexsort((records["row"], records["high"], records["low"]))]
            hashes = records[["low", "high"]]
            repeated[records["row"][1:][hashes[1:] == hashes[:-1]]] = True
        return repeated
