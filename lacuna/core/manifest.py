"""The canonical table: one row per usable labelled image, with its split, its group and its labels."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lacuna.core.targets import Targets
from lacuna.errors import LacunaError
from lacuna.io.csv_files import write_csv

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")

SPLIT_WORDS: dict[str, Part] = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
"""What the parts are called in data sets that bring a split, in lower case: in a column or as names of folders."""


@dataclass(frozen=True)
class Manifest:
    """Aligned columns, sorted by `row`.

    `image`: names, str `(n,)`. `row`: the image's place in `images.npy`, int64 `(n,)`. `split`: train, val or test.
    `group`: images that must stay in one split share it, the smallest row among them, int64 `(n,)`.
    `labels`: class indices, int16 `(n, n_targets)`, -1 unknown.
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
        columns = (self.image.tolist(), self.row.tolist(), self.split.tolist(), self.group.tolist())
        rows = zip(*columns, *self.labels.T.tolist(), strict=True)
        write_csv(path, ("image", "row", "split", "group", *targets.names), rows)

    @classmethod
    def load(cls, path: Path, targets: Targets) -> "Manifest":
        """Read a saved manifest. Raises LacunaError when its columns are not those of `targets`."""
        with open(path, encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        if header != ["image", "row", "split", "group", *targets.names]:
            raise LacunaError(f"{path}: its columns are not those of the targets; run dvc repro prepare")
        image, row, split, group = ([cells[column] for cells in rows] for column in range(4))
        return cls(
            image=np.array(image, dtype=np.str_),
            row=np.array(row, dtype=np.int64),
            split=np.array(split, dtype=np.str_),
            group=np.array(group, dtype=np.int64),
            labels=np.array([cells[4:] for cells in rows], dtype=np.int16).reshape(len(rows), len(targets)),
        )
