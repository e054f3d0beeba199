"""Lists by number, as Caltech-UCSD Birds and NABirds have them: `images.txt` says which image a number is."""

from collections.abc import Sequence
from pathlib import Path

from lacuna.config.data import Data
from lacuna.data.labels.annotations.annotation_files import read_numbered_lines
from lacuna.data.labels.annotations.offered_targets import AnnotatedImages, Question, build_table
from lacuna.data.labels.label_table import LabelTable
from lacuna.errors import LacunaError
from lacuna.io.names import shortened
from lacuna.io.plurals import number_of

IMAGES, LABELS, CLASSES, SPLIT = "images.txt", "image_class_labels.txt", "classes.txt", "train_test_split.txt"

_PARTS = {"1": "train", "0": "test"}


def read_cub(data: Data, _: Sequence[str] = ()) -> LabelTable:
    """Read the folder `data.labels`: the categorical target class, of `images.txt`, `image_class_labels.txt` and
    `classes.txt`; `train_test_split.txt` (1 is train) is the split where it is there.

    An image without a class is unknown. Raises LacunaError with file and line at a number that stands twice or that no
    other list has.
    """
    folder = Path(data.labels)
    images = _read_list(folder / IMAGES)
    classes = _read_list(folder / CLASSES)
    labels = _read_list(folder / LABELS)
    parts = _read_list(folder / SPLIT) if (folder / SPLIT).is_file() else {}
    _check(folder / LABELS, labels, set(images), IMAGES, {*classes}, f"the numbers of {CLASSES}")
    _check(folder / SPLIT, parts, set(images), IMAGES, {*_PARTS}, "1 (train) or 0 (test)")
    rows, question = AnnotatedImages(), Question("class")
    for number, (line, name) in images.items():
        part = _PARTS[parts[number][1]] if number in parts else ""
        row = rows.add(name, line, part)
        if number in labels:
            question.add(row, classes[labels[number][1]][1])
    offers = [question.offer_the_word(len(rows), is_asked_for=False)]
    n_without = len(rows) - len(labels)
    notes = [f"{number_of(n_without, 'image')} of {IMAGES} without a class in {LABELS}"] * bool(n_without)
    return build_table(folder / IMAGES, data, rows, offers, notes)


def _read_list(path: Path) -> dict[str, tuple[int, str]]:
    """The line and what stands there of each number."""
    found: dict[str, tuple[int, str]] = {}
    for line, text in read_numbered_lines(path, "lines of a number and a name"):
        number, _, rest = text.partition(" ")
        if not rest.strip():
            raise LacunaError(f"{path}:{line}: expected a number and what it means, received {shortened(text)}")
        if number in found:
            raise LacunaError(f"{path}:{line}: {shortened(number)} stands in line {found[number][0]} as well")
        found[number] = line, rest.strip()
    return found


def _check(
    path: Path, listed: dict[str, tuple[int, str]], numbers: set[str], of: str, words: set[str], expected: str
) -> None:
    for number, (line, word) in listed.items():
        if number not in numbers:
            raise LacunaError(f"{path}:{line}: {shortened(number)} is no number of {of}")
        if word not in words:
            raise LacunaError(f"{path}:{line}: {shortened(word)}, expected one of {expected}")
