"""Unfamiliar images are found, and no more familiar ones than was promised."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.covariance import LedoitWolf

from lacuna.config.load import load_params
from lacuna.core.groups import one_of_each
from lacuna.errors import LacunaError
from lacuna.export.build_ensemble import build_ensemble
from lacuna.export.ood_fit import conformal_threshold, fit_detector, lack_of_groups
from lacuna.inference.bundle import read_bundle
from lacuna.inference.ood import FalseAlarms, OodDetector
from lacuna.inference.predictor import Predictor
from lacuna.io.atomic import save_arrays
from tests.ood_bundle import familiar_pictures, write_ood_bundle
from tests.tiny_bundle import SIZE, write_tiny_bundle

ALARMS = FalseAlarms(0.01, 0.01, 99, 1, 100, 0.0, 0.05)


def cloud(n: int, seed: int) -> np.ndarray:
    """Features (n, 20) around a common direction, of lengths from 1 to 3."""
    generator = np.random.default_rng(seed)
    directions = np.ones(20) + generator.normal(0, 0.3, (n, 20)) * np.linspace(0.2, 1, 20)
    return (directions * generator.uniform(0.2, 0.7, (n, 1))).astype(np.float32)


def test_the_distance_counts_standard_deviations_along_the_axes_and_outside_of_them() -> None:
    # (0, 5) has the direction (0, 1): 1 from the mean along the only axis, 1 in the direction that has none.
    detector = OodDetector(np.array([1.0, 0.0]), np.array([[0.0], [1.0]]), np.array([0.1]), 0.5, 3.0, ALARMS)
    np.testing.assert_allclose(detector.distance(np.array([[0.0, 5.0], [2.0, 0.0]])), [(10**2 + 2**2) ** 0.5, 0])
    np.testing.assert_allclose(detector.coordinates(np.array([[0.0, 5.0]])), [[10.0]])


def test_it_is_the_mahalanobis_distance_of_a_covariance_by_ledoit_and_wolf() -> None:
    training, others = cloud(200, 0), cloud(50, 1)
    unit = training / np.linalg.norm(training, axis=1, keepdims=True)
    expected = LedoitWolf().fit(unit).mahalanobis(others / np.linalg.norm(others, axis=1, keepdims=True))
    found = fit_detector(training, others, others, 0.1).distance(others)
    np.testing.assert_allclose(found**2, expected, rtol=1e-3)


def test_channels_without_any_variance_do_not_make_everything_unfamiliar() -> None:
    same = np.tile(np.float32([1, 2, 3]), (30, 1))
    detector = fit_detector(same, same, same, 0.1)
    assert not (detector.distance(same) > detector.threshold).any()
    assert (detector.distance(np.float32([[3, 2, 1]])) > detector.threshold).all()


def test_as_many_new_images_are_called_unfamiliar_as_was_promised() -> None:
    rates = []
    for seed in range(300):
        training, validation, new = cloud(60, seed), cloud(49, 1000 + seed), cloud(100, 2000 + seed)
        detector = fit_detector(training, validation, new[:0], 0.06)
        assert detector.false_alarms.promised == pytest.approx(0.06)
        rates.append((detector.distance(new) > detector.threshold).mean())
    assert np.mean(rates) == pytest.approx(0.06, abs=4 * np.std(rates) / len(rates) ** 0.5)


def test_a_small_validation_part_promises_what_it_can_and_says_so() -> None:
    threshold, promised = conformal_threshold(np.array([3.0, 1.0, 2.0]), 0.01)
    assert (threshold, promised) == (3.0, 0.25)
    said = lack_of_groups(replace(ALARMS, promised=promised, n_validation=3))
    assert said.startswith("validation has 3 images")
    assert "takes 99, promised are 25.0%" in said
    assert lack_of_groups(ALARMS) == ""


def test_false_alarms_are_counted_on_test_with_an_exact_interval() -> None:
    training, validation, test = cloud(100, 0), cloud(99, 1), cloud(40, 2)
    test[:3, :10] *= -3
    alarms = fit_detector(training, validation, test, 0.01).false_alarms
    assert (alarms.n_alarms, alarms.n_test, alarms.n_validation) == (3, 40, 99)
    assert alarms.measured == 3 / 40
    assert binom.sf(2, 40, alarms.low) == pytest.approx(0.025)
    assert binom.cdf(3, 40, alarms.high) == pytest.approx(0.025)


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
    like, unlike = predictor.predict([familiar_pictures(1, 99)[0], blue])
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


def test_an_ensemble_knows_what_is_familiar_to_its_first_member(tmp_path: Path, repository: Path) -> None:
    params = load_params(repository / "params.yaml")
    evaluate = params.evaluate.model_copy(update={"bootstrap": 50})
    first = write_ood_bundle(tmp_path / "a", false_alarms=0.02)
    second = write_ood_bundle(tmp_path / "b", false_alarms=0.1)
    build_ensemble([first, second], tmp_path / "ensemble", params.calibrate, evaluate)
    predictor = Predictor.load(tmp_path / "ensemble")
    assert predictor.detector is not None
    assert predictor.detector.false_alarms.asked == 0.02
    (prediction,) = predictor.predict([familiar_pictures(1, 99)[0]])
    assert prediction.unfamiliar is False


def test_the_stored_bytes_do_not_hang_on_the_version_of_python(written: Path) -> None:
    with zipfile.ZipFile(written) as archive:
        entries = archive.infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {(entry.create_system, entry.compress_type) for entry in entries} == {(3, 0)}
