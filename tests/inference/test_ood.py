"""Out-of-distribution images are found, and images like the training images are called so no oftener than promised."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lacuna.core.groups import one_of_each
from lacuna.errors import LacunaError
from lacuna.export.ood_fit import fit_detector
from lacuna.inference.bundle import read_bundle
from lacuna.inference.ood import FalseAlarms, OodDetector
from lacuna.inference.predictor import Predictor
from lacuna.io.atomic import save_arrays
from tests.ood_bundle import cloud, training_like_pictures, write_ood_bundle
from tests.tiny_bundle import SIZE, write_tiny_bundle

FALSE_ALARMS = FalseAlarms(0.01, 0.01, 99, 1, 100, 0.0, 0.05)


def test_the_distance_counts_standard_deviations_along_the_axes_and_outside_of_them() -> None:
    # (0, 5) has the direction (0, 1): 1 from the mean along the only axis, 1 in the direction that has none.
    detector = OodDetector(np.array([1.0, 0.0]), np.array([[0.0], [1.0]]), np.array([0.1]), 0.5, 3.0, FALSE_ALARMS)
    np.testing.assert_allclose(detector.distance(np.array([[0.0, 5.0], [2.0, 0.0]])), [(10**2 + 2**2) ** 0.5, 0])
    np.testing.assert_allclose(detector.coordinates(np.array([[0.0, 5.0]])), [[10.0]])


def test_one_image_stands_for_its_group_and_each_of_them_may() -> None:
    group = np.array([7, 3, 7, 7, 3, 9])
    drawn = [tuple(one_of_each(group, np.random.default_rng(seed))) for seed in range(200)]
    assert all(sorted(group[list(rows)]) == [3, 7, 9] for rows in drawn)
    assert {row for rows in drawn for row in rows} == set(range(6))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "out_of_distribution.npz"
    save_arrays(path, fit_detector(cloud(100, 0), cloud(99, 1), cloud(50, 2), 0.01).to_arrays())
    return path


def test_what_is_read_is_what_was_written(written: Path) -> None:
    fitted, read = fit_detector(cloud(100, 0), cloud(99, 1), cloud(50, 2), 0.01), OodDetector.load(written)
    assert (read.threshold, read.false_alarms) == (fitted.threshold, fitted.false_alarms)
    np.testing.assert_array_equal(read.distance(cloud(30, 3)), fitted.distance(cloud(30, 3)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": np.array(9)}, "of format 9, this Lacuna reads 1"),
        ({"mean": np.full(20, np.nan)}, "impossible statistics"),
        ({"scales": np.zeros(20)}, "impossible statistics"),
        ({"axes": np.zeros((3, 4))}, "impossible statistics"),
        ({"counts": np.zeros(2)}, "damaged"),
    ],
)
def test_impossible_statistics_are_refused(written: Path, changes: dict[str, np.ndarray], message: str) -> None:
    with np.load(written) as content:
        arrays = dict(content)
    save_arrays(written, {**arrays, **changes})
    with pytest.raises(LacunaError, match=message):
        OodDetector.load(written)


def test_a_file_without_an_array_and_a_cut_one_are_refused(written: Path) -> None:
    content = written.read_bytes()
    written.write_bytes(content[: len(content) // 2])
    with pytest.raises(LacunaError, match="not a whole file of arrays"):
        OodDetector.load(written)
    save_arrays(written, {"format_version": np.array(1)})
    with pytest.raises(LacunaError, match="damaged, KeyError"):
        OodDetector.load(written)


def test_a_prediction_says_whether_the_image_is_unlike_the_training_images(tmp_path: Path) -> None:
    predictor = Predictor.load(write_ood_bundle(tmp_path / "bundle"))
    blue = np.zeros((SIZE, SIZE, 3), np.uint8)
    blue[..., 2] = 250
    like, unlike = predictor.predict([training_like_pictures(1, 99)[0], blue])
    assert (like.unfamiliar, unlike.unfamiliar) == (False, True)
    assert unlike.to_json()["unfamiliar"] is True


def test_a_bundle_of_before_says_nothing_of_it(tmp_path: Path) -> None:
    (prediction,) = Predictor.load(write_tiny_bundle(tmp_path / "bundle")).predict([np.zeros((4, 4, 3), np.uint8)])
    assert prediction.unfamiliar is None
    assert "unfamiliar" not in prediction.to_json()


def test_a_damaged_file_makes_the_bundle_refused(tmp_path: Path) -> None:
    bundle = write_ood_bundle(tmp_path / "bundle")
    with (bundle / "out_of_distribution.npz").open("ab") as file:
        file.write(b"more")
    with pytest.raises(LacunaError, match=r"out_of_distribution\.npz: not the file that bundle.json was written for"):
        read_bundle(bundle, "openvino")


def test_bundle_json_names_no_other_file_for_it(tmp_path: Path) -> None:
    bundle = write_ood_bundle(tmp_path / "bundle")
    content = json.loads((bundle / "bundle.json").read_text())
    content["out_of_distribution"] = {"../out_of_distribution.npz": "0" * 64}
    (bundle / "bundle.json").write_text(json.dumps(content))
    with pytest.raises(LacunaError, match=r"names a file '\.\./out_of_distribution\.npz'"):
        read_bundle(bundle, "openvino")


def test_the_stored_bytes_do_not_hang_on_the_version_of_python(written: Path) -> None:
    with zipfile.ZipFile(written) as archive:
        entries = archive.infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {(entry.create_system, entry.compress_type) for entry in entries} == {(3, 0)}
