"""CelebA's list of attributes: how many images, the attributes' names, then a row of -1 and 1 for each image."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from lacuna.config.data import Data
from lacuna.data.labels.annotations.annotation_files import describe_text, read_numbered_lines
from lacuna.data.labels.annotations.offered_targets import (
    NOT_SEEN,
    SEEN_ABSENT,
    SEEN_PRESENT,
    AnnotatedImages,
    Offer,
    binary_column,
    build_table,
)
from lacuna.data.labels.label_table import LabelTable
from lacuna.errors import LacunaError
from lacuna.io.names import shortened
from lacuna.io.plurals import number_of

_EXPECTED = "CelebA's list of attributes (the count, the names, then a row of -1 and 1 for each image)"

PARTITION = "list_eval_partition.txt"

_CUT = "is the file cut off?"

_PARTS = {"0": "train", "1": "val", "2": "test"}


def read_celeba(data: Data, _: Sequence[str] = ()) -> LabelTable:
    """Read `data.labels`: a binary target of each attribute, present at 1, absent at -1, unknown at `data.unknown`.

    Where `list_eval_partition.txt` lies beside it or, as CelebA has it, in `../Eval`, it gives the split. Raises
    LacunaError with the line where a row does not fit, and when there are not as many rows as the first line says.
    """
    path = Path(data.labels)
    lines = read_numbered_lines(path, _EXPECTED)
    count = _count(path, lines)
    names = next(lines, (2, ""))[1].split()
    if names[:1] == ["image_name"]:
        raise LacunaError(
            f"{path}:2: a list of DeepFashion, which is not read; make a CSV of it: "
            f"pandas.read_csv({path.name!r}, sep=r'\\s+', skiprows=2, header=None).to_csv('labels.csv')"
        )
    if not names or len(set(names)) < len(names):
        raise LacunaError(f"{path}:2: expected the attributes' names, each once, between blanks")
    states = {"1": SEEN_PRESENT, "-1": SEEN_ABSENT} | {
        word: NOT_SEEN for word in data.unknown if word not in ("1", "-1")
    }
    split = _read_partition(path)
    rows = AnnotatedImages()
    cells = bytearray()
    for number, line in lines:
        image, *words = line.split()
        if len(words) != len(names):
            raise LacunaError(f"{path}:{number}: {len(words)} attributes, expected {len(names)}; {_CUT}")
        if wrong := next((word for word in words if word not in states), None):
            raise LacunaError(f"{path}:{number}: {shortened(wrong)} is no attribute's value, expected -1 or 1")
        cells.extend(map(states.__getitem__, words))
        rows.add(image, number, split.get(image, ""))
    if len(rows) != count:
        raise LacunaError(f"{path}: {len(rows)} rows, its first line says {count}; {_CUT}")
    table = np.frombuffer(cells, dtype=np.int8).reshape(len(rows), len(names))
    offers = [Offer(name, "", ("binary",), partial(binary_column, table[:, place])) for place, name in enumerate(names)]
    notes = []
    if split and (n_without := rows.splits.count("")):
        notes.append(f"{number_of(n_without, 'image is', 'images are')} in no part by {PARTITION} and dealt by Lacuna")
    return build_table(path, data, rows, offers, notes)


def _count(path: Path, lines: Iterator[tuple[int, str]]) -> int:
    first = next(lines)[1]
    if not (first.isascii() and first.isdigit() and len(first) < 12):
        table = "; data.source: table reads a CSV with a header" if "," in first else ""
        raise LacunaError(f"{path}:1: this is {describe_text(first)}, expected {_EXPECTED}{table}")
    return int(first)


def _read_partition(path: Path) -> dict[str, str]:
    """The part of each image, {} without such a file."""
    places = (path.parent / PARTITION, path.parent.parent / "Eval" / PARTITION)
    found = next((place for place in places if place.is_file()), None)
    parts: dict[str, str] = {}
    for number, line in read_numbered_lines(found, "lines of an image and 0, 1 or 2") if found else ():
        image, *words = line.split()
        if len(words) != 1 or words[0] not in _PARTS:
            raise LacunaError(
                f"{found}:{number}: expected an image and 0, 1 or 2 (train, val, test), received {shortened(line)}"
            )
        if parts.setdefault(image, _PARTS[words[0]]) != _PARTS[words[0]]:
            raise LacunaError(f"{found}:{number}: the image {shortened(image)} is in another part above")
    return parts
