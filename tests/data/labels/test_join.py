"""Label rows meet images: names that differ, rows that repeat, groups, parts that are given."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lacuna.config.data import Data
from lacuna.data.labels.join import given_parts, group_folders, identify, image_groups, join_labels
from lacuna.data.labels.label_table import Dropped, LabelRow, LabelTable, WordColumn
from lacuna.data.labels.split import NOT_GIVEN, TEST, TRAIN, VAL
from lacuna.errors import LacunaError

NAMES = [f"{number}.jpg" for number in range(10)]


def all_rows(*more: LabelRow) -> LabelTable:
    """A row for each of NAMES, and more."""
    rows = [LabelRow(number + 1, f"{number}.jpg", ("1",)) for number in range(10)]
    return LabelTable.of_rows(Path("labels.csv"), {"red": "binary"}, [*rows, *more])


@pytest.fixture
def data(tiny_project: Any) -> Callable[..., Data]:
    def data(max_rejected: float = 0.0, **changes: Any) -> Data:
        changed = {f"data.{key}": value for key, value in changes.items()}
        found: Data = tiny_project({"data.max_rejected": max_rejected, **changed}).data
        return found

    return data


WRITTEN = ["sub/a.b.png", "a.b.png", "a.b", "./sub/a.b.png", "sub\\a.b.png", "sub/a.b"]
ELSEWHERE = [
    "/nas/there/deep/sub/a.b.png",
    "D:\\photos\\deep\\sub\\a.b.png",
    "https://example.org/x/deep/sub/a.b.png?size=2#top",
    "file:///home/anna/deep/sub/a.b.png",
    "https://example.org/show.php?file=deep%2Fsub%2Fa.b.png&w=3",
    "https://example.org/resized/?w=3&src=/sub/a.b.png",
    "s3://bucket/other/a.b.png",  # no other image and no other label is called so
    "SUB/A.B.PNG",
    "sub/a.b.jpeg",
    "/x/Deep/Sub/A.B",
]


@pytest.mark.parametrize("written", WRITTEN + ELSEWHERE)
def test_an_image_is_found_from_the_end_of_its_path(data: Any, written: str) -> None:
    table = all_rows(LabelRow(11, written, ("0",)))
    joined = join_labels(table, [*NAMES, "deep/sub/a.b.png", "deep/sub/a.c.png"], {}, data())
    assert joined.image.tolist() == list(range(11))
    assert joined.row[joined.owner == 10].tolist() == [10]
    assert joined.dropped == []


@pytest.mark.parametrize(
    "written",
    [
        "other/0.jpg",  # another label is called 0.jpg as well
        "/x/other/0.jpg",
        "https://example.org/",
        "https://example.org/show?id=0",
        "https://example.org/show?left=1.jpg&right=2.jpg",
        "https://[example/show?file=3.jpg",
        "/",
        "10.jpg",
    ],
)
def test_another_image_of_the_same_name_is_not_taken_for_it(data: Any, written: str) -> None:
    images = [f"mine/{number}.jpg" for number in range(10)]
    joined = join_labels(all_rows(LabelRow(11, written, ("0",))), images, {}, data(0.1))
    assert joined.dropped == [Dropped(11, written, "no such image")]


def test_file_names_are_enough_where_folders_are_called_otherwise_and_it_is_told(data: Any) -> None:
    images = [f"images/{number}.jpg" for number in range(10)]
    rows = [LabelRow(number, f"img/{number}.jpg", ("1",)) for number in range(10)]
    joined = join_labels(LabelTable.of_rows(Path("labels.csv"), {"red": "binary"}, rows), images, {}, data())
    assert joined.image.tolist() == list(range(10))
    assert joined.by_name == tuple(f"img/{number}.jpg" for number in range(10))


@pytest.mark.parametrize(
    ("written", "row"), [("a.jpg", 10), ("A.JPG", 11), ("a", 10), ("b/a.jpg", 12), ("/x/b/a.jpg", 12), ("B/A", 12)]
)
def test_the_nearest_name_wins(data: Any, written: str, row: int) -> None:
    images = [*NAMES, "a.jpg", "A.JPG", "b/a.jpg"]
    joined = join_labels(all_rows(LabelRow(11, written, ("0",))), images, {}, data())
    assert joined.image[-1] == row


def test_a_name_that_fits_two_files_is_an_error(data: Any) -> None:
    images = [*NAMES, "x/a.jpg", "y/a.jpg"]
    with pytest.raises(LacunaError, match=r"labels.csv:11: image 'a' fits several files: 'x/a.jpg', 'y/a.jpg'; give"):
        join_labels(all_rows(LabelRow(11, "a", ("0",))), images, {}, data())


def test_rows_without_a_usable_image_are_listed_with_the_reason(data: Any) -> None:
    table = all_rows(LabelRow(11, "gone.jpg", ("1",)), LabelRow(12, "bad.jpg", ("1",)))
    joined = join_labels(table, [*NAMES, "bad.jpg"], {"bad.jpg": "truncated"}, data(0.2))
    assert joined.dropped == [Dropped(11, "gone.jpg", "no such image"), Dropped(12, "bad.jpg", "truncated")]
    assert joined.image.tolist() == list(range(10))
    with pytest.raises(LacunaError, match=r"2 of 12 rows have no usable image.*'gone.jpg' \(no such image\).*: ignore"):
        join_labels(table, [*NAMES, "bad.jpg"], {"bad.jpg": "truncated"}, data(0.1))


def test_labels_may_be_without_images_where_the_user_says_so_and_broken_images_still_count(data: Any) -> None:
    gone = [LabelRow(number + 1, f"{number}.jpg", ("1",)) for number in range(10, 100)]
    table = all_rows(*gone, LabelRow(101, "bad.jpg", ("1",)))
    joined = join_labels(
        table, [*NAMES, "bad.jpg"], {"bad.jpg": "truncated"}, data(0.1, labels_without_images="ignore")
    )
    assert joined.n_without_file == 90
    assert len(joined.dropped) == 91
    with pytest.raises(LacunaError, match=r"1 of 11 rows have no usable image.*'bad.jpg' \(truncated\)$"):
        join_labels(table, [*NAMES, "bad.jpg"], {"bad.jpg": "truncated"}, data(0.05, labels_without_images="ignore"))


def test_rows_of_images_left_out_of_the_sample_are_no_mistake(data: Any) -> None:
    left_out = [f"{number}.jpg" for number in range(10, 100)]
    rows = [LabelRow(number + 1, f"{number}", ("1",)) for number in range(10, 100)]
    table = all_rows(*rows, LabelRow(101, "gone", ("1",)))
    joined = join_labels(table, [*NAMES, *left_out], {}, data(0.1), left_out)
    assert joined.n_left_out == 90
    assert joined.image.tolist() == list(range(10))
    assert joined.dropped == [Dropped(101, "gone", "no such image")]
    with pytest.raises(LacunaError, match=r"1 of 11 rows have no usable image"):  # the share is of the sample's rows
        join_labels(table, [*NAMES, *left_out], {}, data(0.05), left_out)


def test_a_name_with_a_backslash_is_that_file(data: Any) -> None:
    images = [*NAMES, "a\\b.jpg", "x/b.jpg"]
    assert 10 in join_labels(all_rows(LabelRow(0, "a\\b.jpg", ("1",))), images, {}, data()).image


def test_three_images_are_too_few(data: Any) -> None:
    rows = [LabelRow(number, f"{number}.jpg", ("1",)) for number in range(3)]
    with pytest.raises(LacunaError, match="only 3 images have labels"):
        join_labels(LabelTable.of_rows(Path("labels.csv"), {"red": "binary"}, rows), NAMES, {}, data())


def joined_rows(data: Any, rows: dict[int, list[LabelRow]]) -> tuple[LabelTable, Any]:
    """Rows by the number of their image, and ten images that have one."""
    listed = [row._replace(image=f"{image}.jpg") for image, own in rows.items() for row in own]
    rest = [LabelRow(0, f"{number}.jpg", ()) for number in range(20, 30)]
    table = LabelTable.of_rows(Path("labels.csv"), {}, [*listed, *rest])
    return table, join_labels(table, [f"{number}.jpg" for number in range(30)], {}, data())


def test_groups_join_duplicates_and_column_values(data: Any) -> None:
    named = {2: ["anna"], 3: [""], 5: ["NA"], 6: ["bert", "anna"], 7: ["cleo"], 9: [""]}
    rows = {image: [LabelRow(0, "", (), group) for group in groups] for image, groups in named.items()}
    table, joined = joined_rows(data, rows)
    duplicates = np.array([0, 1, 2, 3, 1, 1, 6, 3, 8, 1, *range(10, 30)])  # 3 and 7 alike; 5 and 9, through 1
    found = image_groups(table, joined, duplicates[joined.image], WordColumn.constant("", 16), data())
    group = dict(zip(joined.image.tolist(), found.tolist(), strict=True))
    assert {image: group[image] for image in named} == {2: 2, 6: 2, 3: 3, 7: 3, 5: 5, 9: 5}
    assert all(group[image] == image for image in range(20, 30))


def test_split_words(data: Any) -> None:
    words = ["train", "Valid", "TEST", "validation", "", "NA"]
    rows = {place: [LabelRow(place, "", (), "", word)] for place, word in enumerate(words)}
    parts = given_parts(*joined_rows(data, rows), data())
    assert parts[: len(words)].tolist() == [TRAIN, VAL, TEST, VAL, NOT_GIVEN, NOT_GIVEN]
    with pytest.raises(LacunaError, match=r"labels.csv:7: 'holdout' names no split"):
        given_parts(*joined_rows(data, {**rows, 6: [LabelRow(7, "", (), "", "holdout")]}), data())
    twice = [LabelRow(7, "", (), "", "train"), LabelRow(8, "", (), "", "test")]
    with pytest.raises(LacunaError, match=r"labels.csv:8: image '6.jpg' stands in another split"):
        given_parts(*joined_rows(data, {**rows, 6: twice}), data())


def test_images_of_one_folder_are_a_group_where_folders_say_so(data: Any) -> None:
    names = [f"{patient}/{study}/{view}.png" for patient in "abc" for study in "12" for view in "xy"]
    rows = [LabelRow(0, name, ()) for name in names]
    table = LabelTable.of_rows(Path("labels.csv"), {}, rows)
    joined = join_labels(table, names, {}, data())
    for levels, size in ((0, 1), (1, 4), (2, 2), (3, 1)):
        folders = group_folders(pa.array(names), data(group_folders=levels))
        group = image_groups(table, joined, np.arange(12), folders, data(group_folders=levels))
        assert group.tolist() == [row // size * size for row in range(12)]
    hashes = pa.array([bytes(32)] * 12, pa.binary(32))
    known = identify(table, joined, hashes, group_folders(pa.array(names), data(group_folders=1)), data())
    assert known["named"].to_pylist()[:5] == ["folder a"] * 4 + ["folder b"]


@pytest.mark.parametrize("level", [1, 2, 3])
def test_folders_are_those_that_python_finds_in_the_path(data: Any, level: int) -> None:
    names = ["a/b/c/d.png", " a /\tb/c.png", "a\nb/c.png", "a//b.png", "c.png", "ü/ö/ä/1.png"]
    folders = group_folders(pa.array(names), data(group_folders=level))
    parts = [name.split("/") for name in names]
    assert [folders[row] for row in range(6)] == ["/".join(p[:level]) if level < len(p) else "" for p in parts]


def test_an_image_is_known_by_the_least_of_its_values_or_by_its_content(data: Any) -> None:
    named = {2: ["zoë", "anna"], 3: [""], 5: ["NA"], 6: ["z", "ä", "Z"]}
    table, joined = joined_rows(data, {k: [LabelRow(0, "", (), group) for group in own] for k, own in named.items()})
    hashes = pa.array([bytes([row]) * 32 for row in joined.image.tolist()], pa.binary(32))
    known = identify(table, joined, hashes, WordColumn.constant("", 14), data())
    assert known["named"].to_pylist()[:4] == ["group anna", None, None, "group Z"]
    assert known["sha256"].to_pylist()[1] == bytes([3]) * 32
