"""Lists in cells: `cat|dog` says that both are there. Each tag becomes a binary target."""

import ast
import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from lacuna.config.data import Tags
from lacuna.core.targets import check_name
from lacuna.data.labels.label_table import WordColumn
from lacuna.errors import LacunaError
from lacuna.io.names import listed
from lacuna.io.plurals import number_of

SEPARATORS = ("|", ";", ",", "")
"""What people put between tags; "" are blanks."""

MOST_TAGS = 1000
MOST_LIST_CHARACTERS = 20_000
"""Of a list in one cell."""

ABSENT, PRESENT = 0, 1


def split_cell(cell: str, separator: str) -> list[str]:
    """The tags in a cell: as JSON or Python write lists, or between separators.

    >>> split_cell("haze primary", ""), split_cell("a| b|", "|"), split_cell('["a", "b, c"]', ",")
    (['haze', 'primary'], ['a', 'b'], ['a', 'b, c'])
    """
    if cell.startswith("[") and cell.endswith("]") and len(cell) <= MOST_LIST_CHARACTERS:
        for parse in (json.loads, ast.literal_eval):
            try:
                found = parse(cell)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(found, list) and all(isinstance(tag, str | int | float) for tag in found):
                return [str(tag).strip() for tag in found if str(tag).strip()]
    parts = cell.split(separator) if separator else cell.split()
    return [part.strip() for part in parts if part.strip()]


def unite_rows(column: WordColumn, image: WordColumn, tags: Tags, unknown: Sequence[str]) -> tuple[WordColumn, int]:
    """The column with what all rows of an image list, where several rows name the same one: a row per object, say.

    And of how many images the rows list different tags.
    """
    if not (image.counts() > 1).any():
        return column, 0
    gaps = set(unknown) - set(tags.none)
    pairs = np.unique(np.stack([image.code, column.code]), axis=1)
    pairs = pairs[:, [column.words[code] not in gaps for code in pairs[1].tolist()]]
    said: dict[int, list[str]] = defaultdict(list)
    for row, code in pairs.T.tolist():
        said[row].append(column.words[code])
    several, n_differ = {}, 0
    for row, words_of_row in said.items():
        if len(words_of_row) > 1:
            lists = {frozenset(split_cell(word, tags.separator)) for word in words_of_row}
            several[row] = json.dumps(sorted(frozenset().union(*lists)), ensure_ascii=False)
            n_differ += len(lists) > 1
    whole = {row: words[0] for row, words in said.items()} | several
    words = tuple(dict.fromkeys([*whole.values(), ""]))
    place = {word: number for number, word in enumerate(words)}
    return WordColumn(image.recoded([place[whole.get(row, "")] for row in range(len(image.words))]), words), n_differ


