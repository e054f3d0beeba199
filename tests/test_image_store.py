"""A folder of files to one array: every file once, in order, and the array's file as long as it says."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.errors import LacunaError
from lacuna.image_store import find_images, write_images


def test_finds_images_in_subfolders_and_counts_the_rest(tmp_path: Path) -> None:
    for name in ("b.JPG", "a/z.png", "a/deep/y.webp", "notes.txt", ".hidden.png", ".git/x.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "a" / "round").symlink_to(tmp_path)
    assert find_images(tmp_path) == (["a/deep/y.webp", "a/z.png", "b.JPG"], 2)


def test_a_missing_folder_and_one_without_images_are_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to see")
    with pytest.raises(LacunaError, match=r"no image in this folder .* 1 other"):
        find_images(tmp_path)
    with pytest.raises(LacunaError, match="photos: no such folder"):
        find_images(tmp_path / "photos")


def test_rows_follow_the_names_and_rejected_ones_have_none(tmp_path: Path) -> None:
    names = []
    for number in range(150):  # more than two batches
        name = f"{number:03}.png"
        names.append(name)
        if number % 10 == 3:
            (tmp_path / name).write_bytes(b"no image")
        else:
            Image.new("RGB", (32, 32), (number, 0, 0)).save(tmp_path / name)
    os.mkfifo(tmp_path / "150.png")
    target = tmp_path / "images.npy"
    accepted, rejected = write_images(tmp_path, [*names, "150.png"], target, size=32, resize="stretch", max_pixels=2000)
    images = np.load(target)
    assert images.shape == (135, 32, 32, 3)
    assert target.stat().st_size == 128 + images.nbytes
    assert [f"{red:03}.png" for red in images[:, 0, 0, 0]] == accepted
    assert [name for name, _ in rejected] == [*names[3::10], "150.png"]
    assert dict(rejected)["003.png"] == "not an image of a known format"
    assert dict(rejected)["150.png"] == "not a regular file"
