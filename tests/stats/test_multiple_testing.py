import numpy as np
import pytest
from scipy.stats import binomtest

from lacuna.stats.multiple_testing import holm, westfall_young


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


def test_westfall_young_by_hand():
    """Each row has the mean 0 and the deviation 1 already but for the last, which the same numbers times 10 make."""
    a, b = (3 / 2) ** 0.5, 0.5
    rows = np.array([[a, -a, a, -a, 0, 0], [b, -3 * b, -b, 3 * b, -b, b], [-10 * a, 10 * a, -10 * a, 10 * a, 0, 0]])
    scores = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)
    assert np.argsort(-scores[:, 0]).tolist() == [0, 1, 2]
    # Columns in which any of the three reaches a: 0, 1 (the third), 2, 3 (both others). Of the last two b: 0, 1, 3, 5.
    assert westfall_young(rows) == pytest.approx([4 / 6, 4 / 6, 1])
    assert westfall_young(rows[:1]) == pytest.approx([2 / 6])


def test_westfall_young_of_what_never_varies_is_no_evidence():
    assert westfall_young(np.zeros((2, 10))) == [1, 1]


@pytest.mark.parametrize("n_tests", [1, 40])
def test_a_false_claim_among_many_tests_is_no_more_likely_than_it_says(n_tests):
    """Statistics of different shapes, half of them doubled, so that they depend on each other as nothing permuted does;
    three tests speak against chance and do not count."""
    generator = np.random.default_rng(0)
    claims = 0
    for _ in range(400):
        statistics = generator.normal(size=(n_tests, 100))
        statistics[::2] = generator.gamma(4, size=statistics[::2].shape)
        statistics[n_tests // 2 :, 0] = statistics[: n_tests - n_tests // 2, 0]
        with_signal = generator.normal(size=(3, 100))
        with_signal[:, 0] = 30
        adjusted = westfall_young(np.concatenate([statistics, with_signal]))
        assert adjusted[-3:] == [0.01] * 3
        claims += min(adjusted[:-3]) <= 0.05
    assert binomtest(claims, 400, 0.05, "greater").pvalue > 0.01


def test_adjusting_one_test_leaves_its_p_and_never_lowers_that_of_many():
    statistics = np.random.default_rng(0).normal(size=(30, 200))
    alone = [westfall_young(row[None])[0] for row in statistics]
    assert alone == [(row >= row[0]).mean() for row in statistics]
    assert all(many >= one for many, one in zip(westfall_young(statistics), alone, strict=True))
