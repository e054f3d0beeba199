"""Labels, one module per format, each read into the same rows.

In: a label file or a folder. Out: rows of image, labels as they are written, group and given split.
"""

from collections.abc import Callable, Sequence

from lacuna.config.blocks import Data
from lacuna.config.types import Source
from lacuna.data.labels.sources.folders import read_folders
from lacuna.data.labels.sources.idx import read_idx
from lacuna.data.labels.sources.label_file import Dropped, LabelFile, LabelRow
from lacuna.data.labels.sources.labels_txt import read_labels_txt
from lacuna.data.labels.sources.table import read_table
from lacuna.errors import LacunaError
from lacuna.io.names import UNPRINTABLE, printable

__all__ = ["SOURCES", "Dropped", "LabelFile", "LabelRow", "read_labels"]

MOST_CHARACTERS = 80

SOURCES: dict[Source, Callable[[Data, Sequence[str]], LabelFile]] = {
    "labels_txt": read_labels_txt,
    "table": read_table,
    "folders": read_folders,
    "idx": read_idx,
}
"""Every `data.source` and what reads its labels, given the names of all images that ingest met."""


def read_labels(data: Data, images: Sequence[str]) -> LabelFile:
    """Read the labels that `data` names and check their words.

    `images`: the names of all images that ingest met. Raises LacunaError with file and line at the first word of a
    binary target that is in none of `data.positive`, `data.negative` and `data.unknown`, and at the first of another
    one that holds a control character, such as the line end of a cell of two lines.
    """
    labels = SOURCES[data.source](data, images)
    known = {*data.positive, *data.negative, *data.unknown}
    kinds = list(enumerate(labels.targets.items()))
    for row in labels.rows:
        for column, (name, kind) in kinds:
            word = row.labels[column]
            if kind == "binary" and word not in known:
                raise LacunaError(
                    f"{_place(labels, row)}: {word!r} is no label of the binary target {name}; "
                    "expected a word of data.positive, data.negative or data.unknown"
                )
            if UNPRINTABLE.search(word):
                raise LacunaError(
                    f"{_place(labels, row)}: the label {word[:MOST_CHARACTERS]!r} of {name} holds a control "
                    "character, expected a word in one line"
                )
    return labels


def _place(labels: LabelFile, row: LabelRow) -> str:
    """Where a label stands: its line, or the image itself where no file names it."""
    return f"{labels.path}:{row.line}" if row.line else f"{labels.path}: {printable(row.image)}"
