"""The statistics, the threshold and the promised rate of false alarms of the out-of-distribution detector."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.covariance import LedoitWolf

from lacuna.export.ood_fit import conformal_threshold, fit_detector, lack_of_groups
from lacuna.inference.ood import FalseAlarms
from tests.ood_bundle import cloud

FALSE_ALARMS = FalseAlarms(0.01, 0.01, 99, 1, 100, 0.0, 0.05)


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


@pytest.mark.slow
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
    said = lack_of_groups(replace(FALSE_ALARMS, promised=promised, n_validation=3))
    assert said.startswith("validation has 3 images")
    assert "takes 99, promised are 25.0%" in said
    assert lack_of_groups(FALSE_ALARMS) == ""


def test_false_alarms_are_counted_on_test_with_an_exact_interval() -> None:
    training, validation, test = cloud(100, 0), cloud(99, 1), cloud(40, 2)
    test[:3, :10] *= -3
    alarms = fit_detector(training, validation, test, 0.01).false_alarms
    assert (alarms.n_alarms, alarms.n_test, alarms.n_validation) == (3, 40, 99)
    assert alarms.measured == 3 / 40
    assert binom.sf(2, 40, alarms.low) == pytest.approx(0.025)
    assert binom.cdf(3, 40, alarms.high) == pytest.approx(0.025)
