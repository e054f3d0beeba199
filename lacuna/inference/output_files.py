"""Files of predictions, a row per image, written as the predictions come. Each format is a row of WRITERS.

The columns of CSV and Parquet: `image`, `error` (why it can't be read), `unfamiliar`, and for each target its decision
under its own name, `TARGET.unsure`, and a probability for each class, `TARGET.p.CLASS`. Targets' names have no dots.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from lacuna.core.targets import Targets
from lacuna.errors import LacunaError
from lacuna.inference.prediction import Prediction
from lacuna.io.atomic import atomic_file
from lacuna.io.csv_files import csv_writer
from lacuna.io.names import printable
from lacuna.io.plurals import number_of
from lacuna.io.spreadsheets import escaped

ROWS_AT_ONCE = 4096
"""So many rows of a Parquet file are kept in memory until they are written."""

MOST_NAMED = 100
"""At most so many unreadable images are named at the end; a file of predictions has the reason for each."""

Write = Callable[[Prediction], object]


@contextmanager
def prediction_file(path: Path, targets: Targets, raw_csv: bool = False) -> Iterator[Write]:
    """Yield a function that adds a prediction to the file at `path`, which is there when the block ends without error.

    In CSV what a spreadsheet would take for a formula is escaped (`lacuna.io.spreadsheets`), unless with `raw_csv`.
    Raises LacunaError for a suffix that is none of WRITERS, and for Parquet without pyarrow.
    """
    if path.suffix not in WRITERS:
        raise LacunaError(f"{path}: expected a file name ending in {', '.join(WRITERS)}")
    if path.is_dir():
        raise LacunaError(f"{path}: a folder; name a file to write")
    writer = _raw_csv if raw_csv and path.suffix == ".csv" else WRITERS[path.suffix]
    with atomic_file(path) as partial, writer(partial, targets) as write:
        yield write


def print_unreadable(reasons: Sequence[str]) -> None:
    """Name the images that can't be read on standard error, at most MOST_NAMED; each reason is "path: reason"."""
    for line in reasons[:MOST_NAMED]:
        print(f"error: {printable(line)}", file=sys.stderr)
    if len(reasons) > MOST_NAMED:
        print(f"error: {number_of(len(reasons) - MOST_NAMED, 'more image')} can't be read", file=sys.stderr)


def flat(prediction: Prediction) -> dict[str, Any]:
    """A prediction as one row, by column; what is not known is left out."""
    row: dict[str, Any] = {"image": prediction.name, "error": prediction.error, "unfamiliar": prediction.unfamiliar}
    for name, target in prediction.targets.items():
        row[name] = target.decision
        row[f"{name}.unsure"] = target.unsure
        row |= {f"{name}.p.{label}": probability for label, probability in target.probabilities.items()}
    return {column: value for column, value in row.items() if value is not None}


def columns(targets: Targets) -> dict[str, type]:
    """Every column of a file of predictions with the type of its values."""
    kinds: dict[str, type] = {"image": str, "error": str, "unfamiliar": bool}
    for target in targets:
        kinds |= {target.name: str, f"{target.name}.unsure": bool}
        kinds |= {f"{target.name}.p.{label}": float for label in target.classes}
    return kinds


@contextmanager
def _raw_csv(path: Path, targets: Targets, shown: Callable[[Any], Any] = lambda cell: cell) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="") as file:
        table, names = csv_writer(file), list(columns(targets))
        table.writerow(map(shown, names))

        def write(prediction: Prediction) -> None:
            cells = map(flat(prediction).get, names)
            table.writerow([f"{cell:.6g}" if type(cell) is float else shown(cell) for cell in cells])

        yield write


def _csv(path: Path, targets: Targets) -> AbstractContextManager[Write]:
    return _raw_csv(path, targets, escaped)


@contextmanager
def _json_lines(path: Path, targets: Targets) -> Iterator[Write]:
    with path.open("w", encoding="utf-8") as file:
        yield lambda prediction: file.write(json.dumps(prediction.to_json(), allow_nan=False) + "\n")


@contextmanager
def parquet_rows(
    file: Path | BinaryIO, targets: Targets, said: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Write]:
    """Yield a function that adds a prediction to a Parquet file, open or new. said: metadata of the file.

    Raises LacunaError without pyarrow.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        path = file if isinstance(file, Path) else "--out"
        raise LacunaError(f"{path}: Parquet needs pyarrow: pip install pyarrow, or write .csv or .jsonl") from None
    types = {str: pyarrow.string(), bool: pyarrow.bool_(), float: pyarrow.float32()}
    schema = pyarrow.schema([(name, types[kind]) for name, kind in columns(targets).items()], said or None)
    rows: list[dict[str, Any]] = []
    with parquet.ParquetWriter(file, schema) as table:

        def write(prediction: Prediction) -> None:
            rows.append(flat(prediction))
            if len(rows) == ROWS_AT_ONCE:
                flush()

        def flush() -> None:
            table.write_table(pyarrow.Table.from_pylist(rows, schema))
            rows.clear()

        yield write
        flush()


WRITERS: dict[str, Callable[[Path, Targets], AbstractContextManager[Write]]] = {
    ".csv": _csv,
    ".parquet": parquet_rows,
    ".jsonl": _json_lines,
}
"""Every format by the suffix of its files: a context manager that opens one and yields a function that adds to it."""
