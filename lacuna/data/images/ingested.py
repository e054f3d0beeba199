"""What ingest left of the images, in columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lacuna.core.files_table import read_files_columns
from lacuna.io.spreadsheets import read_sheet

_TYPES = {"image": pa.string(), "group": pa.int64(), "sha256": pa.binary(32)}
NAMES_AT_ONCE = 10_000


class Names(Sequence[str]):
    """Names that become Python's strings when they are looked at. `cells`: as Arrow has them, without an object each.

    >>> list(Names(pa.array(["a.png", "b.png"])))
    ['a.png', 'b.png']
    """

    def __init__(self, cells: pa.Array) -> None:
        self.cells = cells

    def __len__(self) -> int:
        return len(self.cells)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> "Names": ...
    def __getitem__(self, place: int | slice) -> "str | Names":
        found: str = self.cells[place].as_py() if isinstance(place, int) else ""
        return Names(self.cells[place]) if isinstance(place, slice) else found

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), NAMES_AT_ONCE):
            yield from self.cells[start : start + NAMES_AT_ONCE].to_pylist()


@dataclass(frozen=True)
class Ingested:
    """`names`: of the usable images, by their row in the pixels. `group`: that of their duplicates, int64 `(n,)`.
    `sha256`: of their content, 32 bytes each. `rejected`: names and reasons. `left_out`: the names of those not in the
    sample."""

    names: Names
    group: NDArray[np.int64]
    sha256: pa.FixedSizeBinaryArray
    rejected: dict[str, str]
    left_out: list[str]

    @property
    def all_names(self) -> Names:
        others = pa.array([*self.rejected, *self.left_out], type=pa.string())
        return Names(pa.concat_arrays([self.names.cells, others]))

    def take(self, rows: NDArray[np.int64]) -> "Ingested":
        """With some of the usable images."""
        names, sha256 = Names(self.names.cells.take(pa.array(rows))), self.sha256.take(pa.array(rows))
        return replace(self, names=names, group=self.group[rows], sha256=sha256)


def read_ingested(folder: Path) -> Ingested:
    """Read the tables in `folder`. Raises LacunaError when one is of an older kind."""
    table = read_files_columns(folder / "files.csv", _TYPES)
    return Ingested(
        Names(table.column("image").combine_chunks()),
        table.column("group").to_numpy(),
        table.column("sha256").combine_chunks(),
        {line["image"]: line["reason"] for line in read_sheet(folder / "rejected.csv")},
        [line["image"] for line in read_sheet(folder / "left_out.csv")],
    )
