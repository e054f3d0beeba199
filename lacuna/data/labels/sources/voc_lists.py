"""The lists of Pascal VOC's classification task: `cat_train.txt` has lines `2008_000008 -1`, 1 where a cat is there."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from lacuna.config.data import Data
from lacuna.data.labels.annotations.annotation_files import read_numbered_lines
from lacuna.data.labels.annotations.offered_targets import (
    NOT_SEEN,
    SEEN_ABSENT,
    SEEN_PRESENT,
    AnnotatedImages,
    Offer,
    binary_column,
    build_table,
)
from lacuna.data.labels.label_table import LabelTable, WordColumn
from lacuna.errors import LacunaError
from lacuna.io.names import shortened

_NAME = re.compile(r"(.+)_(train|val|test|trainval)\.txt")
_STATES = {"1": SEEN_PRESENT, "-1": SEEN_ABSENT, "0": NOT_SEEN}
_EXPECTED = "lines of an image and 1, -1 or 0, as Pascal VOC has them"


def class_of_list(path: Path) -> str:
    """The class whose list a file is by its name, "" for none.

    >>> class_of_list(Path("ImageSets/Main/cat_trainval.txt"))
    'cat'
    """
    found = _NAME.fullmatch(path.name)
    return found[1] if found else ""


def read_voc_lists(data: Data, _: Sequence[str] = ()) -> LabelTable:
    """Read the lists in the folder `data.labels`: a binary target of each class, 1 present, -1 absent, 0 (difficult to
    see) and no line unknown.

    Train, val and test in the lists' names are the split; `trainval` lists are read where the others are not there.
    Raises LacunaError with file and line at other values, and at an image of two parts.
    """
    folder = Path(data.labels)
    named = [(path, _NAME.fullmatch(path.name)) for path in sorted(folder.glob("*.txt"))]
    lists = [(path, found[1], found[2]) for path, found in named if found]
    parts = {part for _, _, part in lists}
    lists = [one for one in lists if one[2] != "trainval" or not parts & {"train", "val"}]
    if not lists:
        raise LacunaError(f"{folder}: no list such as cat_train.txt in this folder (data.labels); expected {_EXPECTED}")
    rows = AnnotatedImages()
    place: dict[str, int] = {}
    states: dict[str, dict[int, int]] = {}
    for path, name, part in lists:
        split = "" if part == "trainval" else part
        of_class = states.setdefault(name, {})
        for number, line in read_numbered_lines(path, _EXPECTED):
            image, *words = line.split()
            if len(words) != 1 or words[0] not in _STATES:
                raise LacunaError(f"{path}:{number}: expected an image and 1, -1 or 0, received {shortened(line)}")
            row = place[image] if image in place else place.setdefault(image, rows.add(image, 0, split))
            if rows.splits[row] != split:
                raise LacunaError(
                    f"{path}:{number}: the image {shortened(image)} is in the part {rows.splits[row]} as well"
                )
            of_class[row] = _STATES[words[0]]
    offers = [Offer(name, "", ("binary",), partial(_column, found, len(rows))) for name, found in states.items()]
    return build_table(folder, data, rows, offers)


def _column(found: dict[int, int], n_rows: int) -> WordColumn:
    states = np.full(n_rows, NOT_SEEN, dtype=np.int8)
    states[list(found)] = list(found.values())
    return binary_column(states)
