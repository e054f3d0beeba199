"""Label rows to integer labels of the images that ingest accepted."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import DisjointSet

from lacuna.config.blocks import Data
from lacuna.core.groups import smallest_members
from lacuna.core.manifest import PARTS, SPLIT_WORDS
from lacuna.core.targets import UNKNOWN, Target, Targets
from lacuna.data.labels.sources import Dropped, LabelFile, LabelRow
from lacuna.data.labels.split import NOT_GIVEN
from lacuna.errors import LacunaError

FEWEST_IMAGES = 10

ABSENT_PRESENT = ("absent", "present")

OTHER = "other"
"""The class that rare classes join where `data.rare_classes` says so."""

WordMap = dict[int, str | None]


@dataclass(frozen=True)
class Joined:
    """`rows`: for each labelled image, by its row in the image array, its label rows.

    `dropped`: the label rows without a usable image. `n_left_out` more belong to images that are not in the sample.
    """

    rows: dict[int, list[LabelRow]]
    dropped: list[Dropped]
    n_left_out: int = 0

    @property
    def repeated(self) -> list[LabelRow]:
        """The label rows of images that have a row before."""
        return sorted(row for rows in self.rows.values() for row in rows[1:])


@dataclass(frozen=True)
class Encoded:
    """`labels`: int16 `(n_images, n_targets)`, -1 unknown, images in order of their row.

    `contradictions`: per target, for each image whose own rows disagree, the line where they begin to; the cells are
    unknown. `rare`: per target its classes that were too small, with their number of images; the cells are of class
    OTHER where the target has it by `data.rare_classes`, unknown otherwise. `words`: per target the word of each image,
    by its row in the image array, before that; None = unknown, and a binary target's words are those of its classes.
    """

    targets: Targets
    labels: NDArray[np.int16]
    contradictions: dict[str, list[int]]
    rare: dict[str, dict[str, int]]
    words: dict[str, WordMap]


def join_labels(
    label_file: LabelFile,
    accepted: Mapping[str, int],
    rejected: Mapping[str, str],
    max_dropped: float,
    left_out: Collection[str] = (),
) -> Joined:
    """Find each label row's image among the `accepted` (name to row) or `rejected` (name to reason) files.

    A label's image may be the path below the image folder, or any ending of it, with or without suffix, as long as it
    fits one file. Rows of images that are `left_out` of the sample are no mistake and counted apart. Raises LacunaError
    when a row's image fits several files, when more than the share `max_dropped` of the others has no image, and when
    fewer than FEWEST_IMAGES have labels.
    """
    find = _finder([*accepted, *rejected, *left_out])
    left_out = frozenset(left_out)
    n_left_out = 0
    rows: dict[int, list[LabelRow]] = defaultdict(list)
    dropped = []
    for row in label_file.rows:
        found = find(row.image)
        if len(found) > 1:
            raise LacunaError(
                f"{label_file.path}:{row.line}: image {row.image!r} fits several files: {', '.join(found[:3])}; "
                "give its path below data.path"
            )
        if found and found[0] in accepted:
            rows[accepted[found[0]]].append(row)
        elif found and found[0] in left_out:
            n_left_out += 1
        else:
            dropped.append(Dropped(row.line, row.image, rejected[found[0]] if found else "no such image"))
    n_wanted = len(label_file.rows) - n_left_out
    if len(dropped) > max_dropped * n_wanted:
        raise LacunaError(
            f"{label_file.path}: {len(dropped)} of {n_wanted} rows have no usable image, more than "
            f"data.max_rejected = {max_dropped:g} allows; the first: "
            + "; ".join(f"{row.image} ({row.reason})" for row in dropped[:3])
        )
    if len(rows) < FEWEST_IMAGES:
        raise LacunaError(
            f"{label_file.path}: only {len(rows)} images have labels, too few for a training, a validation and a test "
            f"part; expected at least {FEWEST_IMAGES}"
        )
    return Joined(dict(sorted(rows.items())), dropped, n_left_out)


def _finder(names: list[str]) -> Callable[[str], list[str]]:
    exact = set(names)
    endings: dict[str, list[str]] = defaultdict(list)
    for name in names:
        path = PurePosixPath(name)
        bare = path.with_suffix("").parts
        for start in range(len(path.parts)):
            endings["/".join(path.parts[start:])].append(name)
            endings["/".join(bare[start:])].append(name)

    def find(image: str) -> list[str]:
        if image in exact:
            return [image]
        wanted = image.replace("\\", "/").removeprefix("./")
        return [wanted] if wanted in exact else endings.get(wanted, [])

    return find


def encode(
    label_file: LabelFile, joined: Joined, data: Data, corrected: Mapping[str, WordMap] | None = None
) -> Encoded:
    """Turn words into classes; the classes of a categorical target are its words, sorted.

    `corrected`: per target the words, as in Encoded, that stand in for those of the label file.

    Words of fewer than `data.min_class_count` images become unknown or, by `data.rare_classes`, join the class OTHER,
    unless that is too small itself. Raises LacunaError when a categorical target keeps fewer than two classes.
    """
    unknown = set(data.unknown)
    targets, columns, contradictions = [], [], {}
    classes: tuple[str, ...]
    rare: dict[str, dict[str, int]] = {}
    kept: dict[str, WordMap] = {}
    for column, (name, kind) in enumerate(label_file.targets.items()):
        stand_ins = (corrected or {}).get(name, {})
        if kind == "binary":
            word_class = dict.fromkeys(data.positive, "present") | dict.fromkeys(data.negative, "absent")
            words, contradictions[name] = _one_word_per_image(joined, column, unknown, word_class, stand_ins)
            kept[name] = dict(zip(joined.rows, words, strict=True))
            classes, rare[name] = ABSENT_PRESENT, {}
        else:
            words, contradictions[name] = _one_word_per_image(joined, column, unknown, {}, stand_ins)
            kept[name] = dict(zip(joined.rows, words, strict=True))
            counts = Counter(word for word in words if word is not None)
            rare[name] = {word: n for word, n in sorted(counts.items()) if n < data.min_class_count}
            if data.rare_classes == OTHER:
                words = [OTHER if word in rare[name] else word for word in words]
                counts = Counter(word for word in words if word is not None)
            classes = tuple(sorted(word for word in counts if counts[word] >= data.min_class_count))
            if len(classes) < 2:
                raise LacunaError(
                    f"target {name}: {len(classes)} classes have data.min_class_count = {data.min_class_count} known "
                    f"images or more, expected at least 2; {len(rare[name])} are smaller ({label_file.path})"
                )
        index = {word: number for number, word in enumerate(classes)}
        columns.append([UNKNOWN if word is None else index.get(word, UNKNOWN) for word in words])
        try:
            targets.append(Target(name, kind, classes))
        except ValueError as error:
            raise LacunaError(f"data.targets: {error}") from None
    return Encoded(Targets(tuple(targets)), np.array(columns, dtype=np.int16).T, contradictions, rare, kept)


def _one_word_per_image(
    joined: Joined, column: int, unknown: set[str], word_class: Mapping[str, str], stand_ins: WordMap
) -> tuple[list[str | None], list[int]]:
    """Each image's class in this column, None where unknown or contradictory, and the lines of contradictions."""
    merged: list[str | None] = []
    contradictions = []
    for place, rows in joined.rows.items():
        if place in stand_ins:
            merged.append(stand_ins[place])
            continue
        cells = [(row.line, row.labels[column]) for row in rows if row.labels[column] not in unknown]
        words = [word_class.get(cell, cell) for _, cell in cells]
        other = next((line for (line, _), word in zip(cells, words, strict=True) if word != words[0]), None)
        if other is not None:
            contradictions.append(other)
        merged.append(words[0] if words and other is None else None)
    return merged, sorted(contradictions)


