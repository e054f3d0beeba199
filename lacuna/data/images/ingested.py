"""What ingest left of the images, in columns."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from lacuna.errors import LacunaError
from lacuna.io.csv_files import read_csv

WANTED_COLUMNS = ("image", "group", "sha256")


@dataclass(frozen=True)
class Ingested:
    """`names`: of the usable images, by their row in images.npy. `group`: that of their duplicates, int64 `(n,)`.
    `sha256`: of their content. `rejected`: names and reasons. `left_out`: the names of those not in the sample."""

    names: list[str]
    group: NDArray[np.int64]
    sha256: list[str]
    rejected: dict[str, str]
    left_out: list[str]

    @property
    def rows(self) -> dict[str, int]:
        """The row of each usable image in images.npy."""
        return {name: row for row, name in enumerate(self.names)}

    @property
    def all_names(self) -> list[str]:
        return [*self.names, *self.rejected, *self.left_out]


def read_ingested(folder: Path) -> Ingested:
    """Read the tables in `folder`. Raises LacunaError when one is of an older kind."""
    path = folder / "files.csv"
    try:
        table = pyarrow.csv.read_csv(
            path,
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=list(WANTED_COLUMNS),
                column_types={"image": pa.string(), "group": pa.int64(), "sha256": pa.string()},
            ),
        )
    except (pa.ArrowException, KeyError) as error:
        raise LacunaError(f"{path}: {' '.join(str(error).split())[:200]}; run dvc repro ingest") from None
    return Ingested(
        table.column("image").to_pylist(),
        table.column("group").to_numpy().astype(np.int64),
        table.column("sha256").to_pylist(),
        {line["image"]: line["reason"] for line in read_csv(folder / "rejected.csv")},
        [line["image"] for line in read_csv(folder / "left_out.csv")],
    )
