"""Label Studio's exports, JSON, JSON_MIN and CSV: choices, and objects as "has such an object"."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lacuna.config.data import Data
from lacuna.data.labels.annotations.annotation_files import as_word, read_pieces
from lacuna.data.labels.annotations.json_items import read_json_items
from lacuna.data.labels.annotations.label_studio_images import ImageNames
from lacuna.data.labels.annotations.label_studio_records import Answer, read_csv_tasks, read_task
from lacuna.data.labels.annotations.offered_targets import AnnotatedImages, Offer, Question, build_table
from lacuna.data.labels.label_table import LabelTable
from lacuna.errors import LacunaError
from lacuna.io.names import listed

_EXPECTED = "a Label Studio export (JSON, JSON_MIN or CSV)"


def read_label_studio(data: Data, images: Sequence[str]) -> LabelTable:
    """Read `data.labels`, a row for each annotation; predictions, skipped and unannotated tasks give none.

    A control with one choice for each image is a categorical target. One with several, and the labels of objects, give
    a binary target for each word, absent where the image was annotated without it. `data.image_column` names the
    tasks' image where they have several. Raises LacunaError with line and item where the file is no such export.
    """
    path = Path(data.labels)
    names = ImageNames(data.image_columns[0], images)
    rows = AnnotatedImages()
    questions = _Questions()
    n_tasks = 0
    for place, line, task in _read_tasks(path):
        n_tasks += 1
        fields, annotations = read_task(task, place)
        for answers in annotations:
            row = rows.add(names.find(fields, place), line)
            for answer in answers:
                questions.add(row, answer, place)
    if not len(rows):
        raise LacunaError(
            f"{path}: none of its {n_tasks} tasks is annotated; predictions and skipped tasks do not count"
        )
    return build_table(path, data, rows, questions.offers(len(rows)), questions.notes(data))


def _read_tasks(path: Path) -> Iterator[tuple[str, int, Any]]:
    """Where each task stands, its line, and its content as JSON."""
    start = next((piece.lstrip() for piece in read_pieces(path, _EXPECTED)), "")
    if start[:1] not in ("[", "{", "<"):
        yield from read_csv_tasks(path, _EXPECTED)
        return
    for item in read_json_items(path, _EXPECTED):
        if item.key:
            raise LacunaError(
                f"{path}: this is a JSON object with {item.key[:40]!r}; expected {_EXPECTED}, a list of tasks"
            )
        if item.number:
            yield item.place(path), item.line, item.value


class _Questions:
    """The controls that were met, and what is known of each: whether it takes several words, which rows answer it."""

    def __init__(self) -> None:
        self._questions: dict[str, Question] = {}
        self._takes_several: set[str] = set()
        self._rows: dict[str, list[int]] = {}
        self._unread: dict[str, str] = {}
        self._unsure: dict[str, bool] = {}

    def add(self, row: int, answer: Answer, place: str) -> None:
        if answer.kind not in ("choices", "labels"):
            self._unread.setdefault(answer.control, answer.kind)
            return
        self._unsure[answer.control] = self._unsure.get(answer.control, True) and not answer.is_sure
        question = self._questions.setdefault(answer.control, Question(answer.control))
        for word in answer.words:
            question.add(row, as_word(word, place, "a choice"))
        answered = self._rows.setdefault(answer.control, [])
        if answer.kind == "labels" or len(set(answer.words)) > 1:
            self._takes_several.add(answer.control)
        answered.append(row)

    def offers(self, n_rows: int) -> list[Offer]:
        offers = []
        for name, question in self._questions.items():
            several = name in self._takes_several
            asked = np.zeros(n_rows, dtype=np.bool_)
            asked[self._rows[name]] = True
            the_word = question.offer_the_word(n_rows, is_asked_for=several)
            each = question.offer_each_word(n_rows, None if several else asked)
            if self._unsure[name] or not several:
                each = [replace(offer, is_asked_for=True) for offer in each]
            offers += [replace(the_word, is_asked_for=several or self._unsure[name]), *each]
        return offers

    def notes(self, data: Data) -> list[str]:
        if data.targets:
            return []
        notes = []
        if unread := [f"{name[:25]} ({kind[:10]})" for name, kind in self._unread.items()]:
            notes.append(f"{len(unread)} controls are neither choices nor labels and are not read: {listed(unread)}")
        if unsure := [name for name, is_unsure in self._unsure.items() if is_unsure]:
            notes.append(
                f"{len(unsure)} fields stand before id and are taken for the task's own, not for choices, unless "
                f"data.targets names them: {listed(unsure)}"
            )
        return notes
