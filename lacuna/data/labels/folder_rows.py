"""Rows that label whole folders, as of a study or a patient: every image in the folder has the row's labels."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lacuna.data.labels.label_table import LabelTable, WordColumn
from lacuna.data.labels.match_images import ImageFinder

SAMPLED = 1000


def images_in_folders(column: WordColumn, images: Sequence[str]) -> list[list[int]]:
    """For each of the column's words, the places of the images in the one folder that it names, and below.

    A folder is found as an image is, from the end of its path.

    >>> images_in_folders(WordColumn.of(["/old/p1/", "p2"]), ["xray/p1/1.png", "xray/p1/b/2.png", "xray/1.png"])
    [[0, 1], []]
    """
    if not column.words:
        return []
    below: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(images):
        folders = name.split("/")[:-1]
        for depth in range(1, len(folders) + 1):
            below["/".join(folders[:depth])].append(place)
    names = list(below)
    return [below[names[found[0]]] if len(found) == 1 else [] for found in ImageFinder(names).find(column)]


def spread_folders(table: LabelTable, images: Sequence[str], *, groups: bool) -> LabelTable:
    """The table with a row for each image in the folders that its rows name, where none of them names an image.

    `groups`: whether the images of a folder belong together.
    """
    words = table.image.words[:: -(-len(table.image.words) // SAMPLED) or 1]
    sample = WordColumn(np.arange(len(words), dtype=np.int32), words)
    if not images or any(ImageFinder(images).find(sample)):
        return table
    found = images_in_folders(table.image, images)
    pairs = [(row, place) for row, code in enumerate(table.image.code.tolist()) for place in found[code] or (-1,)]
    rows = np.array([row for row, _ in pairs], dtype=np.int64)
    named = [table.image[row] if place < 0 else images[place] for row, place in pairs]
    spread = replace(table.take(rows), image=WordColumn.of(named))
    return replace(spread, group=table.image.take(rows)) if groups and any(found) else spread
