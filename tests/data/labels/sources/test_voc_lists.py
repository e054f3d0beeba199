"""The lists of Pascal VOC: 1 is present, -1 absent, 0 too difficult to say, counted by hand."""

from pathlib import Path

import pytest

from lacuna.data.labels.sources.voc_lists import read_voc_lists
from tests.label_sources import cells, read_with, refusal, words_of

LISTS = {
    "cat_train.txt": "2008_1 -1\n2008_2  1\n",
    "cat_val.txt": "2008_3  0\n",
    "cat_trainval.txt": "2008_1 -1\n2008_2  1\n2008_3  0\n",
    "dining_table_train.txt": "2008_2 -1\n",
    "dining_table_val.txt": "2008_3  1\n",
    "train.txt": "2008_1\n2008_2\n",
}


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    for name, text in LISTS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_each_class_is_a_target_and_the_lists_are_the_split(lists: Path) -> None:
    found = read_with(read_voc_lists, lists)
    assert found.targets == {"cat": "binary", "dining_table": "binary"}
    assert words_of(found.image) == ["2008_1", "2008_2", "2008_3"]
    assert cells(found) == {"cat": ["absent", "present", ""], "dining_table": ["", "absent", "present"]}
    assert words_of(found.split) == ["train", "train", "val"]


def test_lists_of_trainval_alone_are_no_split(lists: Path) -> None:
    for path in lists.glob("*.txt"):
        if "trainval" not in path.name:
            path.unlink()
    found = read_with(read_voc_lists, lists)
    assert cells(found) == {"cat": ["absent", "present", ""]}
    assert words_of(found.split) == ["", "", ""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2008_3 2\n", "cat_val.txt:1: expected an image and 1, -1 or 0, received '2008_3 2'"),
        ("2008_3\n", "cat_val.txt:1: expected an image and 1, -1 or 0, received '2008_3'"),
        ("2008_2 1\n", "cat_val.txt:1: the image '2008_2' is in the part train as well"),
    ],
)
def test_other_lines_are_refused(lists: Path, text: str, message: str) -> None:
    (lists / "cat_val.txt").write_text(text, encoding="utf-8")
    assert message in refusal(read_voc_lists, lists)


def test_a_folder_without_lists_is_refused(tmp_path: Path) -> None:
    assert "no list such as cat_train.txt in this folder" in refusal(read_voc_lists, tmp_path)