def split_tags(
    name: str, column: WordColumn, tags: Tags, unknown: Sequence[str], min_count: int
) -> tuple[dict[str, WordColumn], list[str]]:
    """A column of "present", "absent" and "" (unknown) for each tag of `min_count` rows or more, and what to say of it.

    A word of `tags.none` alone in a cell means that no tag is there, one of `unknown` that nobody knows. Raises
    LacunaError when no tag is frequent enough, and at tags that no target can be called.
    """
    none, gaps = set(tags.none), set(unknown)
    cells = [
        frozenset(split_cell(word, tags.separator)) - none if word in none or word not in gaps else None
        for word in column.words
    ]
    counts: Counter[str] = Counter()
    for cell, n in zip(cells, column.counts().tolist(), strict=True):
        counts.update(dict.fromkeys(cell or (), n))
    n_known = sum(n for cell, n in zip(cells, column.counts().tolist(), strict=True) if cell is not None)
    frequent = sorted(tag for tag, n in counts.items() if n >= min_count)
    frequent = [tag for tag in frequent if counts[tag] < n_known] or frequent
    if not frequent or len(frequent) > MOST_TAGS:
        what = f"{len(frequent)} of {len(counts)} tags have" if frequent else f"none of {len(counts)} tags has"
        raise LacunaError(
            f"target {name}: {what} data.min_class_count = {min_count} rows or more, expected 1 to {MOST_TAGS}; "
            f"the first: {listed(sorted(counts)) or 'none'}; data.tags.separator is {tags.separator!r}"
        )
    missing = ABSENT if tags.absent_means == "absent" else -1
    found = {}
    for tag in frequent:
        code = [-1 if cell is None else PRESENT if tag in cell else missing if cell else ABSENT for cell in cells]
        found[_target_name(tag)] = WordColumn(column.recoded(code), ("absent", "present"))
    if len(found) < len(frequent):
        raise LacunaError(
            f"target {name}: the tags {listed(frequent)} give only {len(found)} names of targets, in which dots and "
            "slashes are written as underscores; rename those that are alike then"
        )
    notes = [
        f"{name}: {number_of(len(found), 'tag is a target', 'tags are targets')}; a tag that a cell does not list is "
        f"{'absent' if missing == ABSENT else 'unknown'} (data.tags.absent_means)"
    ]
    if everywhere := sorted(tag for tag, n in counts.items() if n == n_known and tag not in frequent):
        notes.append(f"{name}: {listed(everywhere)} stands in every row and is no target")
    if rare := sorted(set(counts) - set(frequent) - set(everywhere)):
        left_out = number_of(len(rare), "tag")
        notes.append(f"{name}: no target is made of {left_out} of fewer than {min_count} rows: {listed(rare)}")
    return found, notes


def _target_name(tag: str) -> str:
    name = "".join("_" if character in "./\\" else character for character in tag)
    try:
        check_name(name)
    except ValueError as error:
        raise LacunaError(f"data.targets: {error}") from None
    return name


def find_separator(column: WordColumn) -> str | None:
    """What the cells look separated by when they are lists; None when they are single words.

    Lists share their parts: there are fewer distinct tags than distinct cells, most cells of several have parts that
    other cells have too, and cells differ in how many they have. Or nearly every part of a list is a cell of its own
    as well. Numbers with a decimal comma are no lists.

    >>> find_separator(WordColumn.of(["haze primary", "clear primary", "clear", "agriculture clear primary", "haze"]))
    ''
    >>> find_separator(WordColumn.of(["5", "12", "14 5", "0", "14", "25", "16", "18"]))
    ''
    >>> find_separator(WordColumn.of(["1,5", "1", "5", "2,5"])) is None
    True
    >>> find_separator(WordColumn.of(["Ankle boot", "T-shirt", "Dress", "dark red", "dark blue"])) is None
    True
    """
    words = [word for word in column.words if word]
    alone = set(words)
    if lists := [split_cell(word, ",") for word in words if word.startswith("[") and word.endswith("]")]:
        is_numbers = {tag for cell in lists for tag in cell} <= {"0", "1"}
        if len(lists) >= 0.9 * len(words) and not is_numbers:
            return ","
    is_decimal = all(re.fullmatch(r"[+-]?\d+(,\d+)?", word) for word in words)
    for separator in SEPARATORS:
        if separator == "," and is_decimal:
            continue
        cells = [split_cell(word, separator) for word in words]
        several = [cell for cell in cells if len(cell) > 1]
        parts = Counter(part for cell in cells for part in set(cell))
        shared = [cell for cell in several if sum(parts[part] > 1 for part in cell) >= len(cell) - 1]
        varied = len({len(cell) for cell in cells}) >= (2 if separator else 3)
        if (several and sum(alone.issuperset(cell) for cell in several) >= 0.8 * len(several)) or (
            several
            and len(parts) < len(words)
            and len(shared) >= 0.5 * len(several)
            and varied
            and (len(several) >= 0.3 * len(words))
        ):
            return separator
    return None
