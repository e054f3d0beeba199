"""Words become classes: rows that contradict each other, classes that are too small."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lacuna.data.labels.encode import Encoded, encode
from lacuna.data.labels.join import Joined
from lacuna.data.labels.label_table import LabelRow, LabelTable
from lacuna.data.labels.sources import interpret
from lacuna.errors import LacunaError


@pytest.fixture
def encoded(tiny_project: Any) -> Any:
    """Return a function that encodes the labels of each image's rows."""

    def run(rows: list[list[LabelRow]], targets: dict[str, Any], **changes: Any) -> Encoded:
        data = tiny_project({"data.targets": targets} | {f"data.{key}": value for key, value in changes.items()}).data
        in_file = sorted((row, owner) for owner, own in enumerate(rows) for row in own)
        table = LabelTable.of_rows(Path("labels.csv"), targets, [row for row, _ in in_file])
        owner = np.array([owner for _, owner in in_file])
        order = np.argsort(owner, kind="stable")
        joined = Joined(np.arange(len(rows)), order, owner[order], [])
        return encode(interpret(table, data), joined, data)

    return run


def test_rows_of_one_image_are_merged_and_contradictions_become_unknown(encoded: Any) -> None:
    rows = [
        [LabelRow(1, "a", ("1", "boot")), LabelRow(9, "a", ("0", "boot"))],  # red contradicts
        [LabelRow(2, "b", ("NA", "shoe")), LabelRow(8, "b", ("yes", "?"))],  # each fills the other's gap
        [LabelRow(3, "c", ("1", "boot")), LabelRow(7, "c", ("true", "hat"))],  # kind contradicts
        [LabelRow(4, "d", ("0", ""))],
    ]
    found = encoded(rows, {"red": "binary", "kind": "categorical"}, min_class_count=1)
    assert found.targets[0].classes == ("absent", "present")
    assert found.targets[1].classes == ("boot", "shoe")
    assert found.labels.tolist() == [[-1, 0], [1, 1], [1, -1], [0, -1]]
    assert found.labels.dtype == np.int16
    assert found.contradictions == {"red": [6], "kind": [4]}  # the rows of lines 9 and 7


def test_the_rows_of_repeated_images_are_told() -> None:
    joined = Joined(np.array([0, 3]), np.array([4, 7, 8, 2, 5]), np.array([0, 0, 0, 1, 1]), [])
    assert joined.repeated.tolist() == [5, 7, 8]


def test_small_classes_are_left_out_told_from_unknown_cells_and_counted(encoded: Any) -> None:
    words = ["boot"] * 3 + ["shoe"] * 2 + ["hat"] + ["NA"]
    rows = [[LabelRow(line, "", (word,))] for line, word in enumerate(words)]
    found = encoded(rows, {"kind": "categorical"}, min_class_count=2)
    assert found.targets[0].classes == ("boot", "shoe")
    assert found.labels[:, 0].tolist() == [0, 0, 0, 1, 1, -2, -1]
    assert found.rare == {"kind": {"hat": 1}}
    with pytest.raises(LacunaError, match=r"target kind: 1 classes have data.min_class_count = 3 .* 2 are smaller"):
        encoded(rows, {"kind": "categorical"}, min_class_count=3)


@pytest.mark.parametrize(
    ("words", "classes", "labels", "why"),
    [
        ("a a a b b b c d e", ("a", "b", "other"), [0, 0, 0, 1, 1, 1, 2, 2, 2], "three alone are three together"),
        ("a a a b b b c d", ("a", "b"), [0, 0, 0, 1, 1, 1, -2, -2], "two together are too few: left out"),
        ("a a a b other other", ("a", "other"), [0, 0, 0, 1, 1, 1], "a small class of that name is joined"),
        ("a a a b other other other", ("a", "other"), [0, 0, 0, 1, 1, 1, 1], "a large one too"),
        ("a a a b b b other", ("a", "b"), [0, 0, 0, 1, 1, 1, -2], "it may stay too small itself"),
        ("a a a c NA NA NA d e", ("a", "other"), [0, 0, 0, 1, -1, -1, -1, 1, 1], "unknown cells join nothing"),
    ],
)
def test_small_classes_become_other(encoded: Any, words: str, classes: Any, labels: list[int], why: str) -> None:
    rows = [[LabelRow(line, "", (word,))] for line, word in enumerate(words.split())]
    found = encoded(rows, {"kind": "categorical"}, min_class_count=3, rare_classes="other")
    assert found.targets[0].classes == classes, why
    assert found.labels[:, 0].tolist() == labels, why


def test_an_own_class_called_other_stays_when_small_classes_are_left_out(encoded: Any) -> None:
    rows = [[LabelRow(line, "", (word,))] for line, word in enumerate(["a", "a", "b", "other", "other"])]
    found = encoded(rows, {"kind": "categorical"}, min_class_count=2)
    assert found.targets[0].classes == ("a", "other")
    assert found.labels[:, 0].tolist() == [0, 0, -2, 1, 1]
