"""The manifest comes back from its file as it was, and says when it belongs to other targets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lacuna.core.files_table import FileInfo
from lacuna.core.manifest import Manifest
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
