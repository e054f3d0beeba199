"""Promises for all images, where labels are missing by their value."""

import numpy as np
import pytest

from lacuna.calibration.cross_fit import cross_fit
from lacuna.calibration.prevalence import estimate_population
from lacuna.calibration.selective import NEVER, among_labelled, least_ratio, promise
from lacuna.core.scores import activate
from lacuna.core.targets import Targets
from tests.simulated_predictions import CALIBRATE, EVALUATE, RED, TARGETS, selected

ONE = Targets((RED,))


def test_the_ratio_of_a_promise_is_the_least_that_the_replicates_leave():
    importance = np.array([[2.0, 0.5], [1.0, 1.0], [4.0, 0.25]])
    labels = np.array([1, 1, 0])
    assert least_ratio(RED, labels, np.array([1, 1, 1]), importance, 0) == pytest.approx(0.25 / 4)
    assert least_ratio(RED, labels[2:], np.array([0]), importance, 0) == pytest.approx(1)
    assert among_labelled(0.9, 1) == pytest.approx(0.9)
    assert among_labelled(0.9, 0.25) == pytest.approx(0.9 / (0.9 + 0.25 * 0.1))


def test_of_several_classes_the_ratio_is_that_of_the_worst_mix():
    kind = TARGETS[0]
    importance = np.array([[2.0, 0.5, 1.0], [0.0, 1.0, 3.0], [1.0, 1.0, 1.0]])
    labels, right = np.array([0, 1, 2]), np.array([0, 1, 0])
    assert least_ratio(kind, labels, right, importance, 0) == pytest.approx(0.5 / 2)  # the second tells no class 0
    assert least_ratio(kind, labels, right, importance[1:2], 0) == 0
    assert least_ratio(kind, labels, np.array([1, 2, 0]), importance, 0) == 0


def test_a_promise_on_a_mix_of_classes_that_changes_with_the_cutoff_is_not_made():
    """Of three classes, known for .9, .9 and .1: the surest answers are wrong where hardly any label is."""
    kind, generator, given = TARGETS[0], np.random.default_rng(0), 0
    for _ in range(10):
        truth = generator.integers(0, 3, 1500)
        sure = generator.random(1500) < np.array([0.6, 0, 0.15])[truth]
        decided, stated = np.where(sure, 0, 1).astype(np.int16), np.where(sure, 0.8, 0.4)
        labels = np.where(generator.random(1500) < np.array([0.9, 0.9, 0.1])[truth], truth, -1).astype(np.int16)
        probabilities = np.stack([np.where(sure, 0.8, 0.3), np.where(sure, 0.1, stated), np.full(1500, 0.1)], axis=1)
        shares = np.bincount(labels[labels >= 0], minlength=3) / (labels >= 0).sum()
        importance = np.tile((1 / 3) / shares, (50, 1))
        made = promise(kind, labels, probabilities, decided, np.arange(1500), 0.9, 0.9, importance)
        given += bool(made.answers(kind, probabilities, decided).any())
    assert given <= 2


def test_shares_that_tell_nothing_promise_nothing():
    labels, decided = np.zeros(60, np.int16), np.zeros(60, np.int16)
    sure = np.tile([0.98, 0.01, 0.01], (60, 1))
    importance = np.tile([0.0, 1.0, 1.0], (20, 1))
    made = promise(TARGETS[0], labels, sure, decided, np.zeros(60, np.int64), 0.9, 0.9, importance)
    assert made.cutoffs == (NEVER,)
    assert made.needed > 0


def test_a_promise_for_all_images_is_kept_among_them():
    kept = {True: 0, False: 0}
    for seed in range(12):
        validation, whole = selected(800, seed, targets=ONE)
        stated = activate(RED, validation.logits)
        decided = (stated[:, 1] >= 0.5).astype(np.int16)
        labels, group = validation.labels[:, 0], validation.group
        population = estimate_population(cross_fit(ONE, validation, CALIBRATE), EVALUATE)
        for corrected in (True, False):
            importance = population.prevalences[0].priors.importance() if corrected else None
            made = promise(RED, labels, stated, decided, group, 0.9, 0.9, importance)
            called = made.answers(RED, stated, decided) & (decided == 1)
            kept[corrected] += not called.any() or (whole.labels[called, 0] == 1).mean() >= 0.9
    assert kept[True] >= 11
    assert kept[False] <= 6
