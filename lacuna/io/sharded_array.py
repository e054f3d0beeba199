"""One array whose rows lie in several files of a folder, its shards: `00000-of-00017.npy`, `00001-of-00017.npy`, ...

What changes in a large array then changes some files of many, and every name says how many there must be.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lacuna.errors import LacunaError
from lacuna.io.atomic import sha256
from lacuna.io.open_files import make_room_for_files

SHARD = re.compile(r"(\d{5,})-of-(\d{5,})\.npy")


class ShardedArray:
    """Shards as one array `(n, ...)`, to be read: `shape`, `dtype`, `ndim`, `len`, iteration over rows, indexing.

    Rows are taken by a number, a slice, or integers or truth values `(n,)`; indices of further axes may follow. What
    comes out is an array, as numpy has it; where `:` takes all rows, it is sharded still, and nothing has been read:
    `features[:, :, 8:]`. `np.asarray` reads everything. Raises IndexError for a row that is not there.
    """

    def __init__(self, shards: Sequence[NDArray[Any]], folder: Path | None = None) -> None:
        """shards: one or more, of one dtype and alike but for the number of their rows, which may be 0. folder: theirs,
        if they are all that is in it: by its path the array is sent to another process, and opened there."""
        self._shards, self._folder = shards, folder
        self._ends = np.cumsum([len(shard) for shard in shards])
        self.dtype = shards[0].dtype
        self.shape: tuple[int, ...] = (int(self._ends[-1]), *shards[0].shape[1:])
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __reduce__(self) -> tuple[Any, ...]:
        return (ShardedArray, (self._shards,)) if self._folder is None else (open_rows, (self._folder,))

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for shard in self._shards:
            yield from shard

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("the rows lie in several files: an array of all of them is a copy")
        return np.concatenate(self._shards).astype(dtype or self.dtype, copy=False)

    def __getitem__(self, key: Any) -> Any:
        rows, *others = key if isinstance(key, tuple) else (key,)
        if isinstance(rows, slice):
            if rows == slice(None):
                return ShardedArray([shard[:, *others] for shard in self._shards])
            return self._take(np.arange(*rows.indices(len(self))), others)
        if isinstance(rows, int | np.integer):
            return self._take(np.array([rows]), others)[0]
        chosen = np.asarray(rows)
        if chosen.dtype == np.bool_:
            if chosen.shape != (len(self),):
                raise IndexError(f"expected {len(self)} truth values, one a row, received {chosen.shape}")
            chosen = np.flatnonzero(chosen)
        return self._take(chosen.astype(np.int64), others)

    def _take(self, rows: NDArray[np.int64], others: list[Any]) -> NDArray[Any]:
        n = len(self)
        if rows.size and not (-n <= rows.min() and rows.max() < n):
            raise IndexError(f"rows {rows.min()} to {rows.max()}, expected -{n} to {n - 1}")
        rows = np.where(rows < 0, rows + n, rows)
        of = np.searchsorted(self._ends, rows, side="right")
        numbers = np.unique(of).tolist() or [0]
        if len(numbers) == 1:  # no copy beyond numpy's own
            return self._part(numbers[0], rows, others)
        taken: NDArray[Any] | None = None
        for number in numbers:  # one after another, so that what is held beside `taken` is of one shard
            here = np.flatnonzero(of == number)
            part = self._part(number, rows[here], [_at(other, here) for other in others])
            if taken is None:
                taken = np.empty((len(rows), *part.shape[1:]), self.dtype)
            taken[here] = part
        assert taken is not None
        return taken

    def _part(self, number: int, rows: NDArray[np.int64], others: list[Any]) -> NDArray[Any]:
        shard = self._shards[number]
        first = int(self._ends[number]) - len(shard)
        is_run = rows.size > 0 and not any(isinstance(other, np.ndarray) for other in others)
        if is_run and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
            run: NDArray[Any] = shard[rows[0] - first : rows[-1] - first + 1, *others]  # a view of the file
            return run
        taken: NDArray[Any] = shard[rows - first, *others]
        return taken


def _at(other: Any, here: NDArray[np.intp]) -> Any:
    """What belongs to some of the rows of an index that goes along with them."""
    return other[here] if isinstance(other, np.ndarray) else other


def shard_name(number: int, of: int) -> str:
    """The file of a shard, counted from 0.

    >>> shard_name(3, 17)
    '00003-of-00017.npy'
    """
    return f"{number:05}-of-{of:05}.npy"


def list_shards(folder: Path) -> list[Path]:
    """The shards in `folder`, in order. Raises LacunaError when it lacks one."""
    found = sorted((path for path in folder.glob("*.npy") if SHARD.fullmatch(path.name)), key=lambda path: path.name)
    numbers = [tuple(map(int, SHARD.fullmatch(path.name).groups())) for path in found]  # type: ignore[union-attr]
    n = numbers[0][1] if numbers else 0
    if not found or numbers != [(number, n) for number in range(n)]:
        expected = f"{shard_name(0, n)} to {shard_name(n - 1, n)}" if n else "files like 00000-of-00017.npy"
        raise LacunaError(
            f"{folder}: expected {expected}, found {len(found)} of them; run `dvc repro`, which makes the folder anew"
        )
    return found


def open_rows(folder: Path) -> Any:
    """The array whose shards lie in `folder`, memory-mapped: a ShardedArray, for readers of an array `(n, ...)`.

    Raises LacunaError when a shard is missing.
    """
    make_room_for_files(len(list_shards(folder)))
    return ShardedArray([np.asarray(np.load(path, mmap_mode="r")) for path in list_shards(folder)], folder)


def checksum(folder: Path) -> str:
    """A SHA-256 of the shards in `folder`: that of their own, in order. Raises LacunaError when one is missing."""
    return hashlib.sha256("".join(map(sha256, list_shards(folder))).encode()).hexdigest()
