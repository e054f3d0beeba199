"""Annotations of Label Studio as corrections: a row for each cell that people label otherwise than it is now."""

import io
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lacuna.config.data import Data
from lacuna.core.correction_table import COLUMNS, UNKNOWN_WORD
from lacuna.core.manifest import Manifest
from lacuna.core.targets import Targets
from lacuna.data.labels.corrections import Correction, meant_class, read_corrections
from lacuna.errors import LacunaError
from lacuna.io.atomic import atomic_file
from lacuna.io.csv_files import csv_writer
from lacuna.io.names import first_few, with_end
from lacuna.io.plurals import number_of
from lacuna.io.spreadsheets import escaped
from lacuna.labelling.annotations import Annotation, read_annotations
from lacuna.labelling.task_images import TaskImages

DEFAULT_FILE = "corrections/label_studio.csv"
"""Where the rows go when params.yaml names no corrections yet."""

SHOWN_DISAGREEMENTS = 20


class Cell(NamedTuple):
    image: str
    target: str


class LabelsNow:
    """The label of each cell: as prepare left it, or as a row that was added to the corrections since says."""

    def __init__(self, manifest: Manifest, targets: Targets, file: Path, data: Data) -> None:
        self.images: list[str] = manifest.image.tolist()
        self.targets = {target.name: target for target in targets}
        self._rows = {image: row for row, image in enumerate(self.images)}
        self._manifest, self._data = manifest, data
        self._corrected = {Cell(row.image, row.target): row.corrected for row in _rows_of(file)}

    def word(self, cell: Cell) -> str:
        if cell in self._corrected:
            return self._corrected[cell]
        index = int(self._manifest.labels[self._rows[cell.image], list(self.targets).index(cell.target)])
        return UNKNOWN_WORD if index < 0 else self.targets[cell.target].classes[index]

    def meaning(self, cell: Cell, word: str) -> str | None:
        """The class that a word stands for; None = unknown."""
        return meant_class(word, self.targets[cell.target], self._data)

    def are(self, cell: Cell, words: Sequence[str]) -> bool:
        """Whether each of the words stands for the label that the cell has."""
        return {self.meaning(cell, word) for word in words} == {self.meaning(cell, self.word(cell))}


@dataclass
class Imported:
    """rows: image, target, given and corrected. unchanged: cells that are labelled like this already. notes: what the
    user must know."""

    rows: list[tuple[str, str, str, str]] = field(default_factory=list)
    unchanged: int = 0
    notes: list[str] = field(default_factory=list)

    def describe(self, file: str) -> str:
        counts = Counter(target for _, target, _, _ in self.rows)
        said = ", ".join(f"{name} {count}" for name, count in counts.items())
        added = f"{number_of(len(self.rows), 'label')} added ({said})" if self.rows else "no new label"
        already = number_of(self.unchanged, "cell is", "cells are")
        return f"{file}: {added}; {already} labelled like this already"


def import_annotations(export: Path, file: Path, data: Data, prepared: Path) -> Imported:
    """Append what an export says anew to the corrections in `file`, which is made where it is not there yet.

    prepared: the folder that stage prepare wrote. Cells that annotators label differently become unknown. Raises
    LacunaError, and writes nothing, for a file that cannot be read, a word that is no class, and an export of which no
    task is of an image of the manifest.
    """
    targets = Targets.load(prepared / "targets.json")
    manifest = Manifest.load(prepared / "manifest.csv", targets)
    annotations = read_annotations(export, targets.names)
    imported = Imported()
    labels = LabelsNow(manifest, targets, file, data)
    for cell, word in _decide(export, annotations, labels, imported.notes).items():
        given = labels.word(cell)
        if labels.meaning(cell, given) == word:
            imported.unchanged += 1
        else:
            imported.rows.append((*cell, given, UNKNOWN_WORD if word is None else word))
    if imported.rows:
        _append(file, imported.rows)
    return imported