def image_groups(joined: Joined, duplicate_group: NDArray[np.int64], data: Data) -> NDArray[np.int64]:
    """Join what must stay in one split: duplicates, and images with the same value in the group column.

    `duplicate_group`: for each row of the image array the number of its group of duplicates. Returns for each labelled
    image the smallest row among the labelled images of its group, int64 `(n_images,)`.
    """
    rows = np.array(list(joined.rows), dtype=np.int64)
    sets = DisjointSet(range(len(rows)))
    first: dict[int | str, int] = {}
    for position, (row, label_rows) in enumerate(joined.rows.items()):
        sets.merge(position, first.setdefault(int(duplicate_group[row]), position))
        for name in {label_row.group for label_row in label_rows} - set(data.unknown) - {""}:
            sets.merge(position, first.setdefault(name, position))
    return rows[smallest_members(sets)]


def identify(joined: Joined, sha256: Sequence[str], data: Data) -> list[str]:
    """What each labelled image is known by in a split: its value in the group column, or the hash of its content.

    `sha256`: of each labelled image, `(n_images,)`.
    """
    no_name = {*data.unknown, ""}
    names = [min({row.group for row in rows} - no_name, default="") for rows in joined.rows.values()]
    # Values sort before hashes: a copy without a value that joins a group does not change what the group is known by.
    return [f"group {name}" if name else f"image {digest}" for name, digest in zip(names, sha256, strict=True)]


def given_parts(label_file: LabelFile, joined: Joined, data: Data) -> NDArray[np.int8]:
    """The part of each labelled image that the split column gives, NOT_GIVEN where it is unknown, `(n_images,)`.

    Raises LacunaError at a word that names no part, and when one image is given two parts.
    """
    unknown = {*data.unknown, ""}
    parts = np.full(len(joined.rows), NOT_GIVEN, dtype=np.int8)
    for position, label_rows in enumerate(joined.rows.values()):
        for row in label_rows:
            if row.split in unknown:
                continue
            word = SPLIT_WORDS.get(row.split.lower())
            if word is None:
                raise LacunaError(
                    f"{label_file.path}:{row.line}: {row.split!r} names no split, expected train, val or test"
                )
            part = PARTS.index(word)
            if parts[position] not in (NOT_GIVEN, part):
                raise LacunaError(f"{label_file.path}:{row.line}: image {row.image!r} stands in another split above")
            parts[position] = part
    return parts
