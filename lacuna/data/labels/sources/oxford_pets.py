"""The lists of the Oxford-IIIT Pet data set: `Abyssinian_100 1 1 1` is an image, its class, species and breed."""

from collections.abc import Sequence
from pathlib import Path

from lacuna.config.data import Data
from lacuna.data.labels.annotations.annotation_files import read_numbered_lines
from lacuna.data.labels.annotations.offered_targets import AnnotatedImages, Question, build_table
from lacuna.data.labels.label_table import LabelTable
from lacuna.errors import LacunaError
from lacuna.io.names import shortened
from lacuna.io.plurals import number_of

_EXPECTED = "a list of Oxford-IIIT Pets (lines of image, class, species and breed number)"

_SPECIES = {"1": "cat", "2": "dog"}

_PARTS = {"trainval.txt": "train", "test.txt": "test"}
"""The lists that make the official split. The validation part is cut from train."""


def read_oxford_pets(data: Data, _: Sequence[str] = ()) -> LabelTable:
    """Read `data.labels`: the categorical targets breed, called by the images' names, and species, cat or dog.

    Where trainval.txt and test.txt lie beside it, they are the split. Raises LacunaError with the line that is none of
    such a list, or that gives a class another name than above.
    """
    path = Path(data.labels)
    split = _read_split(path.parent)
    rows = AnnotatedImages()
    species, breed = Question("species"), Question("breed")
    called: dict[str, str] = {}
    for number, image, numbers in _read_list(path):
        name = image.rsplit("_", 1)[0].replace("_", " ")
        if called.setdefault(numbers[0], name) != name:
            raise LacunaError(
                f"{path}:{number}: {shortened(image)} is of class {shortened(numbers[0])}, which is "
                f"{shortened(called[numbers[0]])} above; expected one breed for each class"
            )
        row = rows.add(image, number, split.get(image, ""))
        species.add(row, _SPECIES[numbers[1]])
        breed.add(row, name)
    offers = [each.offer_the_word(len(rows), is_asked_for=False) for each in (breed, species)]
    notes = []
    if split and (n_without := rows.splits.count("")):
        notes.append(
            f"{number_of(n_without, 'image is', 'images are')} in none of {', '.join(_PARTS)} and dealt by Lacuna"
        )
    return build_table(path, data, rows, offers, notes)


def _read_list(path: Path) -> list[tuple[int, str, list[str]]]:
    """Of each line that is no comment its number, the image, and the numbers of class, species and breed."""
    found = []
    for number, line in read_numbered_lines(path, _EXPECTED):
        if line.startswith("#"):
            continue
        image, *numbers = line.split()
        if len(numbers) != 3 or not all(each.isascii() and each.isdigit() for each in numbers):
            raise LacunaError(f"{path}:{number}: expected {_EXPECTED}, received {shortened(line)}")
        if numbers[1] not in _SPECIES:
            raise LacunaError(f"{path}:{number}: species {shortened(numbers[1])}, expected 1 (cat) or 2 (dog)")
        found.append((number, image, numbers))
    return found


def _read_split(folder: Path) -> dict[str, str]:
    """The official part of each image, {} unless both lists are there."""
    if not all((folder / name).is_file() for name in _PARTS):
        return {}
    parts: dict[str, str] = {}
    for name, part in _PARTS.items():
        for number, image, _ in _read_list(folder / name):
            if parts.setdefault(image, part) != part:
                raise LacunaError(
                    f"{folder / name}:{number}: the image {shortened(image)} is in the other part as well"
                )
    return parts
