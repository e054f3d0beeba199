"""The manifest comes back from its file as it was, and says when it belongs to other targets."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lacuna.core.files_table import FileInfo
from lacuna.core.manifest import Manifest, read_training_rows
from lacuna.core.targets import Target, Targets
from lacuna.core.working_image import Origin
from lacuna.errors import LacunaError

RED = Target("red", "binary", ("absent", "present"))
KIND = Target("kind", "categorical", ("boot", "hat", "shoe"))

MANIFEST = Manifest(
    image=np.array(["a, b.jpg", 'sub/ü "x".png', "c.png"]),
    row=np.array([0, 2, 5]),
    split=np.array(["train", "test", "train"]),
    group=np.array([0, 2, 0]),
    labels=np.array([[1, -1], [-1, 2], [0, 0]], dtype=np.int16),
)


def test_save_and_load(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    MANIFEST.save(path, Targets((RED, KIND)))
    assert path.read_text(encoding="utf-8").splitlines()[:2] == [
        "image,row,split,group,red,kind",
        '"a, b.jpg",0,train,0,1,-1',
    ]
    loaded = Manifest.load(path, Targets((RED, KIND)))
    assert len(loaded) == 3
    for name in ("image", "row", "split", "group", "labels"):
        one, other = getattr(MANIFEST, name), getattr(loaded, name)
        assert one.dtype.kind == other.dtype.kind
        assert one.tolist() == other.tolist()
    assert loaded.labels.dtype == np.int16
    with pytest.raises(LacunaError, match="not those of the targets"):
        Manifest.load(path, Targets((KIND, RED)))


@given(st.lists(st.text(), max_size=6))
def test_names_come_back_whatever_is_in_them(names: list[str]) -> None:
    names = [name.rstrip("\0") for name in names]  # which NumPy takes for padding
    n = len(names)
    row = np.arange(n)
    with TemporaryDirectory() as folder:
        path = Path(folder, "manifest.csv")
        labels = np.full((n, 1), -1, dtype=np.int16)
        Manifest(np.array(names, dtype=np.str_), row, np.array(["val"] * n), row, labels).save(path, Targets((RED,)))
        loaded = Manifest.load(path, Targets((RED,)))
    assert loaded.image.tolist() == names
    assert loaded.labels.shape == (n, 1)


@pytest.mark.parametrize("cell", ["", "NA", "1.0", "40000"])
def test_a_cell_that_is_no_label_is_said(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text(f"image,row,split,group,red\na.png,0,val,0,1\nb.png,1,val,1,{cell}\n")
    with pytest.raises(LacunaError, match=r"manifest.csv: .*; run dvc repro prepare$"):
        Manifest.load(path, Targets((RED,)))


def test_training_rows_are_found_without_the_targets(tmp_path: Path) -> None:
    MANIFEST.save(tmp_path / "manifest.csv", Targets((RED, KIND)))
    assert read_training_rows(tmp_path / "manifest.csv").tolist() == [0, 5]


def test_the_table_of_files_names_what_an_image_was_in_one_order() -> None:
    """Readers make an Origin of a line by position."""
    assert FileInfo._fields == ("image", *Origin._fields)


def test_part() -> None:
    train = MANIFEST.part("train")
    assert train.image.tolist() == ["a, b.jpg", "c.png"]
    assert train.row.tolist() == [0, 5]
    assert train.labels.tolist() == [[1, -1], [0, 0]]
    assert len(MANIFEST.part("val")) == 0
    assert MANIFEST.part("val").labels.shape == (0, 2)


def test_without_test() -> None:
    split = np.array(["train", "test", "val"])
    assert replace(MANIFEST, split=split).without_test().row.tolist() == [0, 5]
