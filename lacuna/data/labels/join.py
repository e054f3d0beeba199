"""Label rows meet the images that ingest accepted, groups and given parts included."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lacuna.config.data import Data
from lacuna.core.manifest import PARTS, SPLIT_WORDS
from lacuna.data.labels.label_table import Dropped, LabelTable, WordColumn
from lacuna.data.labels.match_images import ImageFinder
from lacuna.data.labels.name_pattern import read_names
from lacuna.data.labels.split import NOT_GIVEN, Identity
from lacuna.errors import LacunaError
from lacuna.io.names import listed, shortened
from lacuna.io.plurals import number_of

FEWEST_IMAGES = 10
NO_IMAGE = "no such image"


@dataclass(frozen=True)
class Joined:
    """The label rows that belong to an image, sorted by image.

    `image`: the labelled images' rows in the image array, rising, int64 `(n_images,)`. `row`: label rows, those of an
    image in the order of the file, int64 `(n_rows,)`. `owner`: the place in `image` of each, int64 `(n_rows,)`.
    `dropped`: the label rows without a usable image; `n_without_file` of them name none that there is. `n_left_out`
    more belong to images that are not in the sample. `by_name`: images that were found by their file name alone.
    """

    image: NDArray[np.int64]
    row: NDArray[np.int64]
    owner: NDArray[np.int64]
    dropped: list[Dropped]
    n_without_file: int = 0
    n_left_out: int = 0
    by_name: tuple[str, ...] = ()

    @property
    def repeated(self) -> NDArray[np.int64]:
        """The label rows of images that have a row before, in the order of the file."""
        return np.sort(self.row[1:][self.owner[1:] == self.owner[:-1]])


def join_labels(
    table: LabelTable,
    names: Sequence[str],
    rejected: Mapping[str, str],
    data: Data,
    left_out: Collection[str] = (),
) -> Joined:
    """Find each label row's image in `names`: the usable images by their row in the image array, then those that are
    `rejected` (name to reason), then those that are `left_out` of the sample.

    Rows of the last are no mistake and counted apart. Raises LacunaError when a row's image fits several files, when
    more than the share `data.max_rejected` of the others has no image, unless `data.labels_without_images` is ignore,
    and when fewer than FEWEST_IMAGES have labels.
    """
    n_there = len(names) - len(left_out)
    n_usable = n_there - len(rejected)
    finder = ImageFinder(names)
    found, several = finder.locate(table.image)
    for word, places in several.items():
        row = int(np.argmax(table.image.code == word))
        raise LacunaError(
            f"{table.place(row)}: image {shortened(table.image.words[word])} fits several files: "
            f"{listed([names[place] for place in places])}; give its path below data.path"
        )
    place = found[table.image.code]
    usable = np.flatnonzero((place >= 0) & (place < n_usable))
    rows = usable[np.argsort(place[usable], kind="stable")]
    is_first = np.diff(place[rows], prepend=-1) > 0
    image, owner = place[rows[is_first]], np.cumsum(is_first) - 1

    lost = np.flatnonzero((place < 0) | ((place >= n_usable) & (place < n_there)))
    reasons = ["" if spot < 0 else rejected[names[spot]] for spot in place[lost].tolist()]
    dropped = []
    for row, reason in zip(lost.tolist(), reasons, strict=True):
        file = f"{table.file[row]}: " if table.of_several_files else ""
        dropped.append(Dropped(int(table.line[row]), table.image[row], f"{file}{reason or NO_IMAGE}"))
    n_left_out = int((place >= n_there).sum())
    joined = Joined(image, rows, owner, dropped, reasons.count(""), n_left_out, tuple(finder.by_name))
    _check_losses(table, joined, data)
    return joined


def _check_losses(table: LabelTable, joined: Joined, data: Data) -> None:
    ignores = data.labels_without_images == "ignore"
    counted = [row for row in joined.dropped if not (ignores and row.reason == NO_IMAGE)]
    n_wanted = len(table) - joined.n_left_out - (joined.n_without_file if ignores else 0)
    if len(counted) > data.max_rejected * n_wanted:
        example = "; ".join(f"{shortened(row.image)} ({row.reason[:100]})" for row in counted[:3])
        advice = ""
        if joined.n_without_file and not ignores:
            advice = "; data.labels_without_images: ignore takes the images that are there"
        raise LacunaError(
            f"{table.path}: {len(counted)} of {n_wanted} rows have no usable image, more than data.max_rejected = "
            f"{data.max_rejected:g} allows; the first: {example}{advice}"
        )
    if len(joined.image) < FEWEST_IMAGES:
        lost = f"; {number_of(len(joined.dropped), 'row has', 'rows have')} no image" if joined.dropped else ""
        raise LacunaError(
            f"{table.path}: only {number_of(len(joined.image), 'image has', 'images have')} labels, too few for a "
            f"training, a validation and a test part; expected at least {FEWEST_IMAGES}{lost}"
        )


def image_groups(
    table: LabelTable, joined: Joined, duplicate_group: NDArray[np.int64], folders: WordColumn, data: Data
) -> NDArray[np.int64]:
    """Join what must stay in one split: duplicates, and images with the same value in the group column or folder.

    `duplicate_group`, `folders`: of each labelled image, the number of its group of duplicates and what `group_folders`
    tells. Returns for each the smallest row among the labelled images of its group, int64 `(n_images,)`.
    """
    n = len(joined.image)
    _, copies = np.unique(duplicate_group, return_inverse=True)
    value = table.group.code[joined.row]
    named = _is_name(table, data)[value]
    inside = np.flatnonzero(np.array([word != "" for word in folders.words], dtype=bool)[folders.code])
    # A graph of images, of groups of copies, of values and folders: what hangs together stays together.
    left = np.concatenate([np.arange(n), joined.owner[named], inside])
    values = copies.max(initial=-1) + 1 + value[named]
    right = n + np.concatenate(
        [copies, values, copies.max(initial=-1) + 1 + len(table.group.words) + folders.code[inside]]
    )
    size = int(right.max(initial=n - 1)) + 1
    edges = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(size, size))
    _, component = connected_components(edges, directed=False)
    smallest = np.full(size, np.iinfo(np.int64).max)
    np.minimum.at(smallest, component[:n], joined.image)
    return smallest[component[:n]]


def group_folders(images: pa.Array, data: Data) -> WordColumn:
    """The first `data.group_folders` folders in each image's path, or the group in its name by `data.name_pattern`.

    It is "" where the image lies higher up or is called otherwise, and where neither counts.

    >>> from types import SimpleNamespace
    >>> names = pa.array(["anna/1/a.png", "anna/b.png", "c.png"])
    >>> found = group_folders(names, SimpleNamespace(group_folders=1, name_pattern=""))
    >>> found.words, found.code.tolist()
    (('anna', ''), [0, 0, 1])
    >>> named = SimpleNamespace(group_folders=0, name_pattern="(?P<group>.+)_(?:left|right)")
    >>> found = group_folders(pa.array(["1_left.png", "x/1_right.png", "c.png"]), named)
    >>> found.words, found.code.tolist()
    (('1', ''), [0, 0, 1])
    """
    if "(?P<group>" in data.name_pattern:
        return read_names(data.name_pattern, images.to_pylist())[0]["group"]
    if not data.group_folders:
        return WordColumn.constant("", len(images))
    pattern = rf"^(?P<folder>(?:[^/]*/){{{data.group_folders - 1}}}[^/]*)/"
    folders = pc.struct_field(pc.extract_regex(images, pattern), "folder").fill_null("").dictionary_encode()
    return WordColumn(folders.indices.to_numpy(), tuple(folders.dictionary.to_pylist()))


def _is_name(table: LabelTable, data: Data) -> NDArray[np.bool_]:
    """Which words of the group column are values, not gaps, bool `(n_words,)`."""
    return np.array([word not in ("", *data.unknown) for word in table.group.words], dtype=bool)


def identify(table: LabelTable, joined: Joined, sha256: pa.Array, folders: WordColumn, data: Data) -> Identity:
    """What each labelled image is known by in a split: its value in the group column, its folder, or the hash of its
    content.

    `sha256`, `folders`: of each labelled image, `(n_images,)`.
    """
    # Values sort before hashes: a copy without a value that joins a group does not change what the group is known by.
    words = [f"folder {word}" if word else None for word in folders.words]
    known = pa.array(words, pa.string()).take(pa.array(folders.code))
    value = table.group.code[joined.row]
    named = _is_name(table, data)[value]
    if named.any():
        order = np.argsort(np.array(table.group.words, dtype=object))  # of the several values of an image the least
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        least = np.full(len(joined.image), len(order))
        np.minimum.at(least, joined.owner[named], rank[value[named]])
        words = [f"group {table.group.words[place]}" for place in order.tolist()]
        known = pc.min_element_wise(pa.array([*words, None], pa.string()).take(pa.array(least)), known)
    return pa.table({"named": known, "sha256": sha256})


def given_parts(table: LabelTable, joined: Joined, data: Data) -> NDArray[np.int8]:
    """The part of each labelled image that the split column gives, NOT_GIVEN where it is unknown, `(n_images,)`.

    Raises LacunaError at a word that names no part, and when one image is given two parts.
    """
    unknown = {*data.unknown, ""}
    wrong = -2
    parts_of_words = {word: PARTS.index(part) for word, part in SPLIT_WORDS.items()} | dict.fromkeys(unknown, NOT_GIVEN)
    meaning = [parts_of_words.get(word, parts_of_words.get(word.lower(), wrong)) for word in table.split.words]
    said = np.array(meaning, dtype=np.int8)[table.split.code[joined.row]]
    if (said == wrong).any():
        row = int(joined.row[said == wrong].min())
        raise LacunaError(
            f"{table.place(row)}: {shortened(table.split[row])} names no split, expected train, val or test"
        )
    parts = np.full(len(joined.image), NOT_GIVEN, dtype=np.int8)
    given = said != NOT_GIVEN
    parts[joined.owner[given][::-1]] = said[given][::-1]  # the first that is given
    other = given & (said != parts[joined.owner])
    if other.any():
        row = int(joined.row[other].min())
        image = joined.owner[joined.row == row][0]
        first = int(joined.row[given & (joined.owner == image)][0])
        raise LacunaError(
            f"{table.place(row)}: image {shortened(table.image[row])} stands in another split than in "
            f"{table.place(first)}; take one of the rows out"
        )
    return parts
