"""A folder of files to one array: every file once, in order, and the array's file as long as it says."""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from lacuna.data.images.collections import ImageFolder
from lacuna.data.images.store import write_images


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
    folder = ImageFolder(tmp_path, in_class_folders=False)
    pictures = folder.decode([*names, "150.png"], 32, "stretch", 2000)
    stored = write_images(pictures, len(names) + 1, target, size=32)
    images = np.load(target)
    assert images.shape == (135, 32, 32, 3)
    assert target.stat().st_size == 128 + images.nbytes
    assert [f"{red:03}.png" for red in images[:, 0, 0, 0]] == list(stored.accepted)
    assert [name for name, _ in stored.rejected] == [*names[3::10], "150.png"]
    assert dict(stored.rejected)["003.png"] == "not an image of a known format"
    assert dict(stored.rejected)["150.png"] == "not a regular file"
