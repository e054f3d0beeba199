"""Which files of a folder are images: the same answer for training and for predicting, and what is said of the rest."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lacuna.data.images.collections import ImageFolder
from lacuna.data.images.find import describe_left_out
from lacuna.inference.image_inputs import find_images


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def trained_on(root: Path) -> list[str]:
    return ImageFolder(root, in_class_folders=False).names


def predicted(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in find_images([str(root)])]


def test_folders_behind_links_are_searched_for_training_and_for_predicting(tmp_path: Path) -> None:
    root = tmp_path / "root"
    touch(root, "a/1.png", "z.png")
    touch(tmp_path / "elsewhere", "2.jpg", "deep/3.webp", ".hidden/4.png")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "one.gif").symlink_to(tmp_path / "elsewhere" / "2.jpg")
    assert trained_on(root) == ["a/1.png", "linked/2.jpg", "linked/deep/3.webp", "one.gif", "z.png"]
    assert predicted(root) == ["a/1.png", "one.gif", "z.png", "linked/2.jpg", "linked/deep/3.webp"]


def test_a_folder_is_searched_once_at_its_own_place(tmp_path: Path) -> None:
    touch(tmp_path, "b/1.png", "b/c/2.png")
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "b" / "c" / "self").symlink_to("self")
    assert trained_on(tmp_path) == predicted(tmp_path) == ["b/1.png", "b/c/2.png"]


def test_folders_that_all_link_to_each_other_end(tmp_path: Path) -> None:
    names = [f"f{number}" for number in range(30)]  # 30! ways through them
    touch(tmp_path, *(f"{name}/{name}.png" for name in names))
    for name in names:
        for other in names:
            (tmp_path / name / f"to_{other}").symlink_to(tmp_path / other)
    assert trained_on(tmp_path) == predicted(tmp_path) == sorted(f"{name}/{name}.png" for name in names)


NAMES = ["a", "b", ".h", "1.png", "2.JPG", "2.heic", "3.txt", ".4.png", "x.zip", "5.nef"]
PATHS = st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3), min_size=1, max_size=8)


@given(PATHS)
def test_training_and_predicting_find_the_same(paths: list[list[str]]) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        touch(root, "sure.png", *("/".join([*(f"{part}_" for part in path[:-1]), path[-1]]) for path in paths))
        assert sorted(predicted(root)) == trained_on(root)


def test_a_picture_in_a_format_that_is_not_read_counts_unless_an_image_lies_beside_it(tmp_path: Path) -> None:
    touch(tmp_path, "1.JXL", "2.jxl", "2.jpg", "3.NEF", "3.JPG", "sub/3.nef", "5.dcm", "6.zip", "6.png")
    assert trained_on(tmp_path) == ["1.JXL", "2.jpg", "3.JPG", "5.dcm", "6.png", "sub/3.nef"]


def test_what_is_left_out_and_may_hold_images_is_named_with_what_to_do(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "DSC1", "JPEG")
    Image.new("RGB", (8, 8)).save(tmp_path / "DSC2.jpg_large", "PNG")
    (tmp_path / "slice7").write_bytes(bytes(128) + b"DICM" + bytes(40))
    touch(tmp_path, "a.zip", "b.zip", "c.zip", "d.ZIP", "sky.FITS", "x.npy", "y.nef", "z.qoi")
    touch(tmp_path, "LICENSE", "notes.txt", "labels.csv", ".DS_Store")
    assert describe_left_out(sorted(tmp_path.iterdir())) == [
        "1 .fits files are left out (sky.FITS); if they hold images of yours: convert to PNG",
        "1 .nef files are left out (y.nef): an image of the same name lies beside each",
        "1 .npy files are left out (x.npy); if they hold images of yours: save the images inside as PNG files",
        "1 .qoi files are left out (z.qoi); if they hold images of yours: convert to PNG",
        "4 .zip files are left out (a.zip, b.zip, c.zip, ...); if they hold images of yours: unpack first",
        "3 files without an image's suffix hold images and are left out (DSC1, DSC2.jpg_large, slice7): rename them, "
        "to .jpg for example",
    ]


def test_a_folder_of_archives_alone_says_so(tmp_path: Path) -> None:
    touch(tmp_path, "a.zip", "b.txt")
    for find in (trained_on, predicted):
        with pytest.raises(Exception, match=r"no image in this folder.*1 .zip files are left out \(a.zip\).* unpack"):
            find(tmp_path)
