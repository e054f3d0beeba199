"""The label formats: each a function from the parameters to the rows of a label file.

In: a file or folder that `data.labels` names. Out: its labels in columns, -1 where they are unknown.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from lacuna.config.data import Data
from lacuna.config.types import Source
from lacuna.data.labels.captions import CAPTIONS_REFUSED, are_captions
from lacuna.data.labels.label_table import LabelTable, WordColumn
from lacuna.data.labels.sources.celeba import read_celeba
from lacuna.data.labels.sources.coco import read_coco
from lacuna.data.labels.sources.cub import read_cub
from lacuna.data.labels.sources.cvat import read_cvat
from lacuna.data.labels.sources.file_names import read_file_names
from lacuna.data.labels.sources.folders import read_folders
from lacuna.data.labels.sources.idx import read_idx
from lacuna.data.labels.sources.image_folder import read_image_folder
from lacuna.data.labels.sources.label_studio import read_label_studio
from lacuna.data.labels.sources.labels_txt import read_labels_txt
from lacuna.data.labels.sources.open_images import read_open_images
from lacuna.data.labels.sources.oxford_pets import read_oxford_pets
from lacuna.data.labels.sources.table import read_table
from lacuna.data.labels.sources.voc_lists import read_voc_lists
from lacuna.data.labels.tags import find_separator
from lacuna.errors import LacunaError
from lacuna.io.names import UNPRINTABLE, shortened

SOURCES: dict[Source, Callable[[Data, Sequence[str]], LabelTable]] = {
    "labels_txt": read_labels_txt,
    "table": read_table,
    "folders": read_folders,
    "idx": read_idx,
    "label_studio": read_label_studio,
    "cvat": read_cvat,
    "coco": read_coco,
    "open_images": read_open_images,
    "image_folder": read_image_folder,
    "celeba": read_celeba,
    "oxford_pets": read_oxford_pets,
    "cub": read_cub,
    "voc_lists": read_voc_lists,
    "file_names": read_file_names,
}
"""Every `data.source` and what reads its labels, given the names of all images that ingest met."""

ABSENT_PRESENT = ("absent", "present")


def read_labels(data: Data, images: Sequence[str]) -> LabelTable:
    """Read the labels that `data` names and interpret their words: -1 is unknown, a binary target is absent or present.

    `images`: the names of all images that ingest met. Raises LacunaError with file and line at the first word of a
    binary target that is none of its positive, negative and unknown ones, and at the first of another one that holds a
    control character, such as the line end of a cell of two lines; and at a categorical target whose cells are lists.
    """
    return interpret(SOURCES[data.source](data, images), data)


def interpret(table: LabelTable, data: Data) -> LabelTable:
    """The table with the words of its labels interpreted, as `read_labels` says."""
    labels = {}
    for name, kind in table.targets.items():
        column = table.labels[name]
        read = _as_binary if kind == "binary" else _as_categorical
        labels[name] = read(name, column, table, data)
    return replace(table, labels=labels)


def _as_binary(name: str, column: WordColumn, table: LabelTable, data: Data) -> WordColumn:
    meaning = {"": -1, "absent": 0, "present": 1} | binary_words(name, data)
    code = column.recoded([meaning.get(word, -2) for word in column.words])
    if (code == -2).any():
        row = int(np.argmax(code == -2))
        raise LacunaError(
            f"{table.place(row)}: {shortened(column[row])} is no label of the binary target {name}; expected a word of "
            "data.positive, data.negative or data.unknown"
        )
    return WordColumn(code, ABSENT_PRESENT)


def binary_words(name: str, data: Data) -> dict[str, int]:
    """What each word means of a binary target: 1 present, 0 absent, -1 unknown."""
    words = data.column(name) if name in data.targets else data
    unknown, negative, positive = words.unknown or (), words.negative or (), words.positive or ()
    return dict.fromkeys(unknown, -1) | dict.fromkeys(negative, 0) | dict.fromkeys(positive, 1)


def unknown_words(name: str, data: Data) -> set[str]:
    words = data.column(name) if name in data.targets else data
    return {"", *(words.unknown or ())}


def _as_categorical(name: str, column: WordColumn, table: LabelTable, data: Data) -> WordColumn:
    unknown = unknown_words(name, data)
    for place, word in enumerate(column.words):
        if UNPRINTABLE.search(word):
            row = int(np.argmax(column.code == place))
            raise LacunaError(
                f"{table.place(row)}: the label {shortened(word)} of {name} holds a control character, expected a word "
                "in one line"
            )
    kept = [word for word in column.words if word not in unknown]
    if len(kept) > 0.5 * len(column) and are_captions(kept):
        raise LacunaError(f"{table.path}: the cells of {name} are {CAPTIONS_REFUSED}")
    index = {word: place for place, word in enumerate(kept)}
    known = WordColumn(column.recoded([index.get(word, -1) for word in column.words]), tuple(kept))
    _refuse_lists(name, known, table, data)
    return known


def _refuse_lists(name: str, column: WordColumn, table: LabelTable, data: Data) -> None:
    """Stop where the cells look like lists and, taken for classes, a tenth of the labels would be too rare to count."""
    counts = column.counts()
    rare = counts[counts < data.min_class_count].sum()
    if rare <= 0.1 * counts.sum() or (separator := find_separator(column)) is None:
        return
    example = max(column.words, key=lambda word: len(word) if len(word) <= 60 else 0)
    between = {"": "blanks", ",": "commas"}.get(separator, repr(separator))
    raise LacunaError(
        f"{table.path}: the cells of {name} look like lists with {between} between the tags, such as "
        f"{shortened(example)}: write data.targets.{name}: tags and data.tags.separator: {separator!r}. If they are "
        "classes, data.min_class_count: 1 keeps each"
    )
