"""Counting classes among unlabelled images: right where counting decisions is not, and with honest intervals."""

import numpy as np
import pytest

from lacuna.stats.class_counts import estimate_shares


def scores(truth, generator, distance=1.5):
    """Probabilities (n, 2) under shares of one half, of a score that is normal in each class."""
    score = distance * truth + generator.normal(size=len(truth))
    present = 1 / (1 + np.exp(-(distance * score - distance**2 / 2)))
    return np.stack([1 - present, present], axis=1)


def labelled(n, generator):
    truth = generator.integers(0, 2, n)
    return scores(truth, generator), truth, np.arange(n)


def test_the_count_is_that_of_the_images_where_decisions_carry_the_labelled_shares_over():
    generator = np.random.default_rng(0)
    truth = (generator.random(4000) < 0.05).astype(int)
    new = scores(truth, generator)
    found = estimate_shares(*labelled(2000, generator), new, 0.95, 100, 0)
    assert found.shares[1] == pytest.approx(truth.mean(), abs=0.02)
    assert (new[:, 1] >= 0.5).mean() > truth.mean() + 0.1
    assert new[:, 1].mean() > truth.mean() + 0.1
    assert found.low[1] <= truth.mean() <= found.high[1]
    assert found.low + found.high[::-1] == pytest.approx(np.ones(2))
    assert found.unlike_p > 0.01


@pytest.mark.parametrize(("share", "distance"), [(0.05, 1.5), (0.5, 1.5), (0.8, 3.0)])
def test_intervals_hold_the_true_count_as_often_as_they_say(share, distance):
    held = 0
    for seed in range(20):
        generator = np.random.default_rng(seed)
        truth = (generator.random(300) < share).astype(int)
        reference_truth = generator.integers(0, 2, 400)
        reference = scores(reference_truth, generator, distance), reference_truth, np.arange(400)
        found = estimate_shares(*reference, scores(truth, generator, distance), 0.9, 100, seed)
        held += found.low[1] - 1e-9 <= truth.mean() <= found.high[1] + 1e-9
    assert held >= 16


def test_a_network_that_errs_never_counts_exactly():
    generator = np.random.default_rng(0)
    truth = np.arange(300) % 3
    exact = np.eye(3)[truth] * 0.994 + 0.002
    reference = np.eye(3)[truth[:150]] * 0.994 + 0.002, truth[:150], np.arange(150)
    found = estimate_shares(*reference, exact[generator.permutation(300)[:200]], 0.95, 100, 0)
    assert (found.high - found.low < 0.03).all()


def test_unlabelled_reference_images_do_not_count_and_one_class_tells_nothing():
    generator = np.random.default_rng(0)
    probabilities, truth, group = labelled(300, generator)
    new = scores(generator.integers(0, 2, 100), generator)
    gaps = np.where(np.arange(300) < 100, -1, truth)
    with_gaps = estimate_shares(probabilities, gaps, group, new, 0.95, 50, 0)
    without = estimate_shares(probabilities[100:], truth[100:], group[100:], new, 0.95, 50, 0)
    np.testing.assert_array_equal(with_gaps.low, without.low)
    alone = estimate_shares(probabilities, np.where(truth == 1, 1, -1), group, new, 0.95, 50, 0)
    assert np.isnan(alone.shares).all()
    assert alone.unlike_p is None


def test_images_between_the_classes_are_unlike_both():
    generator = np.random.default_rng(0)
    reference = scores(np.arange(600) % 2, generator, 4), np.arange(600) % 2, np.arange(600)
    between = 4 * 0.5 + 0.3 * generator.normal(size=300)
    present = 1 / (1 + np.exp(-(4 * between - 8)))
    found = estimate_shares(*reference, np.stack([1 - present, present], axis=1), 0.95, 200, 0)
    assert found.unlike_p <= 0.01
