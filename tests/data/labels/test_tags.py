"""Lists in cells become a binary target each, and what a missing one means is the user's choice."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lacuna.data.labels.label_table import LabelTable, WordColumn
from lacuna.data.labels.sources import read_labels
from lacuna.data.labels.tags import find_separator
from lacuna.errors import LacunaError

CELLS = ["cat|dog", "dog", "cat", "nothing", "", "bird|cat ", "dog|cat", "?", "bird"]


@pytest.fixture
def read(tiny_project: Any) -> Any:
    def read(cells: list[str], **tags: Any) -> LabelTable:
        pd.DataFrame({"image": [f"{k}.jpg" for k in range(len(cells))], "seen": cells}).to_csv(
            "labels.csv", index=False
        )
        own = {"separator": "|", "none": ["nothing"], "absent_means": "absent", **tags}
        data = tiny_project(
            {
                "data.labels": "labels.csv",
                "data.targets": {"seen": "tags"},
                "data.group_column": "",
                "data.tags": own,
                "data.min_class_count": 2,
                "calibrate.rules": {},
            }
        ).data
        return read_labels(data, [])

    return read


def codes(table: LabelTable) -> dict[str, list[int]]:
    return {name: column.code.tolist() for name, column in table.labels.items()}


def test_each_frequent_tag_is_a_target(read: Any) -> None:
    found = read([*CELLS, "fish|cat"])
    assert found.targets == {"bird": "binary", "cat": "binary", "dog": "binary"}
    assert codes(found) == {
        "bird": [0, 0, 0, 0, -1, 1, 0, -1, 1, 0],
        "cat": [1, 0, 1, 0, -1, 1, 1, -1, 0, 1],
        "dog": [1, 1, 0, 0, -1, 0, 1, -1, 0, 0],
    }
    assert found.notes == (
        "seen: 3 tags are targets; a tag that a cell does not list is absent (data.tags.absent_means)",
        "seen: no target is made of 1 tag of fewer than 2 rows: 'fish'",
    )


def test_a_missing_tag_may_be_unknown_but_no_tag_at_all_is_none_of_them(read: Any) -> None:
    assert codes(read(CELLS, absent_means="unknown"))["cat"] == [1, -1, 1, 0, -1, 1, 1, -1, -1]


def test_an_empty_cell_may_say_that_there_is_no_tag(read: Any) -> None:
    assert codes(read(CELLS, none=["", "nothing"]))["cat"] == [1, 0, 1, 0, 0, 1, 1, -1, 0]


def test_counts_are_those_of_pandas(read: Any) -> None:
    cells = ["haze primary", "clear primary", "clear", "water clear primary", "haze", "water"] * 3
    found = read(cells, separator="")
    dummies = pd.Series(cells).str.get_dummies(" ").sum()
    assert {name: sum(code) for name, code in codes(found).items()} == dummies.to_dict()


@pytest.mark.parametrize("cell", ['["cat", "dog"]', "['cat', 'dog']", "[ 'cat' ,'dog']"])
def test_lists_as_programs_write_them(read: Any, cell: str) -> None:
    assert codes(read([cell, "['cat']", "[]", cell])) == {"cat": [1, 1, 0, 1], "dog": [1, 0, 0, 1]}


def test_tags_become_names_that_targets_can_have(read: Any) -> None:
    assert list(read(["a/b|c.d", "a/b|c.d", "e"]).targets) == ["a_b", "c_d"]
    with pytest.raises(LacunaError, match=r"the tags 'a.b', 'a/b' give only 1 names of targets"):
        read(["a/b|a.b", "a/b|a.b"])
    with pytest.raises(LacunaError, match=r"target name 'split': taken are"):
        read(["split", "split"])


def test_no_frequent_tag_is_an_error_that_names_the_separator(read: Any) -> None:
    with pytest.raises(LacunaError, match=r"target seen: none of 2 tags has data.min_class_count = 2 rows or more"):
        read(["a,b", "c"])


LISTS = ["haze primary", "clear primary", "clear", "agriculture clear primary", "haze", "water clear"]


@pytest.mark.parametrize(
    ("words", "separator"),
    [
        (LISTS, ""),
        ([word.replace(" ", "|") for word in LISTS], "|"),
        ([word.replace(" ", ", ") for word in LISTS], ","),
        (["T-shirt/top", "Ankle boot", "Dress", "Shirt"], None),
        (["dark red", "dark blue", "light red", "light blue", "dark green", "light green"], None),
        (["Topwear", "Bottomwear", "Loungewear and Nightwear", "Free Gifts", "Shoes"], None),
        (["Doe, John", "Roe, Jane", "Poe, Edgar"], None),
    ],
)
def test_cells_that_look_like_lists(words: list[str], separator: str | None) -> None:
    assert find_separator(WordColumn.of(words)) == separator


def test_a_categorical_target_of_lists_stops_the_run(tiny_project: Any) -> None:
    cells = [*LISTS, *(" ".join(sorted({"clear", "haze", "water", w})) for w in "abcdefgh")] * 2
    pd.DataFrame({"image": [f"{k}.jpg" for k in range(len(cells))], "seen": cells}).to_csv("labels.csv", index=False)
    own = {"data.labels": "labels.csv", "data.targets": {"seen": "categorical"}, "data.group_column": ""}
    with pytest.raises(
        LacunaError, match=r"the cells of seen look like lists with blanks .* write data.targets.seen: tags"
    ):
        read_labels(tiny_project(own).data, [])
    kept = read_labels(tiny_project({**own, "data.min_class_count": 1}).data, [])
    assert len(kept.labels["seen"].words) == len(set(cells))
    assert Path("labels.csv").exists()


def test_images_whose_rows_list_different_tags_are_counted(tiny_project: Any) -> None:
    rows = [
        ("a", "cat|dog"),
        ("a", "dog|cat"),
        ("b", "cat"),
        ("b", "dog"),
        ("c", "cat"),
        ("c", ""),
        ("d", "nothing"),
        ("d", "dog"),
    ]
    frame = pd.DataFrame(rows, columns=["image", "seen"])
    frame.to_csv("labels.csv", index=False)
    tags = {"separator": "|", "none": ["nothing"], "absent_means": "absent"}
    changes = {
        "labels": "labels.csv",
        "targets": {"seen": "tags"},
        "group_column": "",
        "tags": tags,
        "min_class_count": 2,
    }
    data = tiny_project({**{f"data.{key}": value for key, value in changes.items()}, "calibrate.rules": {}}).data
    said = frame[frame.seen != ""].seen.map(lambda cell: frozenset(cell.split("|"))).groupby(frame.image).nunique()
    assert (said > 1).sum() == 2  # b and d; c has an unknown cell, a says the same in another order
    assert "seen: 2 images have rows that list different tags, which are put together" in read_labels(data, []).notes
