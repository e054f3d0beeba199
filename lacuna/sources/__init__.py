"""Label files, one module per format, each read into the same rows."""

from lacuna.config import Data
from lacuna.errors import LacunaError
from lacuna.sources.label_file import LabelFile, Row
from lacuna.sources.labels_txt import read_labels_txt
from lacuna.sources.table import read_table

__all__ = ["SOURCES", "LabelFile", "Row", "read_labels"]

SOURCES = {"labels_txt": read_labels_txt, "table": read_table}


def read_labels(data: Data) -> LabelFile:
    """Read the label file that `data` names and check the words in its binary columns.

    Raises LacunaError with file and line at the first word that is in none of `data.positive`, `data.negative` and
    `data.unknown`.
    """
    labels = SOURCES[data.source](data)
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
