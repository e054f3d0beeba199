"""What the place of an image says of its class and its split."""

import pytest

from lacuna.data.images.class_folders import Place, find_places
from lacuna.errors import LacunaError


def test_the_first_folder_is_the_class_however_deep_the_image_lies() -> None:
    assert find_places(["cat/a.png", "cat/2019/old/b.png", "dog/train/c.png", "d.png"]) == [
        Place("", "cat"),
        Place("", "cat"),
        Place("", "dog"),
        Place("", ""),
    ]


def test_folders_named_like_splits_are_splits_when_all_are() -> None:
    images = ["Train/cat/a.png", "TEST/cat/deep/b.png", "val/c.png", "d.png"]
    assert find_places(images) == [Place("Train", "cat"), Place("TEST", "cat"), Place("val", ""), Place("", "")]


def test_a_single_folder_named_like_a_split_beside_others_is_a_class() -> None:
    assert [place.name for place in find_places(["train/1.png", "bus/2.png"])] == ["train", "bus"]


def test_splits_beside_another_folder_are_an_error_because_either_could_be_meant() -> None:
    with pytest.raises(LacunaError, match=r"folders test, train are named like splits, __MACOSX beside them not"):
        find_places(["train/cat/1.png", "test/cat/2.png", "__MACOSX/x.png"])
