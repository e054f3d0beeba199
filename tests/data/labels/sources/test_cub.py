"""Lists by number, as CUB-200 has them: what each image is, counted by hand, and lists that do not fit each other."""

from pathlib import Path

import pytest

from lacuna.data.labels.sources.cub import read_cub
from tests.label_sources import cells, read_with, refusal, words_of

LISTS = {
    "images.txt": "1 001.Wren/a b.jpg\n2 002.Sparrow/c.jpg\n7 002.Sparrow/d.jpg\n",
    "image_class_labels.txt": "7 2\n1 1\n",
    "classes.txt": "1 001.Wren\n2 Sparrows, all of them\n",
    "train_test_split.txt": "1 1\n2 0\n",
}


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    for name, text in LISTS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_numbers_lead_to_images_classes_and_parts(lists: Path) -> None:
    found = read_with(read_cub, lists)
    assert found.targets == {"class": "categorical"}
    assert words_of(found.image) == ["001.Wren/a b.jpg", "002.Sparrow/c.jpg", "002.Sparrow/d.jpg"]
    assert cells(found) == {"class": ["001.Wren", "", "Sparrows, all of them"]}
    assert words_of(found.split) == ["train", "test", ""]
    assert found.line.tolist() == [1, 2, 3]
    assert "1 image of images.txt without a class in image_class_labels.txt" in found.notes


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("images.txt", "1 a.jpg\n1 b.jpg\n", "images.txt:2: '1' stands in line 1 as well"),
        ("images.txt", "1\n", "images.txt:1: expected a number and what it means, received '1'"),
        ("image_class_labels.txt", "1 1\n9 1\n", "image_class_labels.txt:2: '9' is no number of images.txt"),
        ("image_class_labels.txt", "1 5\n", "labels.txt:1: '5', expected one of the numbers of classes.txt"),
        ("train_test_split.txt", "1 2\n", "train_test_split.txt:1: '2', expected one of 1 (train) or 0 (test)"),
    ],
)
def test_lists_that_do_not_fit_are_refused(lists: Path, name: str, text: str, message: str) -> None:
    (lists / name).write_text(text, encoding="utf-8")
    assert message in refusal(read_cub, lists)


def test_a_list_that_is_lacking_is_named(lists: Path) -> None:
    (lists / "train_test_split.txt").unlink()
    assert words_of(read_with(read_cub, lists).split) == ["", "", ""]
    (lists / "classes.txt").unlink()
    assert "classes.txt: no such file" in refusal(read_cub, lists)
