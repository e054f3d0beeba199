"""What annotation files offer as targets: names for it, the choice that `data.targets` makes of it, and the table."""

import unicodedata
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.config.data import Data
from lacuna.core.targets import MAX_NAME_BYTES, Kind, check_name
from lacuna.data.labels.label_table import LabelTable, WordColumn
from lacuna.errors import LacunaError
from lacuna.io.names import UNPRINTABLE, listed, shortened
from lacuna.io.plurals import number_of

MOST_CHOSEN_TARGETS = 1000
"""Of a file, when `data.targets` is {}: each becomes a column, an output of the network and several pictures."""

NOT_SEEN, SEEN_ABSENT, SEEN_PRESENT = range(3)
_STATE_WORDS = ("", "absent", "present")


@dataclass(frozen=True)
class Offer:
    """A target that a file can give.

    `word`: what the file calls it. `question`: what it answers there, put before the word where two are called alike.
    `kinds`: what `data.targets` may say it is; the first is what it is by itself. `column`: makes its words.
    `is_asked_for`: it is a target only where `data.targets` names it. `n_several`: images with several of its words.
    """

    word: str
    question: str
    kinds: tuple[Kind, ...]
    column: Callable[[], WordColumn]
    is_asked_for: bool = False
    n_several: int = 0


@dataclass
class AnnotatedImages:
    """The rows that a file's annotations make: each one's image, its line or 0, and its split or ""."""

    images: list[str] = field(default_factory=list)
    lines: "array[int]" = field(default_factory=lambda: array("q"))
    splits: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.images)

    def add(self, image: str, line: int, split: str = "") -> int:
        """Begin a row; its number."""
        self.images.append(image)
        self.lines.append(line)
        self.splits.append(split)
        return len(self.images) - 1


class Question:
    """One question that annotators answered, by words: a list of choices, or which objects an image has."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._words: dict[str, int] = {}
        self._rows = array("q")
        self._codes = array("q")

    def declare(self, word: str) -> None:
        """The word can be an answer, whether it ever is one or not."""
        self._words.setdefault(word, len(self._words))

    def add(self, row: int, word: str) -> None:
        """Row `row` has this word, among others."""
        self._codes.append(self._words.setdefault(word, len(self._words)))
        self._rows.append(row)

    def n_answers(self) -> int:
        return len(self._codes)

    def never_used(self) -> list[str]:
        used = set(self._codes)
        return [word for word, code in self._words.items() if code not in used]

    def offer_each_word(self, n_rows: int, asked: NDArray[np.bool_] | None = None) -> list[Offer]:
        """A binary target of each word: present in its rows, absent in the others that were `asked`, by default all.

        A word that is declared and never used cannot be learned: it is a target only on request.
        """
        codes, rows = self._distinct(n_rows)
        bounds = np.searchsorted(codes, np.arange(len(self._words) + 1))

        def column(code: int) -> WordColumn:
            states = np.full(n_rows, SEEN_ABSENT, dtype=np.int8)
            if asked is not None:
                states[~asked] = NOT_SEEN
            states[rows[bounds[code] : bounds[code + 1]]] = SEEN_PRESENT
            return binary_column(states)

        return [
            Offer(word, self.name, ("binary",), partial(column, code), is_asked_for=bool(is_unused))
            for (word, code), is_unused in zip(self._words.items(), np.diff(bounds) == 0, strict=True)
        ]

    def offer_the_word(self, n_rows: int, *, is_asked_for: bool) -> Offer:
        """A target of the word that each row has; unknown in rows that have several or none."""
        codes, rows = self._distinct(n_rows)
        n_words = np.bincount(rows, minlength=n_rows)
        words = ("", *self._words)

        def column() -> WordColumn:
            code = np.zeros(n_rows, dtype=np.int64)
            code[rows] = codes + 1
            code[n_words != 1] = 0
            return _in_order(code, words)

        kinds: tuple[Kind, ...] = ("categorical",) if is_asked_for else ("categorical", "binary")
        return Offer(self.name, "", kinds, column, is_asked_for, int((n_words > 1).sum()))

    def _distinct(self, n_rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Codes and rows of all pairs of them, each once, by code."""
        pairs = np.unique(np.array(self._codes, dtype=np.int64) * n_rows + np.array(self._rows, dtype=np.int64))
        codes, rows = np.divmod(pairs, max(n_rows, 1))
        return codes, rows


def binary_column(states: NDArray[np.int8]) -> WordColumn:
    """The words of a binary target, from NOT_SEEN, SEEN_ABSENT or SEEN_PRESENT in each row, `(n_rows,)`."""
    return _in_order(states.astype(np.int64), _STATE_WORDS)


def _in_order(code: NDArray[np.int64], words: Sequence[str]) -> WordColumn:
    """The column of these codes of `words`: those that occur, in the order of their first row."""
    found, first = np.unique(code, return_index=True)
    found = found[np.argsort(first)]
    place = np.zeros(len(words), dtype=np.int32)
    place[found] = np.arange(len(found), dtype=np.int32)
    return WordColumn(place[code], tuple(words[each] for each in found.tolist()))


def target_name(word: str) -> str:
    """A name near to `word` that a target can have: what names cannot hold is a low line, what is too long is cut.

    >>> target_name("T-shirt/top"), target_name("image")
    ('T-shirt_top', 'image_')
    """
    name = UNPRINTABLE.sub("_", word)
    for sign in "./\\":
        name = name.replace(sign, "_")
    name = name.encode()[: MAX_NAME_BYTES - 10].decode(errors="ignore").strip() or "_"
    try:
        check_name(name)
    except ValueError:
        return f"{name}_"
    return name


