"""The canonical table: one row per usable labelled image, with its split, its group and its labels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lacuna.core.targets import Targets
from lacuna.errors import LacunaError
from lacuna.io.csv_columns import read_csv_columns, read_header, write_csv_columns

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")

SPLIT_WORDS: dict[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What parts are called in data sets that bring a split, in lower case: in a column, in names of folders and files."""


OWN_COLUMNS = {"image": pa.string(), "row": pa.int64(), "split": pa.string(), "group": pa.int64()}
RERUN = "run dvc repro prepare"


@dataclass(frozen=True)
class Manifest:
    """Aligned columns, sorted by `row`.

    `image`: names, str `(n,)`. `row`: the image's place in the pixels, int64 `(n,)`. `split`: train, val or test.
    `group`: images that must stay in one split share it, the smallest row among them, int64 `(n,)`.
    `labels`: class indices, int16 `(n, n_targets)`, -1 unknown, -2 of a class that is too rare to be one.
    """

    image: NDArray[np.str_]
    row: NDArray[np.int64]
    split: NDArray[np.str_]
    group: NDArray[np.int64]
    labels: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.row)

    def part(self, name: Part) -> "Manifest":
        """The images of one split."""
        return self._take(self.split == name)

    def without_test(self) -> "Manifest":
        """The images that may be looked at while a model is made: those of training and validation."""
        return self._take(self.split != "test")

    def _take(self, here: NDArray[np.bool_]) -> "Manifest":
        return Manifest(self.image[here], self.row[here], self.split[here], self.group[here], self.labels[here])

    def save(self, path: Path, targets: Targets) -> None:
        columns = {"image": self.image, "row": self.row, "split": self.split, "group": self.group}
        write_csv_columns(path, columns | dict(zip(targets.names, self.labels.T, strict=True)))

    @classmethod
    def load(cls, path: Path, targets: Targets) -> "Manifest":
        """Read a saved manifest. Raises LacunaError when its columns are not those of `targets`, or no such columns."""
        if read_header(path) != [*OWN_COLUMNS, *targets.names]:
            raise LacunaError(f"{path}: its columns are not those of the targets; {RERUN}")
        table = read_csv_columns(path, OWN_COLUMNS | dict.fromkeys(targets.names, pa.int16()), RERUN)
        labels = np.empty((len(table), len(targets)), dtype=np.int16)
        for place, name in enumerate(targets.names):
            labels[:, place] = table.column(name)
        return cls(
            image=np.array(table.column("image").to_numpy(), dtype=np.str_),
            row=table.column("row").to_numpy(),
            split=np.array(table.column("split").to_numpy(), dtype=np.str_),
            group=table.column("group").to_numpy(),
            labels=labels,
        )


def read_training_rows(path: Path) -> NDArray[np.int64]:
    """The places in the pixels of a saved manifest's training images, int64 `(n,)`, whatever its targets are."""
    table = read_csv_columns(path, {name: OWN_COLUMNS[name] for name in ("row", "split")}, RERUN)
    rows: NDArray[np.int64] = table.column("row").to_numpy()[pc.equal(table.column("split"), "train").to_numpy()]
    return rows
