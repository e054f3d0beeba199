"""Rows of image, label and confidence, as Open Images has them: 1 was verified to be there, 0 not to be there."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.config.data import Data
from lacuna.data.labels.annotations.offered_targets import (
    NOT_SEEN,
    SEEN_ABSENT,
    SEEN_PRESENT,
    AnnotatedImages,
    Offer,
    binary_column,
    build_table,
)
from lacuna.data.labels.annotations.open_images_csv import Verdicts, read_class_descriptions, read_verdicts
from lacuna.data.labels.label_table import LabelTable, WordColumn
from lacuna.io.names import listed
from lacuna.io.plurals import number_of


def read_open_images(data: Data, _: Sequence[str] = ()) -> LabelTable:
    """Read `data.labels`: a binary target of each label, unknown in images that have no row of it.

    Labels are called by `*class-descriptions*.csv` where such files lie beside it. Rows of `Source` machine and
    confidences between 0 and 1 are predictions and left out. An image of which rows say both gets two rows, so that
    the contradiction is seen. Raises LacunaError with the line of the first row that is no such row.
    """
    path = Path(data.labels)
    verdicts = read_verdicts(path)
    called = read_class_descriptions(path.parent)
    places = _Places(verdicts)
    never = []
    offers = []
    for code, label in enumerate(verdicts.label.words):
        name = called.get(label, label)
        if is_never := not places.is_ever_present[code]:
            never.append(name)
        offers.append(Offer(name, "", ("binary",), lambda code=code: places.column(code), is_never))  # type: ignore[misc]
    notes = list(verdicts.notes)
    if never:
        n = number_of(len(never), "label is", "labels are")
        notes.append(f"{n} present in no image, and so no target: {listed(never)}")
    return build_table(path, data, places.rows, offers, notes)


class _Places:
    """The row of each verdict: that of its image, and for "absent" a second one where the image has both of a label."""

    def __init__(self, verdicts: Verdicts) -> None:
        n_images = len(verdicts.image.words)
        pair = verdicts.label.code.astype(np.int64) * n_images + verdicts.image.code
        contradicts = ~verdicts.is_present & np.isin(pair, pair[verdicts.is_present])
        torn, place = np.unique(verdicts.image.code[contradicts], return_inverse=True)
        first = np.zeros(n_images, dtype=np.int64)
        first[verdicts.image.code[::-1]] = verdicts.line[::-1]
        self.rows = AnnotatedImages()
        for image, line in zip(verdicts.image.words, first.tolist(), strict=True):
            self.rows.add(image, line)
        for image in torn.tolist():
            self.rows.add(verdicts.image.words[image], int(first[image]))
        row = verdicts.image.code.astype(np.int64)
        row[contradicts] = n_images + place
        order = np.argsort(verdicts.label.code, kind="stable")
        self._row = row[order]
        self._is_present = verdicts.is_present[order]
        self._bounds = np.searchsorted(verdicts.label.code[order], np.arange(len(verdicts.label.words) + 1))
        self.is_ever_present: NDArray[np.bool_] = np.zeros(len(verdicts.label.words), dtype=np.bool_)
        self.is_ever_present[verdicts.label.code[verdicts.is_present]] = True

    def column(self, label: int) -> WordColumn:
        here = slice(self._bounds[label], self._bounds[label + 1])
        states = np.full(len(self.rows), NOT_SEEN, dtype=np.int8)
        states[self._row[here]] = np.where(self._is_present[here], SEEN_PRESENT, SEEN_ABSENT)
        return binary_column(states)
