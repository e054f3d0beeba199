"""The test of label shift: by hand, its level where labels are missing by their value, and what it catches."""

import numpy as np
import pytest

from lacuna.stats.bootstrap import group_weights
from lacuna.stats.label_shift import class_priors
from lacuna.stats.mixture_fit import PLACE, SHAPE, gap_errors, gap_p, mixture_gaps, moved_gaps, rank_moments


def p_values(seed, known_of, moves=0.7, n=200):
    """p-values by scores and by brightness, of labels known with chance known_of(label, brightness)."""
    generator = np.random.default_rng(seed)
    truth, brightness = (generator.random(n) < 0.4).astype(int), generator.normal(size=n)
    score = 2 * truth + moves * brightness + np.sqrt(1 - moves**2) * generator.normal(size=n)
    labels = np.where(generator.random(n) < known_of(truth, brightness), truth, -1)
    odds = np.exp(2 * score - 2) * 0.4 / 0.6  # right under the shares of all; the bias to the labelled ones is fitted
    probabilities = np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)
    weights = np.concatenate([np.ones((1, n)), *group_weights(np.arange(n), 100, 1000 + seed, 100)])
    prior = class_priors(probabilities, labels, weights).unlabelled
    place, shape = (rank_moments(score[:, None], degrees) for degrees in (PLACE, SHAPE))
    return (
        gap_p(*(measure(shape, labels, weights, prior) for measure in (mixture_gaps, gap_errors))),
        gap_p(moved_gaps(place, brightness[:, None], labels, weights, prior)),
    )


def by_label(truth, brightness):
    return np.where(truth == 1, 0.7, 0.2)


def by_brightness(truth, brightness):
    return 1 / (1 + np.exp(-2 * brightness))


def test_gaps_by_hand():
    values = np.array([[1.0], [3.0], [10.0], [4.0], [6.0]])
    labels = np.array([0, 0, 1, -1, -1])
    weights = np.array([[1.0, 1, 1, 1, 1], [2, 0, 1, 0, 1]])
    prior = np.array([[0.5, 0.5], [0.25, 0.75]])
    # (4 + 6) / 2 - (.5 (1 + 3) / 2 + .5 * 10), then 6 - (.25 * 1 + .75 * 10)
    assert mixture_gaps(values, labels, weights, prior)[:, 0] == pytest.approx([-1, -1.75])
    of_no_class = np.append(values, [[99.0]], axis=0), np.append(labels, -2), np.ones((1, 6))
    assert mixture_gaps(*of_no_class, prior[:1])[0, 0] == pytest.approx(-1)


def test_errors_by_hand():
    """Variances 1 of the unlabelled and 4 of class 0; class 1 has one image, the prior leaves class 0 half."""
    values, labels = np.array([[1.0], [5.0], [10.0], [4.0], [6.0]]), np.array([0, 0, 1, -1, -1])
    errors = gap_errors(values, labels, np.ones((1, 5)), np.array([[0.5, 0.5]]))
    assert errors[0, 0] == pytest.approx(np.sqrt(1 / 1 + 0.5**2 * 4 / 1))


def test_moved_by_hand():
    """Within both classes the function is twice the feature; the unlabelled images' feature is 3 higher."""
    feature = np.array([[0.0], [1.0], [5.0], [6.0], [3.5], [8.5]])
    function = np.array([[0.0], [2.0], [-10.0], [-8.0], [99.0], [99.0]])
    labels = np.array([0, 0, 1, 1, -1, -1])
    moved = moved_gaps(function, feature, labels, np.ones((1, 6)), np.array([[0.5, 0.5]]))
    assert moved[0, 0] == pytest.approx(2 * 3, abs=1e-6)


def test_ranks_ignore_the_scale_and_ties_share_the_middle():
    scores = np.array([[0.1], [5.0], [5.0], [0.2]])
    assert rank_moments(scores, PLACE)[:, 0] == pytest.approx([-0.75, 0.5, 0.5, -0.25])
    assert (rank_moments(scores, SHAPE) == rank_moments(np.exp(scores), SHAPE)).all()
    assert rank_moments(scores[:0], SHAPE).shape == (0, 2)


def test_the_level_holds_where_labels_are_missing_by_their_value():
    found = np.array([p_values(seed, by_label) for seed in range(50)])
    assert ((found <= 0.05).mean(axis=0) <= 0.14).all()  # 50 trials of .05: above .14 with a chance of .004


def test_labels_missing_by_brightness_are_caught():
    found = np.array([p_values(seed, by_brightness) for seed in range(10)])
    assert (found <= 0.05).mean(axis=0) == pytest.approx([1, 1], abs=0.2)


def test_brightness_that_moves_no_score_is_let_pass():
    found = np.array([p_values(seed, by_brightness, moves=0) for seed in range(20)])
    assert ((found <= 0.05).mean(axis=0) <= 0.2).all()


def test_the_p_value_by_hand():
    gaps = np.array([[2.0], [2.0], [2.1], [4.5], [np.nan]])  # 0, .1 and 2.5 from the sample: one is as far as 2
    assert gap_p(gaps) == pytest.approx(2 / 4)
    halved = np.array([[1.0], [1.0], [1.0], [2.0], [1.0]])  # the 2.5 becomes 1.25
    assert gap_p(gaps, halved) == pytest.approx(1 / 4)


@pytest.mark.parametrize("gaps", [[np.nan, 1, 2], [1, np.nan, np.nan], [0, 0, 0]])
def test_where_nothing_can_be_tested_there_is_no_p_value(gaps):
    assert gap_p(np.array(gaps, dtype=float)[:, None]) is None


def test_without_unlabelled_images_the_gaps_are_undefined():
    labels = np.array([0, 1])
    gaps = mixture_gaps(np.ones((2, 1)), labels, np.ones((1, 2)), np.array([[0.5, 0.5]]))
    assert np.isnan(gaps).all()