def name_offers(offers: Sequence[Offer]) -> dict[str, Offer]:
    """The offers by names that targets can have and that differ by more than case; those by default come first."""
    offers = sorted(offers, key=lambda offer: offer.is_asked_for)
    plain = [target_name(offer.word) for offer in offers]
    questions: dict[str, set[str]] = {}
    for name, offer in zip(plain, offers, strict=True):
        if not offer.is_asked_for:
            questions.setdefault(_folded(name), set()).add(offer.question)
    named: dict[str, Offer] = {}
    taken: dict[str, int] = {}
    for name, offer in zip(plain, offers, strict=True):
        if offer.question and len(questions.get(_folded(name), ())) > 1:
            name = target_name(f"{offer.question} {offer.word}")
        if (folded := _folded(name)) in taken:
            number = taken[folded] + 1
            while _folded(f"{name} {number}") in taken:
                number += 1
            taken[folded] = number
            name = f"{name} {number}"
        taken[_folded(name)] = 1
        named[name] = offer
    return named


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def choose_offers(path: Path, data: Data, offers: Sequence[Offer]) -> dict[str, tuple[Kind, Offer]]:
    """The targets to read: those that `data.targets` names, or for {} all that are none only on request.

    Raises LacunaError at a name that the file does not offer or offers as another kind, and when {} would take none or
    more than MOST_CHOSEN_TARGETS.
    """
    if not data.targets:
        by_default = [offer for offer in offers if not offer.is_asked_for]
        if not by_default:
            raise LacunaError(f"{path}: nothing in it is labelled; expected annotations, tags or choices of images")
        if len(by_default) > MOST_CHOSEN_TARGETS:
            words = [offer.word for offer in by_default[:3]]
            raise LacunaError(
                f"{path}: {len(by_default)} labels, more than the {MOST_CHOSEN_TARGETS} that become targets by "
                f"themselves; name those to learn in data.targets, such as {listed(words)}"
            )
        return {name: (offer.kinds[0], offer) for name, offer in name_offers(by_default).items()}
    named = name_offers(offers)
    chosen: dict[str, tuple[Kind, Offer]] = {}
    for name in data.targets:
        target = data.column(name)
        offer = named.get(str(target.column))
        if offer is None:
            said = shortened(str(target.column))
            raise LacunaError(f"{path}: no {said} (data.targets); there are {listed(list(named)) or 'none'}")
        if target.kind == "tags" or target.kind not in offer.kinds:
            raise LacunaError(f"{path}: {shortened(name)} is {offer.kinds[0]} in it, data.targets says {target.kind}")
        chosen[name] = target.kind, offer
    return chosen


def build_table(
    path: Path, data: Data, rows: AnnotatedImages, offers: Sequence[Offer], notes: Iterable[str] = ()
) -> LabelTable:
    """The table of the offers that `choose_offers` takes, with notes on what cannot be learned or was renamed."""
    if not len(rows):
        raise LacunaError(f"{path}: no image in it is annotated")
    chosen = choose_offers(path, data, offers)
    lines = np.array(rows.lines, dtype=np.int64)
    labels = {name: offer.column() for name, (_, offer) in chosen.items()}
    notes = list(notes)
    renamed = [f"{offer.word[:30]} is {name[:30]}" for name, (_, offer) in chosen.items() if name != offer.word.strip()]
    if renamed:
        notes.append(
            f"{number_of(len(renamed), 'label is a target', 'labels are targets')} by another name, because of what "
            f"names can hold: {listed(renamed)}"
        )
    for name, (_, offer) in chosen.items():
        if offer.n_several and offer.kinds[0] == "categorical":
            n = number_of(offer.n_several, "image with", "images with")
            notes.append(f"{n} several words of {shortened(name)}: unknown in it")
    binary = {name: labels[name] for name, (kind, _) in chosen.items() if kind == "binary"}
    notes += note_rare(binary, data.min_class_count)
    return LabelTable(
        path,
        {name: kind for name, (kind, _) in chosen.items()},
        WordColumn.of(rows.images),
        labels,
        WordColumn.constant("", len(rows)),
        WordColumn.of(rows.splits),
        lines if lines.max() > 1 else np.zeros_like(lines),  # in a file of one line that says nothing
        WordColumn.constant(str(path), len(rows)),
        notes=tuple(notes),
    )


def note_rare(labels: dict[str, WordColumn], fewest: int) -> list[str]:
    """A sentence on the binary targets with fewer than `fewest` rows where they are present, or where absent."""
    rare = []
    for name, column in labels.items():
        counts = dict(zip(column.words, np.bincount(column.code, minlength=len(column.words)).tolist(), strict=True))
        present, absent = (counts.get(word, 0) for word in ("present", "absent"))
        if min(present, absent) < fewest and set(column.words) <= set(_STATE_WORDS):
            rare.append(f"{name[:30]}: {present} / {absent}")
    if not rare:
        return []
    return [
        f"{number_of(len(rare), 'target is', 'targets are')} rarely present or rarely absent (fewer than "
        f"data.min_class_count = {fewest}; present / absent): {listed(rare)}"
    ]


def note_never_used(words: Sequence[str]) -> list[str]:
    """A sentence on labels that a file declares and no image has, which are no targets therefore."""
    n = number_of(len(words), "label is", "labels are")
    return [f"{n} declared and never used, and so no target: {listed(words)}"] if words else []
