"""Labels, one module per format, each read into the same rows.

In: a label file or a folder. Out: rows of image, labels as they are written, group and given split.
"""

from collections.abc import Sequence

from lacuna.config.blocks import Data
from lacuna.data.labels.sources.folders import read_folders
from lacuna.data.labels.sources.idx import read_idx
from lacuna.data.labels.sources.label_file import Dropped, LabelFile, Row
from lacuna.data.labels.sources.labels_txt import read_labels_txt
from lacuna.data.labels.sources.table import read_table
from lacuna.errors import LacunaError

__all__ = ["LABEL_FILES", "Dropped", "LabelFile", "Row", "read_labels"]

LABEL_FILES = {"labels_txt": read_labels_txt, "table": read_table, "idx": read_idx}
"""The sources whose labels stand in files, and how these are read."""


def read_labels(data: Data, images: Sequence[str]) -> LabelFile:
    """Read the labels that `data` names and check the words in its binary columns.

    `images`: the names of all images that ingest met; the source `folders` reads the labels in them. Raises LacunaError
    with file and line at the first word that is in none of `data.positive`, `data.negative` and `data.unknown`.
    """
    labels = read_folders(data, images) if data.source == "folders" else LABEL_FILES[data.source](data)
    binary = [(column, name) for column, (name, kind) in enumerate(labels.targets.items()) if kind == "binary"]
    known = {*data.positive, *data.negative, *data.unknown}
    for row in labels.rows:
        for column, name in binary:
            if row.labels[column] not in known:
                raise LacunaError(
                    f"{labels.path}:{row.line}: {row.labels[column]!r} is no label of the binary target {name}; "
                    "expected a word of data.positive, data.negative or data.unknown"
                )
    return labels
