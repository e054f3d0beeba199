"""What reading, splitting and writing labels costs, on a fabricated label file."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from lacuna.config.data import Data
from lacuna.config.params import Params
from lacuna.core.files_table import write_files
from lacuna.core.manifest import PARTS, Manifest
from lacuna.core.targets import Kind, Targets
from lacuna.core.working_image import Origin
from lacuna.data.images.ingested import read_ingested
from lacuna.data.labels.corrections import encode_corrected
from lacuna.data.labels.join import group_folders, image_groups, join_labels
from lacuna.data.labels.kept_split import open_record, split_images, split_name
from lacuna.data.labels.sources import read_labels
from lacuna.estimate.learning_rates import fabricate_labels
from lacuna.estimate.rates import CostLine, fit_line
from lacuna.io.csv_columns import write_csv_columns
from lacuna.io.csv_files import write_csv

ROWS = 10_000, 50_000
MOST_TABLE_TARGETS = 20
PLAIN = {
    "source": "table",
    "image_column": "image",
    "group_column": "",
    "group_folders": 0,
    "name_pattern": "",
    "split_column": "",
    "columns": (),
    "sheet": "",
    "encoding": "utf-8",
    "unknown": ("",),
    "corrections": "",
    "max_images": 0,
    "min_class_count": 1,
}
"""How the fabricated file is read, whatever form the reader's own has."""


def measure_prepare(targets: Targets, params: Params) -> CostLine:
    """What `prepare` does with a row of a table and its image. Writes temporary files alone."""
    with TemporaryDirectory() as parent:
        folders = {n: _write(Path(parent, str(n)), targets, n) for n in ROWS}
        kinds = {target.name: target.kind for target in targets}
        return fit_line(lambda n: _prepare(folders[n], _as_table(params.data, folders[n], kinds), params), *ROWS)


def _as_table(data: Data, folder: Path, kinds: Mapping[str, Kind]) -> Data:
    content = data.model_dump() | PLAIN | {"path": str(folder), "labels": str(folder / "labels.csv"), "targets": kinds}
    return Data.model_validate(content | {"positive": ("present",), "negative": ("absent",)})


def _write(folder: Path, targets: Targets, n: int) -> Path:
    """A label file, and what ingest would have left of its images, all different."""
    folder.mkdir()
    names = [f"{number:09}.jpg" for number in range(n)]
    labels = fabricate_labels(targets, n, 0)
    words = {
        target.name: pa.array(("", *target.classes)).take(pa.array(labels[:, column] + 1))
        for column, target in enumerate(targets)
    }
    write_csv_columns(folder / "labels.csv", {"image": names} | words)
    digits = np.random.default_rng(0).bytes(32 * n).hex()
    hashes = [digits[64 * number : 64 * number + 64] for number in range(n)]
    write_files(folder / "files.csv", dict.fromkeys(names, Origin("JPEG", "RGB", 100, 100, 5000)), np.arange(n), hashes)
    write_csv(folder / "rejected.csv", ("image", "reason"), ())
    write_csv(folder / "left_out.csv", ("image",), ())
    return folder


def _prepare(folder: Path, data: Data, params: Params) -> None:
    """The steps of the stage that look at every row."""
    files = read_ingested(folder)
    table = read_labels(data, files.all_names)
    joined = join_labels(table, files.all_names, files.rejected, data, files.left_out)
    files = files.take(joined.image)
    encoded, _ = encode_corrected(table, joined, data, files.names)
    folders = group_folders(files.names.cells, data)
    group = image_groups(table, joined, files.group, folders, data)
    record = open_record(folder / "split.csv", params.split)
    part, _ = split_images(table, joined, encoded.labels, group, files.sha256, folders, data, params.split, record)
    image = files.names.cells.to_numpy(zero_copy_only=False)
    Manifest(image, joined.image, np.array(PARTS)[part], group, encoded.labels).save(
        folder / "manifest.csv", encoded.targets
    )
    record.with_split(split_name(params.split), files.sha256, part).save(folder / "split.csv")
