"""Labels that a person has corrected in the audit's tables, laid over those of the label file.

A CSV whose first columns are image, target, given and corrected; others are for the eye. A row with an empty
`corrected` changes nothing. `given` is what the label was when the row was written: a row that no longer fits is an
error, because then nobody knows what the person had in mind. Rows apply in order, so new ones can be appended, their
header included. An apostrophe before the sign of a formula, as the audit writes it, is no part of a cell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from lacuna.config.data import Data
from lacuna.core.correction_table import COLUMNS, UNKNOWN_WORD
from lacuna.core.targets import Target
from lacuna.data.labels.encode import OTHER, Encoded, WordMap, encode
from lacuna.data.labels.join import Joined
from lacuna.data.labels.label_table import LabelTable
from lacuna.data.labels.sources import binary_words, unknown_words
from lacuna.data.labels.tables.text_file import read_records, read_text
from lacuna.errors import LacunaError
from lacuna.io.names import listed, shortened
from lacuna.io.plurals import number_of
from lacuna.io.spreadsheets import unescaped


class Correction(NamedTuple):
    line: int
    image: str
    target: str
    given: str
    corrected: str


@dataclass(frozen=True)
class Corrected:
    """`source`: the file or "". `words`: the corrected cells of each target, by place of the image; None = unknown.

    `counts`: how many differ from the label file, by target. As text: a line below the table of labels, or nothing.
    """

    source: str
    words: dict[str, WordMap]
    counts: dict[str, int]

    def __str__(self) -> str:
        if not self.source:
            return ""
        said = ", ".join(f"{name} {count}" for name, count in self.counts.items() if count)
        total = sum(self.counts.values())
        what = said or "each is what the label file says already"
        return f"\n{number_of(total, 'label')} corrected by {self.source}: {what}"


def encode_corrected(table: LabelTable, joined: Joined, data: Data, names: Sequence[str]) -> tuple[Encoded, Corrected]:
    """Encode the labels with the corrections that `data.corrections` names; names: those of the labelled images."""
    encoded = encode(table, joined, data)
    if not data.corrections:
        return encoded, Corrected("", {}, {})
    path = Path(data.corrections)
    places = {name: place for place, name in enumerate(names)}
    corrected = resolve(path, read_corrections(path), places, encoded, data)
    return encode(table, joined, data, corrected.words), corrected


def read_corrections(path: Path) -> list[Correction]:
    """The rows that correct something. Raises LacunaError when the file is missing or lacks the columns."""
    found = []
    for lines, cells, flaw in read_records(path, read_text(path, "data.corrections")):
        line, n_columns = lines[0], len(COLUMNS)
        if flaw:
            raise LacunaError(f"{path}:{line}: {flaw}")
        is_header = tuple(cell.strip() for cell in cells[:n_columns]) == COLUMNS
        if line == 1 and not is_header:
            raise LacunaError(f"{path}:1: expected the columns {','.join(COLUMNS)} first, received {listed(cells)}")
        if not any(cells) or is_header:
            continue
        if len(cells) < n_columns:
            raise LacunaError(f"{path}:{line}: {number_of(len(cells), 'cell')}, expected {','.join(COLUMNS)}")
        image, target, given, corrected = (unescaped(cell.strip()) for cell in cells[:n_columns])
        if corrected:
            found.append(Correction(line, image, target, given, corrected))
    return found


def resolve(
    path: Path, corrections: list[Correction], places: Mapping[str, int], encoded: Encoded, data: Data
) -> Corrected:
    """Check the corrections against the labels as they are and find the cells to change.

    places: those of the labelled images, by their names. encoded: the label file alone. Raises
    LacunaError with file and line at an unknown image or target, at a word that is no class, and where `given` is not
    what stands there.
    """
    targets = {target.name: target for target in encoded.targets}
    changed: dict[str, WordMap] = {name: {} for name in targets}
    for correction in corrections:
        where = f"{path}:{correction.line}"
        if correction.image not in places:
            raise LacunaError(
                f"{where}: {shortened(correction.image)} is no labelled image{_like(correction.image, places)}"
            )
        if correction.target not in targets:
            raise LacunaError(
                f"{where}: {shortened(correction.target)} is no target, expected one of {listed(list(targets))}"
            )
        target, place, rare = targets[correction.target], places[correction.image], encoded.rare[correction.target]
        before = changed[correction.target].get(place, encoded.words[correction.target][place] or None)
        seen = {_shown(before, rare, target), before or UNKNOWN_WORD}
        if meant_class(correction.given, target, data) not in {meant_class(word, target, data) for word in seen}:
            raise LacunaError(
                f"{where}: {correction.target} of {correction.image} is {_shown(before, rare, target)}, not "
                f"{correction.given} as the row says: the label has changed since; correct the row or take it out"
            )
        word = meant_class(correction.corrected, target, data)
        classes = {*target.classes, *rare}
        if word is not None and word not in classes:
            raise LacunaError(
                f"{where}: {shortened(correction.corrected)} is no class of {correction.target}"
                f"{_like(correction.corrected, classes)}; {UNKNOWN_WORD} makes the label unknown"
            )
        changed[correction.target][place] = word
    counts = {
        name: sum((word or "") != encoded.words[name][place] for place, word in cells.items())
        for name, cells in changed.items()
    }
    return Corrected(str(path), changed, counts)


def meant_class(word: str, target: Target, data: Data) -> str | None:
    """The class that a word stands for; None = unknown. Classes come first: one may be called like an unknown word."""
    if word in target.classes:
        return word
    if word == UNKNOWN_WORD or word in unknown_words(target.name, data):
        return None
    if target.kind == "binary":
        meaning = binary_words(target.name, data).get(word)
        return word if meaning is None else target.classes[meaning]
    return word


def _shown(word: str | None, rare: Mapping[str, int], target: Target) -> str:
    """A label as the audit's tables show it, after rare classes were folded."""
    if word in rare:
        return OTHER if OTHER in target.classes else UNKNOWN_WORD
    return UNKNOWN_WORD if word is None else word


def _like(word: str, words: Mapping[str, object] | set[str]) -> str:
    close = get_close_matches(word, list(words), n=1)
    return f", did you mean {shortened(close[0])}?" if close else ""
