"""Label rows to integer labels of the images."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.config.data import Data
from lacuna.core.targets import TOO_RARE, Target, Targets
from lacuna.data.labels.join import Joined
from lacuna.data.labels.label_table import LabelTable, WordColumn
from lacuna.errors import LacunaError

OTHER = "other"
"""The class that rare classes join where `data.rare_classes` says so."""

WordMap = dict[int, str | None]
"""Words by the place of an image among the labelled ones; None = unknown."""


@dataclass(frozen=True)
class Encoded:
    """`labels`: int16 `(n_images, n_targets)`, -1 unknown, -2 too rare, images in order of their row.

    `contradictions`: per target, for each image whose own rows disagree, the label row where they begin to; the cells
    are unknown. `rare`: per target its classes that were too small, with their number of images; the cells are of class
    OTHER where the target has it by `data.rare_classes`, too rare otherwise. `words`: per target the word of each image
    before that, `(n_images,)`; a binary target's words are those of its classes.
    """

    targets: Targets
    labels: NDArray[np.int16]
    contradictions: dict[str, list[int]]
    rare: dict[str, dict[str, int]]
    words: dict[str, WordColumn]


def encode(table: LabelTable, joined: Joined, data: Data, corrected: Mapping[str, WordMap] | None = None) -> Encoded:
    """Turn words into classes; the classes of a categorical target are its words, sorted.

    `corrected`: per target the words that stand in for those of the label file.

    Words of fewer than `data.min_class_count` images become TOO_RARE or, by `data.rare_classes`, join the class OTHER,
    unless that is too small itself. Raises LacunaError when a categorical target keeps fewer than two classes.
    """
    targets = []
    labels = np.empty((len(joined.image), len(table.targets)), dtype=np.int16)
    contradictions: dict[str, list[int]] = {}
    rare: dict[str, dict[str, int]] = {}
    words: dict[str, WordColumn] = {}
    for place, (name, kind) in enumerate(table.targets.items()):
        stand_ins = (corrected or {}).get(name, {})
        words[name], contradictions[name] = _one_word_per_image(table, joined, name, stand_ins)
        column, rare[name] = words[name], {}
        if kind == "categorical":
            column, rare[name] = _frequent_classes(column, data)
            if len(column.words) < 2:
                raise LacunaError(
                    f"target {name}: {len(column.words)} classes have data.min_class_count = {data.min_class_count} "
                    f"known images or more, expected at least 2; {len(rare[name])} are smaller ({table.path})"
                )
        labels[:, place] = np.where((column.code < 0) & (words[name].code >= 0), TOO_RARE, column.code)
        try:
            targets.append(Target(name, kind, column.words))
        except ValueError as error:
            raise LacunaError(f"data.targets: {error}") from None
    return Encoded(Targets(tuple(targets)), labels, contradictions, rare, words)


def _one_word_per_image(
    table: LabelTable, joined: Joined, name: str, stand_ins: WordMap
) -> tuple[WordColumn, list[int]]:
    """Each image's word, unknown where its rows contradict each other, and the label rows where they begin to."""
    column = table.labels[name]
    said = column.code[joined.row]
    n = len(joined.image)
    code = np.full(n, -1, dtype=np.int32)
    known = said >= 0
    code[joined.owner[known][::-1]] = said[known][::-1]  # the first that is known
    other = known & (said != code[joined.owner])
    other[np.isin(joined.owner, list(stand_ins))] = False
    contradicted, first = np.unique(joined.owner[other], return_index=True)
    code[contradicted] = -1
    words = {word: place for place, word in enumerate(column.words)}
    for place, word in stand_ins.items():
        code[place] = -1 if word is None else words.setdefault(word, len(words))
    return WordColumn(code, tuple(words)), sorted(joined.row[other][first].tolist())


def _frequent_classes(column: WordColumn, data: Data) -> tuple[WordColumn, dict[str, int]]:
    """The column with classes of `data.min_class_count` images or more, sorted, and those that are smaller."""
    counts = dict(zip(column.words, column.counts().tolist(), strict=True))
    rare = {word: n for word, n in sorted(counts.items()) if 0 < n < data.min_class_count}
    become = {word: OTHER if word in rare and data.rare_classes == OTHER else word for word in column.words}
    totals: dict[str, int] = {}
    for word, n in counts.items():
        totals[become[word]] = totals.get(become[word], 0) + n
    classes = tuple(sorted(word for word, n in totals.items() if n >= data.min_class_count))
    index = {word: place for place, word in enumerate(classes)}
    return WordColumn(column.recoded([index.get(become[word], -1) for word in column.words]), classes), rare
