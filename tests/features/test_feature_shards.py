"""Features in shards: the same bytes whatever was there before, and no image computed twice."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from lacuna.features import feature_shards
from lacuna.features.feature_shards import CODE_OF_FEATURES, ArrayForm, write_feature_shards
from lacuna.io.sharded_array import list_shards
from tests.shards import load_rows, save_rows

SIZE, N = 4, 30
FORMS = {"features": ArrayForm((2,), np.float32), "boundary": ArrayForm((1, 3), np.float16)}
IMAGES = np.random.default_rng(0).integers(0, 256, (N, SIZE, SIZE, 3), dtype=np.uint8)
NEW = 255 - IMAGES[:5]


class Means:
    """Features that can be told from the pixels, and a count of the images they were computed for."""

    def __init__(self) -> None:
        self.computed = 0

    def __call__(self, images: Any, rows: Any, arrays: Any) -> None:
        self.computed += len(rows)
        for row in rows:
            arrays["features"][row] = images[row].mean(), images[row].std()
            arrays["boundary"][row] = images[row].mean(axis=(0, 1))[None]


def write(folder: Path, images: np.ndarray, kept: Path, *inputs: str, ends: tuple[int, ...] = (10, 20)) -> int:
    """Write the features of images, which are in shards that end at these rows; return how many were computed."""
    save_rows(folder / "pixels", images, ends)
    means = Means()
    write_feature_shards(folder, folder / "pixels", FORMS, means, kept, inputs)
    np.testing.assert_allclose(load_rows(folder / "features")[:, 0], images.mean(axis=(1, 2, 3)), rtol=1e-6)
    assert [path.name for path in list_shards(folder / "features")] == [
        path.name for path in list_shards(folder / "pixels")
    ]
    return means.computed


def contents(folder: Path) -> dict[str, bytes]:
    return {f"{name}/{path.name}": path.read_bytes() for name in FORMS for path in list_shards(folder / name)}


@pytest.mark.parametrize(
    ("images", "ends", "n_new"),
    [
        (np.insert(IMAGES, [0, 5, 11, 25, 30], NEW, axis=0), (12, 23), 5),
        (np.insert(IMAGES, [12] * 5, NEW, axis=0), (10, 25), 5),
        (np.delete(IMAGES, [3, 13, 23], axis=0), (9, 18), 0),
        (IMAGES[::-1], (7, 14), 0),
        (np.concatenate([NEW[:1], IMAGES[1:]]), (10, 20), 1),
        (IMAGES, (10, 20), 0),
        (IMAGES, (), 0),
    ],
    ids=["spread", "in the middle", "removed", "turned round", "replaced", "as it was", "cut otherwise"],
)
def test_after_a_change_all_is_as_from_nothing(
    tmp_path: Path, images: np.ndarray, ends: tuple[int, ...], n_new: int
) -> None:
    assert write(tmp_path / "before", IMAGES, tmp_path / "kept") == N
    assert write(tmp_path / "out", images, tmp_path / "kept", ends=ends) == n_new
    assert write(tmp_path / "expected", images, tmp_path / "nothing", ends=ends) == len(images)
    assert contents(tmp_path / "out") == contents(tmp_path / "expected")


def test_what_shapes_features_makes_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert write(tmp_path / "a", IMAGES, tmp_path / "kept", "weights") == N
    assert write(tmp_path / "b", IMAGES, tmp_path / "kept", "other weights") == N
    monkeypatch.setattr(feature_shards, "describe_processor", lambda: "another processor, whose last bits may differ")
    assert write(tmp_path / "c", IMAGES, tmp_path / "kept", "weights") == N
    monkeypatch.undo()
    assert write(tmp_path / "d", IMAGES, tmp_path / "kept", "weights") == 0


def test_an_error_keeps_the_shards_before_it(tmp_path: Path) -> None:
    class Fails(Means):
        def __call__(self, images: Any, rows: Any, arrays: Any) -> None:
            super().__call__(images, rows, arrays)
            if self.computed > 20:
                raise OSError(28, "disk full")

    save_rows(tmp_path / "pixels", IMAGES, (10, 20))
    with pytest.raises(OSError, match="disk full"):
        write_feature_shards(tmp_path, tmp_path / "pixels", FORMS, Fails(), tmp_path / "kept", ())
    assert not list((tmp_path / "kept").rglob("*partial*"))
    assert write(tmp_path / "again", IMAGES, tmp_path / "kept") == 10


def test_images_that_someone_wrote_into_are_computed_again(tmp_path: Path) -> None:
    write(tmp_path / "before", IMAGES, tmp_path / "kept")
    changed = IMAGES.copy()
    changed[4] = 0
    assert write(tmp_path / "after", changed, tmp_path / "kept") == 1


def test_the_code_of_features_is_what_dvc_runs_featurize_for(repository: Path) -> None:
    deps = YAML(typ="safe").load(repository / "dvc.yaml")["stages"]["featurize"]["deps"]
    assert {dep for dep in deps if dep.startswith("lacuna/")} == {f"lacuna/{part}" for part in CODE_OF_FEATURES}
