"""Prevalence on validation: what is estimated, what is claimed, and that no image's calibration saw it."""

from dataclasses import replace

import numpy as np
import pytest

from lacuna.calibration.cross_fit import CrossFit, cross_fit
from lacuna.calibration.prevalence import estimate_population
from lacuna.calibration.selection import Selection
from lacuna.core.predictions import Predictions
from lacuna.core.targets import TOO_RARE
from lacuna.stats.bootstrap import interval
from lacuna.stats.label_shift import class_priors
from tests.simulated_predictions import CALIBRATE, EVALUATE, TARGETS, simulate

FEW = EVALUATE.model_copy(update={"bootstrap": 60})


def with_labels(validation, labels):
    return Predictions(validation.logits, labels.astype(np.int16), validation.image, validation.group)


def withheld(n, seed, present, absent, by_class=(0.5, 0.5, 0.5)):
    """Validation images whose labels are known with these chances, and all their labels."""
    whole = simulate(n, signal=2.5, seed=seed, unknown=0)
    chances = np.stack(
        [np.array(by_class)[whole.labels[:, 0]]] + [np.array([absent, present])[whole.labels[:, i]] for i in (1, 2)],
        axis=1,
    )
    hidden = np.random.default_rng([seed, 1]).random(chances.shape) >= chances
    return with_labels(whole, np.where(hidden, -1, whole.labels)), whole.labels


def found_in(validation):
    return estimate_population(cross_fit(TARGETS, validation, CALIBRATE), FEW).prevalences


class Frozen(CrossFit):
    """Replicates are judged by the sample's calibrations."""

    def refit(self, resample):
        return replace(self, resample=resample)


def test_labels_given_more_often_to_what_is_present_are_found_and_mended():
    validation, truth = withheld(700, 0, 0.8, 0.2, (0.9, 0.3, 0.3))
    for index, (target, found) in enumerate(zip(TARGETS, found_in(validation), strict=True)):
        shares = np.bincount(truth[:, index], minlength=target.n_classes) / len(truth)
        assert found.selectively_labelled(0.05)
        assert found.selection(0.95) == Selection.BY_LABEL
        assert found.priors.every[0] == pytest.approx(shares, abs=0.06)
        assert np.abs(found.priors.known[0] - shares).max() > 0.1
        for share, replicates in zip(shares, found.priors.every[1:].T, strict=True):
            low, high = interval(replicates, 0.999)
            assert low <= share <= high
        assert found.priors.every.shape == (1 + FEW.bootstrap, target.n_classes)


def test_at_random_nothing_is_claimed():
    claims = [
        found.selectively_labelled(0.05) for seed in range(8) for found in found_in(withheld(120, seed, 0.5, 0.5)[0])
    ]
    assert sum(claims) <= 4  # of 8 families of targets at 5 % each


def test_without_gaps_all_is_as_counted():
    whole = simulate(80, signal=2, seed=0, unknown=0)
    for index, (target, found) in enumerate(zip(TARGETS, found_in(whole), strict=True)):
        counts = np.bincount(whole.labels[:, index], minlength=target.n_classes)
        assert (found.priors.every[0] == counts / 80).all()
        assert (found.priors.every == found.priors.known).all()
        assert (found.selected_p, found.unlike_p) == (1.0, None)
        assert found.selection(0.95) == Selection.NONE_MISSING


def test_classes_too_rare_to_be_kept_are_no_missing_labels():
    """All images are labelled, some of a class that is left out; a scarce class of its own looks like no other."""
    whole = simulate(400, signal=3, seed=0, unknown=0)
    left_out = whole.labels[:, 0] == 2
    labels = whole.labels.copy()
    labels[left_out, 0] = TOO_RARE
    found = found_in(with_labels(whole, labels))[0]
    assert found.selection(0.95) == Selection.NONE_MISSING
    assert found.selected_p == 1
    assert (found.priors.importance()[:, :2] == 1).all()
    labels[left_out, 0] = -1
    assert found_in(with_labels(whole, labels))[0].selection(0.95) != Selection.NONE_MISSING


def test_nothing_labelled_or_one_class_alone_tells_no_shares():
    validation, truth = withheld(80, 0, 0.5, 0.5)
    labels = validation.labels.copy()
    labels[:, 0], labels[:, 1] = -1, np.where(truth[:, 1] == 1, 1, -1)
    nothing, one_class, other = found_in(with_labels(validation, labels))
    assert nothing.selection(0.95) == one_class.selection(0.95) == Selection.NOT_TOLD
    assert nothing.selected_p == 1
    assert np.isnan(nothing.priors.every).all()
    assert np.isfinite(other.priors.every).all()


def test_each_images_probabilities_come_from_the_fit_without_its_fold():
    validation, _ = withheld(120, 0, 0.7, 0.4)
    fitted = cross_fit(TARGETS, validation, CALIBRATE)
    for index, (found, probabilities) in enumerate(
        zip(estimate_population(fitted, FEW).prevalences, fitted.probabilities(), strict=True)
    ):
        alone = class_priors(probabilities, validation.labels[:, index], np.ones((1, 120)))
        assert found.priors.every[0] == pytest.approx(alone.every[0])


def test_replicates_refit_the_calibration():
    validation, _ = withheld(120, 0, 0.7, 0.4)
    fitted = cross_fit(TARGETS, validation, CALIBRATE)
    frozen = Frozen(**vars(fitted))
    refitted, kept = (estimate_population(one, FEW).prevalences[1].priors.every[:, 1] for one in (fitted, frozen))
    assert refitted[0] == kept[0]
    assert (refitted[1:] != kept[1:]).any()


def test_labels_missing_by_brightness_are_not_corrected():
    whole = simulate(500, signal=2.5, seed=0, unknown=0)
    generator = np.random.default_rng(1)
    brightness = generator.normal(size=500)
    logits = whole.logits + brightness[:, None].astype(np.float32) * np.array([1, 0, 0, 1, 1], np.float32)
    labels = np.where(generator.random(500) < 1 / (1 + np.exp(-2 * brightness)), whole.labels.T, -1).T
    validation = Predictions(logits, labels.astype(np.int16), whole.image, whole.group, brightness[:, None])
    population = estimate_population(cross_fit(TARGETS, validation, CALIBRATE), FEW)
    assert [found.selection(0.95) for found in population.prevalences] == [Selection.BY_IMAGE] * 3
    assert population.corrected == (False, False, False)


def test_a_target_without_a_known_label_in_validation_is_not_told_and_stops_nothing():
    """Light is what the test of label shift looks at beside the scores."""
    validation = simulate(200, signal=2, seed=0)
    labels = validation.labels.copy()
    labels[:, 1] = -1
    light = np.random.default_rng(0).normal(size=(200, 3))
    prevalences = found_in(replace(with_labels(validation, labels), light=light))
    assert prevalences[1].selection(0.95) == Selection.NOT_TOLD
    assert prevalences[1].selected_p == 1
    assert prevalences[0].told()


def test_shares_that_correct_nothing_are_left_out_where_that_is_asked():
    validation, _ = withheld(500, 0, 0.8, 0.2)  # the classes of the first target are labelled alike
    fitted = cross_fit(TARGETS, validation, CALIBRATE)
    whole, correcting = (estimate_population(fitted, FEW, correcting_only=only) for only in (False, True))
    assert whole.corrected == correcting.corrected == (False, True, False)
    assert whole.prevalences[0].told()
    assert not correcting.prevalences[0].told()
    one, other = (population.prevalences[1].priors for population in (whole, correcting))
    np.testing.assert_array_equal(one.importance(), other.importance())
