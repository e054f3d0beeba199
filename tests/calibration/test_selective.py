import numpy as np
import pytest
from scipy.stats import binom

from lacuna.calibration.selective import NEVER, fewest, promise
from lacuna.core.targets import Target
from lacuna.stats.intervals import lower_bound

KIND = Target("kind", "categorical", ("bag", "shoe", "hat"))
RED = Target("red", "binary", ("absent", "present"))


def calibrated(n, seed, sharpness=3.0):
    """Labels of three classes, drawn from the very probabilities that are stated."""
    random = np.random.default_rng(seed)
    scores = sharpness * random.normal(size=(n, 3))
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    labels = (probabilities.cumsum(axis=1) < random.random((n, 1))).sum(axis=1)
    return labels, probabilities, probabilities.argmax(axis=1)


def test_the_bound_is_where_so_many_right_ones_become_likely_by_chance():
    bound = lower_bound(90, 100, 0.1)
    assert binom.sf(89, 100, bound) == pytest.approx(0.1)
    assert lower_bound(fewest(0.9, 0.05), fewest(0.9, 0.05), 0.05) >= 0.9
    assert lower_bound(fewest(0.9, 0.05) - 1, fewest(0.9, 0.05) - 1, 0.05) < 0.9


def test_the_promise_is_kept_as_often_as_it_is_given():
    broken = 0
    for seed in range(200):
        labels, probabilities, decisions = calibrated(600, seed)
        given = promise(KIND, labels, probabilities, decisions, np.arange(600), 0.9, 0.9)
        truth, stated, said = calibrated(20_000, 1000 + seed)
        answered = given.answers(KIND, stated, said)
        broken += bool(answered.any()) and (truth == said)[answered].mean() < 0.9
    assert broken <= binom.ppf(0.99, 200, 0.1)


def test_probabilities_that_boast_are_asked_for_more():
    labels, honest, decisions = calibrated(4000, 0)
    boastful = honest**1.5 / (honest**1.5).sum(axis=1, keepdims=True)
    cutoffs = []
    for probabilities in (honest, boastful):
        given = promise(KIND, labels, probabilities, decisions, np.arange(4000), 0.95, 0.9)
        answered = given.answers(KIND, probabilities, decisions)
        assert (labels == decisions)[answered].mean() >= 0.95
        assert answered.mean() > 0.3
        cutoffs.append(given.cutoffs[0])
    assert cutoffs[1] > cutoffs[0]


def test_answers_that_are_wrong_are_no_matter_of_more_labels():
    labels, probabilities, _ = calibrated(1000, 0)
    wrong = (labels + 1) % 3
    given = promise(KIND, labels, np.eye(3)[wrong], wrong, np.arange(1000), 0.95, 0.9)
    assert given.cutoffs == (NEVER,)
    assert given.needed == 0
    assert not given.answers(KIND, probabilities, wrong).any()


def test_a_rare_attribute_keeps_no_promise_by_never_being_found():
    labels = (np.arange(1000) % 50 == 0).astype(int)
    probabilities = np.stack([np.full(1000, 0.98), np.full(1000, 0.02)], axis=1)
    given = promise(RED, labels, probabilities, np.zeros(1000, int), np.arange(1000), 0.95, 0.9)
    assert given.cutoffs == (0.5, NEVER)
    assert given.needed == fewest(0.95, 0.05)


def test_copies_count_once_and_unknown_labels_not_at_all():
    labels = np.zeros(60, int)
    sure = np.tile([0.999, 0.0005, 0.0005], (60, 1))
    decisions = np.zeros(60, int)
    assert promise(KIND, labels, sure, decisions, np.arange(60), 0.95, 0.9).cutoffs == (0.5,)
    copies = promise(KIND, labels, sure, decisions, np.arange(60) // 2, 0.95, 0.9)
    assert copies.cutoffs == (NEVER,)
    assert copies.needed == fewest(0.95, 0.1) - 30
    labels[20:] = -1
    assert promise(KIND, labels, sure, decisions, np.arange(60), 0.95, 0.9).needed == fewest(0.95, 0.1) - 20


def test_answers_below_the_smallest_cutoff_count_as_labels_that_are_still_needed():
    probabilities = np.tile([0.36, 0.34, 0.30], (200, 1))
    right = np.zeros(200, dtype=int)
    given = promise(KIND, right, probabilities, right, np.arange(200), 0.95, 0.9)
    assert given.cutoffs == (NEVER,)
    assert given.needed == fewest(0.95, 0.1)