def _decide(
    export: Path,
    annotations: Sequence[Annotation],
    labels: LabelsNow,
    notes: list[str],
) -> dict[Cell, str | None]:
    """The class of each annotated cell; None = unknown."""
    images = TaskImages(labels.images)
    votes: dict[Cell, list[tuple[str | None, str]]] = defaultdict(list)
    elsewhere = []
    for annotation in annotations:
        image = images.find(annotation)
        if image is None:
            elsewhere.append(with_end(annotation.addresses[0]) if annotation.addresses else f"task {annotation.task}")
            continue
        for name, words in annotation.chosen.items():
            for word in words:
                vote = _check(export, annotation, Cell(image, name), word, labels), annotation.annotator
                votes[Cell(image, name)].append(vote)
        for name, words in annotation.emptied.items():
            if labels.are(cell := Cell(image, name), words):  # a label was taken out, and not just a suggestion
                votes[cell].append((None, annotation.annotator))
    if elsewhere and len(elsewhere) == len(annotations):
        raise LacunaError(
            f"{export}: no task is of a labelled image, as {first_few(elsewhere, 1)}; expected addresses that end like "
            "the images in data/prepared/manifest.csv"
        )
    if elsewhere:
        n = number_of(len(elsewhere), "annotation is", "annotations are")
        notes.append(f"{n} of no labelled image and left out: {first_few(elsewhere)}")
    if others := sorted(set().union(*(annotation.others for annotation in annotations))):
        few = first_few([with_end(name, 50) for name in others], 5)
        notes.append(f"choices that are of no target are left out: {few}")
    return _agreed(votes, notes)


def _check(export: Path, annotation: Annotation, cell: Cell, word: str, labels: LabelsNow) -> str | None:
    """The class that a chosen word means, None = unknown. Raises LacunaError for any other word."""
    meant, classes = labels.meaning(cell, word), labels.targets[cell.target].classes
    if meant is not None and meant not in classes:
        few = first_few([with_end(known, 30) for known in classes], 5)
        raise LacunaError(
            f"{export}: task {annotation.task}: {with_end(word)!r} is no class of {cell.target}, expected one of "
            f"{few}; a new class has to stand in the label file first"
        )
    return meant


def _agreed(votes: Mapping[Cell, Sequence[tuple[str | None, str]]], notes: list[str]) -> dict[Cell, str | None]:
    """The class on which all agree, unknown where they do not, which is noted cell by cell."""
    agreed: dict[Cell, str | None] = {}
    disagreements = []
    for cell, cast in votes.items():
        words = {word for word, _ in cast}
        agreed[cell] = next(iter(words)) if len(words) == 1 else None
        if len(words) > 1:
            shown = [
                (with_end(UNKNOWN_WORD if word is None else word, 40), with_end(who, 60)) for word, who in cast[:5]
            ]
            said = ", ".join(f"{word} (annotator {who})" for word, who in shown)
            disagreements.append(f"{cell.target} of {with_end(cell.image)} is labelled {said}: unknown")
    notes += disagreements[:SHOWN_DISAGREEMENTS]
    if len(disagreements) > SHOWN_DISAGREEMENTS:
        more = number_of(len(disagreements) - SHOWN_DISAGREEMENTS, "more cell is", "more cells are")
        notes.append(f"{more} labelled in two ways: unknown")
    return agreed


def _rows_of(file: Path) -> list[Correction]:
    return read_corrections(file) if file.exists() else []


def _append(file: Path, rows: Sequence[tuple[str, str, str, str]]) -> None:
    text = io.StringIO(newline="")
    before = file.read_bytes() if file.exists() else b""
    writer = csv_writer(text)
    if not before:
        writer.writerow(COLUMNS)
    writer.writerows(map(escaped, row) for row in rows)
    with atomic_file(file) as partial:
        line_end = b"" if not before or before.endswith(b"\n") else b"\n"
        partial.write_bytes(before + line_end + text.getvalue().encode())
