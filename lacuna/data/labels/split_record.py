"""The part of each image in every split so far: `data/split.csv`, from which the next split starts.

A row for each content that an image ever had, in the order of its hash. A column for each split, named by its shares
and seed, says train, val or test, or nothing where the image was not there.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lacuna.core.manifest import PARTS
from lacuna.data.labels.split import MOST_KEPT, NOT_GIVEN
from lacuna.errors import LacunaError
from lacuna.io.arrow_memory import give_back
from lacuna.io.atomic import atomic_file, read_json
from lacuna.io.csv_columns import read_csv_columns, read_header, write_csv_columns

HASH = "sha256"
PART_WORDS = pa.array([*PARTS, ""])
"""Of the parts 0, 1 and 2 and, last, of NOT_GIVEN."""


@dataclass(frozen=True)
class SplitRecord:
    """`sha256`: of the images' contents, 32 bytes each, each once, rising, `(n,)`. `parts`: by the name of a split the
    part of each in it, int8 `(n,)`, NOT_GIVEN where it was not there."""

    sha256: pa.Array = field(default_factory=lambda: pa.array([], pa.binary(32)))
    parts: Mapping[str, NDArray[np.int8]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "SplitRecord":
        """Read what `save` wrote; where there is no such file, the JSON of former versions; empty without either.

        Raises LacunaError when the file is something else.
        """
        former = _former(path)
        path = former if former.exists() and not path.exists() else path
        try:
            return (cls._of_json if path == former else cls._of_csv)(path) if path.exists() else cls()
        except (AttributeError, csv.Error, LacunaError, RecursionError, TypeError, ValueError):
            raise LacunaError(
                f"{path}: not a record of splits as prepare writes it; dvc checkout {path} brings it back, and without "
                "the file all images are dealt anew"
            ) from None

    @classmethod
    def _of_csv(cls, path: Path) -> "SplitRecord":
        first, *names = read_header(path)
        table = read_csv_columns(path, {HASH: pa.binary(32)} | dict.fromkeys(names, pa.string()), "")
        if first != HASH or len(set(names)) < len(names):
            raise ValueError("other columns")
        return cls(table.column(HASH).combine_chunks(), {name: _parts(table.column(name)) for name in names})

    @classmethod
    def _of_json(cls, path: Path) -> "SplitRecord":
        record = cls()
        for name, parts in read_json(path).items():
            sha256 = pa.array(map(bytes.fromhex, parts), pa.binary(32))
            record = record.with_split(name, sha256, _parts(pa.array(parts.values(), pa.string())))
        return record

    def find(self, name: str, sha256: pa.Array) -> NDArray[np.int8]:
        """The part of each of these contents in the split of this name, NOT_GIVEN where it has none, int8 `(n,)`."""
        if name not in self.parts:
            return np.full(len(sha256), NOT_GIVEN, dtype=np.int8)
        return np.append(self.parts[name], np.int8(NOT_GIVEN))[self._places(sha256)]

    def with_split(self, name: str, sha256: pa.Array, part: NDArray[np.int8]) -> "SplitRecord":
        """With the part `(n,)` of each of these contents in the split of this name, beside those of other contents.

        A content that stands in several parts has the one that MOST_KEPT names first.
        """
        place = self._places(sha256)
        new, code = np.unique(_as_numpy(sha256)[place < 0], return_inverse=True)
        place[place < 0] = len(self.sha256) + code
        nowhere = np.full(len(self.sha256) + len(new), NOT_GIVEN, dtype=np.int8)
        columns = {other: np.append(column, nowhere[len(column) :]) for other, column in self.parts.items()}
        columns.setdefault(name, nowhere)
        for which in reversed(MOST_KEPT):
            columns[name][place[part == which]] = which
        every = np.append(_as_numpy(self.sha256), new)
        if len(new) and len(self.sha256):
            order = np.argsort(every)
            every, columns = every[order], {other: column[order] for other, column in columns.items()}
        hashes = pa.Array.from_buffers(pa.binary(32), len(every), [None, pa.py_buffer(every)])
        return SplitRecord(hashes, dict(sorted(columns.items())))

    def without(self, name: str) -> "SplitRecord":
        """Without the split of this name; the others stay."""
        return SplitRecord(self.sha256, {other: column for other, column in self.parts.items() if other != name})

    def _places(self, sha256: pa.Array) -> NDArray[np.int64]:
        """Where these contents stand, -1 where they don't, int64 `(n,)`."""
        place: NDArray[np.int64] = pc.index_in(sha256, value_set=self.sha256).fill_null(-1).to_numpy().astype(np.int64)
        give_back()
        return place

    def save(self, path: Path) -> None:
        words = {name: PART_WORDS.take(pa.array(column % len(PART_WORDS))) for name, column in self.parts.items()}
        with atomic_file(path) as partial:
            write_csv_columns(partial, {HASH: self.sha256, **words})


def drop_former_record(path: Path) -> str:
    """Remove the JSON of former versions once its parts stand in the record at `path`; return a line that says so."""
    former = _former(path)
    if not former.exists():
        return ""
    former.unlink()
    return f"{former} has become {path}, which has its parts\n"


def _former(path: Path) -> Path:
    return path.with_suffix(".json")


def _parts(words: pa.Array | pa.ChunkedArray) -> NDArray[np.int8]:
    """The parts of PART_WORDS. Raises ValueError at another word."""
    place = pc.index_in(words, value_set=PART_WORDS)
    if place.null_count:
        raise ValueError("a word that names no part")
    parts: NDArray[np.int8] = np.array([*range(len(PARTS)), NOT_GIVEN], dtype=np.int8)[place.to_numpy()]
    return parts


def _as_numpy(sha256: pa.Array) -> NDArray[np.bytes_]:
    return np.frombuffer(sha256.buffers()[1], dtype="S32")[sha256.offset : sha256.offset + len(sha256)]
