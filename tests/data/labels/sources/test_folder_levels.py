"""Folders in several levels, one target for each."""

from pathlib import Path

import pytest

from lacuna.data.labels.sources.folder_levels import read_folder_levels
from tests.label_sources import cells, read_with, refusal, words_of

LEVELS = {"colour": "categorical", "kind": "categorical"}


def test_each_level_is_a_target(tmp_path: Path) -> None:
    images = ["red/boot/1.jpg", "red/hat/old/2.jpg", "blue/3.jpg", "4.jpg"]
    found = read_with(read_folder_levels, tmp_path, images, targets=LEVELS)
    assert found.targets == LEVELS
    assert words_of(found.image) == images[:3]
    assert cells(found) == {"colour": ["red", "red", "blue"], "kind": ["boot", "hat", ""]}
    assert found.notes == (
        "1 image outside of the class folders, without a class: 4.jpg",
        "1 image in fewer folders than the 2 of colour, kind, unknown in the last ones: blue/3.jpg",
    )


def test_splits_on_top_are_no_level(tmp_path: Path) -> None:
    images = ["Train/red/boot/1.jpg", "val/red/hat/2.jpg", "test/blue/boot/3.jpg", "test/4.jpg"]
    found = read_with(read_folder_levels, tmp_path, images, targets=LEVELS)
    assert words_of(found.split) == ["Train", "val", "test"]
    assert cells(found) == {"colour": ["red", "red", "blue"], "kind": ["boot", "hat", "boot"]}


@pytest.mark.parametrize("images", [[], ["1.jpg"], ["red/1.jpg", "blue/2.jpg"], ["train/red/1.jpg", "test/red/2.jpg"]])
def test_too_few_levels_everywhere_are_refused(tmp_path: Path, images: list[str]) -> None:
    message = refusal(lambda data, _: read_folder_levels(data, images), tmp_path, targets=LEVELS)
    assert "no image lies in 2 folders within each other" in message
    assert message.endswith("expected one for each of data.targets from the top: colour, kind")
