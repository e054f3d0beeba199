"""Label rows meet images: names that differ, rows that repeat or contradict, classes that are too small."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lacuna.data.labels.encode import Joined, encode, given_parts, image_groups, join_labels
from lacuna.data.labels.sources import Dropped, LabelFile, LabelRow
from lacuna.data.labels.split import NOT_GIVEN, TEST, TRAIN, VAL
from lacuna.errors import LacunaError

NAMES = {f"{number}.jpg": number for number in range(10)}


def label_file(*rows: LabelRow, targets: dict[str, Any] | None = None) -> LabelFile:
    return LabelFile(Path("labels.csv"), targets or {"red": "binary"}, list(rows))


def all_rows(*more: LabelRow) -> LabelFile:
    return label_file(*(LabelRow(number + 1, f"{number}.jpg", ("1",)) for number in range(10)), *more)


@pytest.mark.parametrize("written", ["sub/a.b.png", "a.b.png", "a.b", "./sub/a.b.png", "sub\\a.b.png", "sub/a.b"])
def test_an_image_is_found_by_any_ending_of_its_path(written: str) -> None:
    joined = join_labels(
        all_rows(LabelRow(11, written, ("0",))), NAMES | {"deep/sub/a.b.png": 10, "deep/sub/a.c.png": 11}, {}, 0
    )
    assert joined.rows[10] == [LabelRow(11, written, ("0",))]
    assert list(joined.rows) == list(range(11))
    assert joined.dropped == []


def test_the_exact_path_wins_over_an_ending() -> None:
    joined = join_labels(all_rows(LabelRow(11, "0.jpg", ("0",))), NAMES | {"other/0.jpg": 10}, {}, 0)
    assert len(joined.rows[0]) == 2


def test_a_name_that_fits_two_files_is_an_error() -> None:
    with pytest.raises(LacunaError, match=r"labels.csv:11: image 'a' fits several files: x/a.jpg, y/a.jpg"):
        join_labels(all_rows(LabelRow(11, "a", ("0",))), NAMES | {"x/a.jpg": 10, "y/a.jpg": 11}, {}, 0)


def test_rows_without_a_usable_image_are_listed_with_the_reason() -> None:
    labels = all_rows(LabelRow(11, "gone.jpg", ("1",)), LabelRow(12, "bad.jpg", ("1",)))
    joined = join_labels(labels, NAMES, {"bad.jpg": "truncated"}, 0.2)
    assert joined.dropped == [Dropped(11, "gone.jpg", "no such image"), Dropped(12, "bad.jpg", "truncated")]
    assert list(joined.rows) == list(range(10))
    with pytest.raises(LacunaError, match=r"2 of 12 rows have no usable image.*gone.jpg \(no such image\)"):
        join_labels(labels, NAMES, {"bad.jpg": "truncated"}, 0.1)


def test_rows_of_images_left_out_of_the_sample_are_no_mistake() -> None:
    left_out = [f"{number}.jpg" for number in range(10, 100)]
    labels = all_rows(
        *(LabelRow(number + 1, f"{number}", ("1",)) for number in range(10, 100)), LabelRow(101, "gone", ("1",))
    )
    joined = join_labels(labels, NAMES, {}, 0.1, left_out)
    assert joined.n_left_out == 90
    assert list(joined.rows) == list(range(10))
    assert joined.dropped == [Dropped(101, "gone", "no such image")]
    with pytest.raises(LacunaError, match=r"1 of 11 rows have no usable image"):  # the share is of the sample's rows
        join_labels(labels, NAMES, {}, 0.05, left_out)


def test_a_name_with_a_backslash_is_that_file() -> None:
    joined = join_labels(all_rows(LabelRow(0, "a\\b.jpg", ("1",))), NAMES | {"a\\b.jpg": 10, "x/b.jpg": 11}, {}, 0)
    assert 10 in joined.rows


def test_three_images_are_too_few() -> None:
    rows = (LabelRow(number, f"{number}.jpg", ("1",)) for number in range(3))
    with pytest.raises(LacunaError, match="only 3 images have labels"):
        join_labels(label_file(*rows), NAMES, {}, 0)


def test_rows_of_one_image_are_merged_and_contradictions_become_unknown(tiny_project: Any) -> None:
    data = tiny_project({"data.min_class_count": 1}).data
    joined = Joined(
        rows={
            0: [LabelRow(1, "a", ("1", "boot")), LabelRow(9, "a", ("0", "boot"))],  # red contradicts
            3: [LabelRow(2, "b", ("NA", "shoe")), LabelRow(8, "b", ("yes", "?"))],  # each fills the other's gap
            5: [
                LabelRow(3, "c", ("1", "boot")),
                LabelRow(7, "c", ("true", "hat")),
            ],  # kind contradicts
            6: [LabelRow(4, "d", ("0", ""))],
        },
        dropped=[],
    )
    found = encode(label_file(targets={"red": "binary", "kind": "categorical"}), joined, data)
    assert found.targets[0].classes == ("absent", "present")
    assert found.targets[1].classes == ("boot", "shoe")
    assert found.labels.tolist() == [[-1, 0], [1, 1], [1, -1], [0, -1]]
    assert found.labels.dtype == np.int16
    assert found.contradictions == {"red": [9], "kind": [7]}
    assert [row.line for row in joined.repeated] == [7, 8, 9]


def test_small_classes_become_unknown_and_are_counted(tiny_project: Any) -> None:
    words = ["boot"] * 3 + ["shoe"] * 2 + ["hat"] + ["NA"]
    joined = Joined({i: [LabelRow(i, str(i), (word,))] for i, word in enumerate(words)}, [])
    labels = label_file(targets={"kind": "categorical"})
    found = encode(labels, joined, tiny_project({"data.min_class_count": 2}).data)
    assert found.targets[0].classes == ("boot", "shoe")
    assert found.labels[:, 0].tolist() == [0, 0, 0, 1, 1, -1, -1]
    assert found.rare == {"kind": {"hat": 1}}
    with pytest.raises(LacunaError, match=r"target kind: 1 classes have data.min_class_count = 3 .* 2 are smaller"):
        encode(labels, joined, tiny_project({"data.min_class_count": 3}).data)


@pytest.mark.parametrize(
    ("words", "classes", "labels", "why"),
    [
        ("a a a b b b c d e", ("a", "b", "other"), [0, 0, 0, 1, 1, 1, 2, 2, 2], "three alone are three together"),
        ("a a a b b b c d", ("a", "b"), [0, 0, 0, 1, 1, 1, -1, -1], "two together are too few: unknown"),
        ("a a a b other other", ("a", "other"), [0, 0, 0, 1, 1, 1], "a small class of that name is joined"),
        ("a a a b other other other", ("a", "other"), [0, 0, 0, 1, 1, 1, 1], "a large one too"),
        ("a a a b b b other", ("a", "b"), [0, 0, 0, 1, 1, 1, -1], "it may stay too small itself"),
        ("a a a c NA NA NA d e", ("a", "other"), [0, 0, 0, 1, -1, -1, -1, 1, 1], "unknown cells join_labels nothing"),
    ],
)
def test_small_classes_become_other(tiny_project: Any, words: str, classes: Any, labels: list[int], why: str) -> None:
    joined = Joined({i: [LabelRow(i, str(i), (word,))] for i, word in enumerate(words.split())}, [])
    data = tiny_project({"data.min_class_count": 3, "data.rare_classes": "other"}).data
    found = encode(label_file(targets={"kind": "categorical"}), joined, data)
    assert found.targets[0].classes == classes, why
    assert found.labels[:, 0].tolist() == labels, why


def test_an_own_class_called_other_stays_when_small_classes_become_unknown(tiny_project: Any) -> None:
    joined = Joined({i: [LabelRow(i, str(i), (word,))] for i, word in enumerate(["a", "a", "b", "other", "other"])}, [])
    found = encode(label_file(targets={"kind": "categorical"}), joined, tiny_project({"data.min_class_count": 2}).data)
    assert found.targets[0].classes == ("a", "other")
    assert found.labels[:, 0].tolist() == [0, 0, -1, 1, 1]


def test_a_target_name_that_cannot_be_used_is_an_error_of_the_params(tiny_project: Any) -> None:
    joined = Joined({0: [LabelRow(1, "a", ("1",))]}, [])
    with pytest.raises(LacunaError, match=r"data\.targets: target name 'a\.b'"):
        encode(label_file(targets={"a.b": "binary"}), joined, tiny_project({}).data)


def test_groups_join_duplicates_and_column_values(tiny_project: Any) -> None:
    rows = {2: ["anna"], 3: [""], 5: ["NA"], 6: ["bert", "anna"], 7: ["cleo"], 9: [""]}
    joined = Joined({row: [LabelRow(0, "", (), group) for group in groups] for row, groups in rows.items()}, [])
    duplicates = np.array([0, 1, 2, 3, 1, 1, 6, 3, 8, 1])  # 3 and 7 alike; 5 and 9 alike, through row 1 without labels
    group = image_groups(joined, duplicates, tiny_project({}).data)
    assert dict(zip(rows, group.tolist(), strict=True)) == {2: 2, 6: 2, 3: 3, 7: 3, 5: 5, 9: 5}


def test_split_words(tiny_project: Any) -> None:
    data = tiny_project({}).data
    words = ["train", "Valid", "TEST", "validation", "", "NA"]
    joined = Joined({i: [LabelRow(i, str(i), (), "", word)] for i, word in enumerate(words)}, [])
    assert given_parts(label_file(), joined, data).tolist() == [TRAIN, VAL, TEST, VAL, NOT_GIVEN, NOT_GIVEN]
    joined.rows[6] = [LabelRow(7, "x", (), "", "holdout")]
    with pytest.raises(LacunaError, match=r"labels.csv:7: 'holdout' names no split"):
        given_parts(label_file(), joined, data)
    joined.rows[6] = [LabelRow(7, "x", (), "", "train"), LabelRow(8, "x", (), "", "test")]
    with pytest.raises(LacunaError, match=r"labels.csv:8: image 'x' stands in another split"):
        given_parts(label_file(), joined, data)
