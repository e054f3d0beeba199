"""Which columns of a table name images: told by their cells, not by their names."""

from collections.abc import Mapping

import numpy as np

from lacuna.data.labels.label_table import WordColumn
from lacuna.data.labels.match_images import ImageFinder

LEAST_MATCHED = 0.05
"""So many of a column's words must name images, or the column names half of the images: labels may be there for many
more images than are."""

SAMPLE = 1000
"""Words of a column that are looked up before all are."""


def find_image_columns(columns: Mapping[str, WordColumn], finder: ImageFinder, n_images: int) -> list[str]:
    """The column that names most images, and those that name other ones, as of left and right eyes.

    Where the images are called 0.jpg, 1.jpg, ..., numbers name some by chance: what is more than a number comes first,
    and numbers that only count the rows come last.
    """
    named = {name: found for name, column in columns.items() if (found := _named(column, finder, n_images))}
    if not named:
        return []
    most = max(map(len, named.values()))
    rank = {name: _rank(columns[name]) for name, own in named.items() if len(own) > 0.5 * most}
    first = min(rank.values())
    chosen: list[str] = []
    seen: set[int] = set()
    for name in sorted((name for name in rank if rank[name] == first), key=lambda name: -len(named[name])):
        if not chosen or len(named[name] & seen) < 0.1 * len(named[name]):
            chosen.append(name)
            seen |= named[name]
    return chosen


def _named(column: WordColumn, finder: ImageFinder, n_images: int) -> set[int]:
    """The images that a column names, none where these are few of both."""
    words = [word for word in column.words if word]
    spread = tuple(words[:: -(-len(words) // SAMPLE) or 1])
    sample = WordColumn(np.arange(len(spread), dtype=np.int32), spread)
    n_found = sum(len(places) == 1 for places in finder.find(sample))
    if not n_found:
        return set()
    named = {places[0] for places in finder.find(column) if len(places) == 1}
    if len(named) > 0.5 * n_images:
        return named
    is_class = all(map(str.isdecimal, words)) and len(words) < 0.5 * len(column)  # the class 7 and the image 7.jpg
    return set() if is_class or n_found <= LEAST_MATCHED * len(spread) else named


def _rank(column: WordColumn) -> int:
    """0: names, 1: numbers, 2: the numbers of the rows."""
    if not all(word.isdecimal() for word in column.words if word):
        return 0
    counted = [str(number) for number in range(len(column) + 1)]
    return 2 if list(column.words) in (counted[:-1], counted[1:]) and len(column.words) == len(column) else 1
