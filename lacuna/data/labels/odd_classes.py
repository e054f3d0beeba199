"""Classes that are probably none, or the same as another: words that read like "unknown", and words that differ by
case, blanks or Unicode form alone."""

import re
import unicodedata
from collections import Counter, defaultdict

from lacuna.core.targets import Target
from lacuna.data.labels.encode import OTHER, Encoded
from lacuna.io.plurals import number_of

UNKNOWN_WORDS = {
    "na", "nan", "nat", "nil", "nill", "null", "none", "undefined", "unknown", "unk", "missing", "notavailable",
    "notapplicable", "notknown", "notset", "nodata", "nolabel", "unlabeled", "unlabelled", "empty", "blank", "tbd",
    "idk", "unbekannt", "inconnu", "desconocido", "weissnicht", "dontknow",
    "notsure", "unsure", "keineangabe", "jenesaispas", "nosé", "nãosei",
}  # fmt: skip
"""In lower case, letters alone."""

LISTED = 3


def find_odd_classes(encoded: Encoded) -> list[str]:
    """A warning for each categorical target with such words, and what to do."""
    notes = []
    for target in encoded.targets:
        if target.kind == "categorical":
            column = encoded.words[target.name]
            counts = Counter({word: n for word, n in zip(column.words, column.counts().tolist(), strict=True) if n})
            notes += _like_unknown(target, counts, encoded.rare[target.name]) + _alike(target, counts)
    return notes


def reads_like_unknown(word: str) -> bool:
    """Whether people and programs write this word where nobody knows.

    >>> list(filter(reads_like_unknown, ("#N/A", "<NA>", "n.a.", "-", "-999", "#REF!", "Nana", "C", "+", "-1")))
    ['#N/A', '<NA>', 'n.a.', '-', '-999', '#REF!']
    """
    letters = "".join(filter(str.isalpha, unicodedata.normalize("NFKC", word).casefold()))
    has_digit = any(map(str.isdigit, word))
    return bool(
        (letters in UNKNOWN_WORDS and not has_digit)
        or re.fullmatch(r"[-\u2013\u2014_?.\u2026*/\\\s]+|-9+(\.0+)?|#(REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!)", word)
    )


def _like_unknown(target: Target, counts: Counter[str], rare: dict[str, int]) -> list[str]:
    """Of the words that were learned as a class: rare ones are unknown anyway, unless they became part of OTHER."""
    learned = [word for word in sorted(counts) if word not in rare or OTHER in target.classes]
    odd = [f"{word!r} ({number_of(counts[word], 'image')})" for word in learned if reads_like_unknown(word)]
    if not odd:
        return []
    return [
        f'{target.name}: {_first(odd)} read like "unknown" but count as classes; if nobody knows these labels, add the '
        "words to data.unknown"
    ]


def _alike(target: Target, counts: Counter[str]) -> list[str]:
    spellings: dict[str, list[str]] = defaultdict(list)
    for word in sorted(counts):
        spellings[_without_spelling(word)].append(word)
    groups = []
    for words in spellings.values():
        if len(words) > 1:
            looks = {unicodedata.normalize("NFKC", word) for word in words}
            show = repr if len(looks) == len(words) else ascii  # characters that look alike as their codes
            groups.append(" and ".join(f"{show(word)} ({number_of(counts[word], 'image')})" for word in words))
    if not groups:
        return []
    return [
        f"{target.name}: {_first(groups)} differ by case, blanks, hyphens or Unicode form alone; if they are the same "
        "class, write them alike in the label file or correct them by data.corrections"
    ]


def _without_spelling(word: str) -> str:
    """What is left of a word when its spelling is taken away.

    >>> {_without_spelling(word) for word in ("T-Shirt", "t shirt", " tshirt", "T\u200bshirt")}
    {'tshirt'}
    >>> [_without_spelling(word) for word in ("A", "A-", "1-2", "12", "3.0")]
    ['a', 'a-', '1-2', '12', '3']
    """
    visible = "".join(c for c in unicodedata.normalize("NFKC", word) if unicodedata.category(c) != "Cf")
    folded = " ".join(visible.casefold().split())
    joined = re.sub(r"(?<=[^\W\d_])[\s_-]+(?=\w)|(?<=\w)[\s_-]+(?=[^\W\d_])", "", folded)
    return re.sub(r"^(-?\d+)\.0+$", r"\1", joined)


def _first(found: list[str]) -> str:
    return ", ".join(found[:LISTED]) + (f" and {len(found) - LISTED} more" if len(found) > LISTED else "")
