"""Which images a folder of files and a set of idx files hold, and that both decode alike."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lacuna.data.images.collections import IdxImages, ImageCollection, ImageFolder, open_images
from lacuna.data.images.readers import WorkingForm
from lacuna.errors import LacunaError
from lacuna.io.file_digests import open_digests
from tests.idx_files import write_idx_folder


def digests_of(collection: ImageCollection, folder: Path) -> dict[str, Any]:
    """What tells the content of each image of a collection, by name."""
    with open_digests(folder / "digests.sqlite") as known:
        return dict(zip(collection.names, collection.reader.digests(collection.names, known), strict=True))


def test_finds_images_in_subfolders_and_counts_the_rest(tmp_path: Path) -> None:
    for name in ("b.JPG", "a/z.png", "a/deep/y.webp", "notes.txt", ".hidden.png", ".git/x.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "a" / "round").symlink_to(tmp_path)
    folder = ImageFolder(tmp_path, in_class_folders=False)
    assert folder.names == ["a/deep/y.webp", "a/z.png", "b.JPG"]
    assert [path.name for path in folder.others] == [".hidden.png", "notes.txt"]


def test_a_missing_folder_and_one_without_images_are_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to see")
    with pytest.raises(LacunaError, match=r"no image in this folder .* 1 other"):
        ImageFolder(tmp_path, in_class_folders=False)
    with pytest.raises(LacunaError, match="photos: no such folder"):
        ImageFolder(tmp_path / "photos", in_class_folders=False)


@pytest.mark.parametrize("size", [28, 45])
@pytest.mark.parametrize("resize", ["pad", "stretch"])
def test_an_idx_image_is_decoded_as_the_same_image_in_a_file(
    tiny_project: Any, tmp_path: Path, size: int, resize: Any
) -> None:
    values = write_idx_folder(tmp_path / "idx", train=3, test=2)
    grey = np.concatenate([values["train-images"], values["t10k-images"]])
    (tmp_path / "files").mkdir()
    for number, pixels in enumerate(grey):
        Image.fromarray(pixels).save(tmp_path / "files" / f"{number}.png")

    found = []
    for source, path in (("idx", "idx"), ("labels_txt", "files")):
        changes = {"data.source": source, "data.path": path, "data.labels": path, "data.targets": {}}
        collection = open_images(tiny_project(changes).data)
        digests = digests_of(collection, tmp_path)
        found.append(list(collection.reader.pictures(digests, WorkingForm(size, resize, 1000))))
    for one, other in zip(*found, strict=True):
        assert one.pixels.shape == (size, size, 3)
        assert (one.pixels == other.pixels).all()
        assert one.origin == ("IDX", "L", 28, 28, 28 * 28)
        assert other.origin[:4] == ("PNG", "L", 28, 28)
    if size == 28:
        assert (found[0][0].pixels == grey[0][:, :, None]).all()


def test_idx_images_are_taken_by_name_and_their_strata_are_split_and_class(tmp_path: Path) -> None:
    values = write_idx_folder(tmp_path, train=5, test=4)
    collection = IdxImages(tmp_path)
    assert collection.names == [*(f"train/0000{i}" for i in range(5)), *(f"t10k/0000{i}" for i in range(4))]
    assert collection.strata()[3:7] == ["train/3", "train/0", "test/0", "test/1"]
    wanted = ["train/00003", "t10k/00001"]
    every = digests_of(collection, tmp_path)
    digests = {name: every[name] for name in wanted}
    assert len(set(every.values())) == 9
    found = dict(zip(wanted, collection.reader.pictures(digests, WorkingForm(28, "pad", 1000)), strict=True))
    assert (found["t10k/00001"].pixels[:, :, 0] == values["t10k-images"][1]).all()


def test_idx_images_larger_than_allowed_are_an_error(tmp_path: Path) -> None:
    write_idx_folder(tmp_path, train=5, test=4)
    with pytest.raises(LacunaError, match=r"images of 28 x 28 pixels, at most data.max_pixels = 783"):
        list(IdxImages(tmp_path).reader.pictures({"train/00000": ""}, WorkingForm(28, "pad", 783)))


def test_strata_are_the_class_folders_where_these_tell_the_class(tiny_project: Any, tmp_path: Path) -> None:
    for name in ("train/cat/a.png", "train/dog/deep/b.png", "test/cat/c.png", "test/d.png"):
        (tmp_path / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / name).write_bytes(b"")
    changes = {"data.path": "raw", "data.labels": "raw", "data.targets": {}, "data.source": "folders"}
    collection = open_images(tiny_project(changes).data)
    assert collection.names == ["test/cat/c.png", "test/d.png", "train/cat/a.png", "train/dog/deep/b.png"]
    assert collection.strata() == ["test/cat", "test/", "train/cat", "train/dog"]
    collection = open_images(tiny_project(changes | {"data.source": "labels_txt"}).data)
    assert len(set(collection.strata())) == 1
