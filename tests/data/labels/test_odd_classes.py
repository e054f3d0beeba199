"""Classes that read like "unknown" or like each other are warned of by name, and ordinary ones are not."""

from pathlib import Path
from typing import Any

import pytest

from lacuna.data.labels.encode import encode
from lacuna.data.labels.join import join_labels
from lacuna.data.labels.label_table import LabelRow, LabelTable
from lacuna.data.labels.odd_classes import find_odd_classes
from lacuna.data.labels.sources import interpret


@pytest.fixture
def warn(tiny_project: Any) -> Any:
    """The warnings for a categorical target with so many images of each word."""

    def warn(counts: dict[str, int], kind: str = "categorical", **changes: object) -> list[str]:
        words = [word for word, n in counts.items() for _ in range(n)]
        rows = [LabelRow(line, f"{line}.png", (word,)) for line, word in enumerate(words, start=2)]
        changed = {f"data.{key}": value for key, value in changes.items()}
        data = tiny_project({"data.targets": {"shape": kind}, "data.max_rejected": 0.0, **changed}).data
        labels = interpret(LabelTable.of_rows(Path("labels.csv"), {"shape": kind}, rows), data)
        joined = join_labels(labels, [row.image for row in rows], {}, data)
        return find_odd_classes(encode(labels, joined, data))

    return warn


ODD_WORDS = "#N/A <NA> NULL n/a N.A. none (null) Unknown not_available - -- \u2014 ?? ... -999 NaT #REF! Nan"


@pytest.mark.parametrize("word", ODD_WORDS.split())
def test_a_class_that_reads_like_unknown_is_named_with_the_key_that_makes_it_a_gap(warn: Any, word: str) -> None:
    assert warn({"circle": 20, "square": 10, word: 7}) == [
        f'shape: {word!r} (7 images) read like "unknown" but count as classes; if nobody knows these labels, add the '
        "words to data.unknown"
    ]
    assert warn({"circle": 20, "square": 10, word: 7}, unknown=["", word]) == []


def test_many_are_counted(warn: Any) -> None:
    (note,) = warn({"circle": 20, "#N/A": 5, "<NA>": 6, "NULL": 7, "n/a": 8})
    assert "'#N/A' (5 images), '<NA>' (6 images), 'NULL' (7 images) and 1 more read like" in note


def test_words_too_rare_for_a_class_are_no_class(warn: Any) -> None:
    counts = {"circle": 20, "square": 10, "NULL": 3, "n/a": 3}
    assert warn(counts) == []
    assert "'NULL' (3 images), 'n/a' (3 images) read like" in warn(counts, rare_classes="other")[0]


@pytest.mark.parametrize(
    ("left", "right"),
    [("Cat", "cat"), ("T-shirt", "t shirt"), ("a  b", "a b"), ("type 1", "type1"), ("1", "1.0"), ("ﬁsh", "fish")],
)
def test_classes_that_differ_by_spelling_are_named(warn: Any, left: str, right: str) -> None:
    (note,) = warn({left: 20, right: 7, "dog": 9})
    first, second = sorted([(left, 20), (right, 7)])
    shown = [f"{ascii(word) if 'ﬁ' in left else repr(word)} ({n} images)" for word, n in (first, second)]
    assert note == (
        f"shape: {' and '.join(shown)} differ by case, blanks, hyphens or Unicode form alone; if they are the same "
        "class, write them alike in the label file or correct them by data.corrections"
    )


def test_words_that_look_the_same_are_shown_by_their_codes(warn: Any) -> None:
    (note,) = warn({"caf\u00e9": 20, "cafe\u0301": 7, "b\u200bar": 6, "bar": 6})
    assert "'bar' (6 images) and 'b\\u200bar' (6 images), 'cafe\\u0301' (7 images) and 'caf\\xe9' (20 images)" in note


def test_a_rare_spelling_is_named_too(warn: Any) -> None:
    assert "'Cat' (20 images) and 'cat' (1 image) differ by case" in warn({"Cat": 20, "dog": 20, "cat": 1})[0]


def test_ordinary_classes_are_not_warned_of(warn: Any) -> None:
    assert (
        warn(dict.fromkeys(["A", "A-", "A+", "+", "1-2", "12", "-1", "0", "1", "other", "Na2", "Nana", "C", "c++"], 6))
        == []
    )
    assert warn(dict.fromkeys(["smileys", "people", "T-shirt/top", "Ankle boot", "Dress", "Shirt"], 6)) == []
    assert warn({"1": 20, "0": 20}, kind="binary") == []
