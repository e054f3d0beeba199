"""Columns that are nothing to learn: quantities, dates, names and free text, splits in other words."""

import re
from collections.abc import Sequence

import numpy as np

from lacuna.data.labels.captions import CAPTIONS_REFUSED, are_captions
from lacuna.data.labels.label_table import WordColumn
from lacuna.data.labels.tags import find_separator
from lacuna.init.binary_words import says_present
from lacuna.io.names import listed

QUANTITY_NAME = re.compile(
    r"(?<![a-z])(age|alter|âge|edad|years?|jahr|année|width|height|breite|höhe|size|größe|count|anzahl|area|follow-?up|"
    r"index|row)(?![a-z])|^[xywh](_?(min|max|\d))?$",
    re.I,
)
NUMBER = re.compile(r"[+-]?\d*[.,]?\d{1,20}(e[+-]?\d{1,3})?|\d{1,3}Y", re.I)
DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}")
SPLIT_WORD = re.compile(r"(public|private)?[ _-]?(train|test|val|valid|dev|eval)\w*", re.I)
SPLIT_NUMBER = re.compile(
    r"(is|in)?_?(split|fold|k_?fold|partition|set|subset|train|test|valid|val)_?(set|split|no|id)?", re.I
)
CLASS_NAME = re.compile(r"(class|label|categor|species|breed|type|target|kind|klasse|[a-z_]id$|^id_)", re.I)
MOST_NUMBERED = 20
"""So many numbers may be classes in a column that is not called so."""

MOST_DIFFERENT = 500


def why_not(name: str, known: Sequence[str], counts: dict[str, int]) -> str:
    """Why a column of these known words is nothing to learn, "" where it may be a target; `counts`: rows of each."""
    n = sum(counts[word] for word in known)
    if len(known) < 2:
        said = f"only {listed(known)}" if known else "nothing"
        return f"says {said}" + (": is the rest absent, or unknown?" if n and says_present(known[0]) else "")
    if all(re.match(r"\[?\{", word) and word.endswith(("}", "]")) for word in known):
        return "objects of JSON; to learn what is in them, make a column of it"
    numbers = [float(word.rstrip("Yy").replace(",", ".")) for word in known if NUMBER.fullmatch(word)]
    if len(numbers) == len(known) and len(known) > 2:
        spread = max(numbers) - min(numbers) + 1
        is_many = len(known) > MOST_NUMBERED and not CLASS_NAME.search(name)
        is_quantity = is_many or QUANTITY_NAME.search(name)
        # Classes are numbered one after another.
        if is_quantity or any(number % 1 for number in numbers) or spread > 2 * len(known):
            return f"numbers, {len(known)} different ones"
    if all("@" in word for word in known):
        return "addresses"
    if all(SPLIT_WORD.fullmatch(word) for word in known) or (
        len(numbers) == len(known) and SPLIT_NUMBER.fullmatch(name)
    ):
        return "reads like a split; to keep it, write train, val and test there and set split_column"
    if all(DATE.match(word) for word in known):
        return f"dates, {len(known)} different ones"
    if len(known) > 0.5 * n and are_captions(known):
        return CAPTIONS_REFUSED
    if len(known) > max(20, 0.5 * n) and find_separator(WordColumn(np.zeros(0, np.int32), tuple(known))) is None:
        return f"{len(known)} different values in {n} rows: names or text"
    if len(known) > MOST_DIFFERENT:
        return f"{len(known)} different values"
    return ""
