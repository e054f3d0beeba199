"""Idx files as they should be, and every way in which they are not: named with what was expected and received."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lacuna.data.images.idx import find_parts, read_classes
from lacuna.errors import LacunaError
from tests.idx_files import idx_bytes, write_idx_folder

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def read_all(folder: Path) -> None:
    for part in find_parts(folder):
        list(part.read_images())
        part.read_labels(read_classes(folder))


def test_parts_hold_their_images_and_labels_in_order(tmp_path: Path) -> None:
    values = write_idx_folder(tmp_path, train=2500, test=7)  # more than two blocks
    train, test = find_parts(tmp_path)
    assert (train.n, train.read_images().shape, test.n) == (2500, (2500, 28, 28), 7)
    assert (np.stack(list(train.read_images())) == values["train-images"]).all()
    assert (np.stack(list(test.read_images())) == values["t10k-images"]).all()
    assert (test.read_labels(None) == values["t10k-labels"]).all()
    assert test.image_names() == [f"t10k/0000{number}" for number in range(7)]


def test_names_and_packing_of_the_wild(tmp_path: Path) -> None:
    write_idx_folder(tmp_path, train=3, test=3)
    (tmp_path / IMAGES).rename(tmp_path / "train-images.idx3-ubyte")  # as in Kaggle's archives
    packed = tmp_path / "t10k-labels-idx1-ubyte.gz"
    packed.write_bytes(gzip.decompress(packed.read_bytes()))  # unpacked by a browser, which keeps the suffix
    assert [part.n for part in find_parts(tmp_path)] == [3, 3]


def header(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def spoiled(content: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "labels": header(0x801, 3) + bytes(3),
        "floats": b"\0\0\x0d" + content[3:],
        "half a header": content[:9],
        "cut short": content[:-1],
        "trailing": content + b"\0",
        "no images": header(0x803, 0, 28, 28),
        "bomb": header(0x803, 2**31, 2**15, 2**15),
        "wrong number": idx_bytes(np.zeros((5, 28, 28), np.uint8)),
        "gzip cut short": gzip.compress(content)[:-9],
        "gzip damaged": gzip.compress(content)[:40] + b"xxxx" + gzip.compress(content)[44:],
        "gzip trailing": gzip.compress(content) + b"tail",
        "gzip bomb": gzip.compress(content + bytes(10**6)),
    }


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("empty", r"ubyte: magic number 0x\(none\), expected 0x00000803: an idx file of images"),
        ("labels", r"ubyte: magic number 0x00000801, expected 0x00000803: .* images \(unsigned bytes, 3 axes\)"),
        ("floats", r"ubyte: magic number 0x00000d03, expected 0x00000803"),
        ("half a header", r"ubyte: the header is cut short: 9 bytes, expected 16"),
        ("cut short", r"ubyte: cut short after 4703 of the 4704 bytes"),
        ("trailing", r"ubyte: more bytes behind the 4704 that its header promises"),
        ("no images", r"ubyte: the header promises 0 x 28 x 28 bytes, expected 1 to 1000000000"),
        ("bomb", r"ubyte: the header promises 2147483648 x 32768 x 32768 bytes, expected 1 to 1000000000"),
        ("wrong number", r"train-labels-idx1-ubyte: 6 labels, expected 5, one for each image of train-images"),
        ("gzip cut short", r"ubyte: the gzip file is cut short"),
        ("gzip damaged", r"ubyte: (damaged gzip|magic number|cut short|the gzip file is cut short)"),
        ("gzip trailing", r"ubyte: damaged gzip file"),
        ("gzip bomb", r"ubyte: more bytes behind the 4704"),
    ],
)
def test_a_spoiled_file_is_named_with_what_was_expected_and_received(tmp_path: Path, fault: str, message: str) -> None:
    write_idx_folder(tmp_path, train=6, test=3)
    path = tmp_path / IMAGES
    path.write_bytes(spoiled(path.read_bytes())[fault])
    with pytest.raises(LacunaError, match=message) as caught:
        read_all(tmp_path)
    assert "\n" not in str(caught.value)


def remove_labels(folder: Path) -> None:
    (folder / LABELS).unlink()


def spoil_labels(folder: Path) -> None:
    (folder / LABELS).write_bytes(header(0x803, 6, 1, 1) + bytes(6))


def label_out_of_range(folder: Path) -> None:
    (folder / LABELS).write_bytes(header(0x801, 6) + bytes([0, 1, 2, 0, 9, 1]))
    (folder / "classes.txt").write_text("boot\nshoe\nhat\n")


def one_name_twice(folder: Path) -> None:
    (folder / "classes.txt").write_text("boot\nshoe\nboot\nhat\n")


def an_empty_line(folder: Path) -> None:
    (folder / "classes.txt").write_text("boot\n\nshoe\nhat\n")


def names_in_latin_1(folder: Path) -> None:
    (folder / "classes.txt").write_bytes("botté\nhat\n".encode("latin-1"))


def test_marks_before_the_first_name_are_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("\ufeff\ufeffboot\nshoe\n", encoding="utf-8")
    assert read_classes(tmp_path) == ["boot", "shoe"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove_labels, rf"no {LABELS} or {LABELS}.gz; expected the four files"),
        (spoil_labels, rf"{LABELS}: magic number 0x00000803, expected 0x00000801: an idx file of labels"),
        (label_out_of_range, rf"{LABELS}: label 9 of image train/00004, expected 0 to 2: .* names 3 classes"),
        (one_name_twice, r"classes.txt:3: 'boot' a second time, expected the name of class 2"),
        (an_empty_line, r"classes.txt:2: an empty line, expected the name of class 1"),
        (names_in_latin_1, r"classes.txt: not UTF-8 text"),
    ],
)
def test_wrong_labels_are_named(tmp_path: Path, spoil: Callable[[Path], None], message: str) -> None:
    write_idx_folder(tmp_path, train=6, test=3)
    spoil(tmp_path)
    with pytest.raises(LacunaError, match=message):
        read_all(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(LacunaError, match=r"nowhere: no such folder; data.path"):
        find_parts(tmp_path / "nowhere")
