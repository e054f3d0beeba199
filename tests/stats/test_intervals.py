"""Exact binomial intervals by hand: an end is where so extreme a count has the chance that is left to it."""

import subprocess
import sys
from math import comb
from pathlib import Path

import pytest

from lacuna.stats.intervals import lower_bound, share_interval


def chance(n, share, hits):
    """Of a count among `hits` in n trials with this share."""
    return sum(comb(n, k) * share**k * (1 - share) ** (n - k) for k in hits)


def test_the_ends_where_all_or_nothing_succeeds_are_roots_of_the_tail():
    assert share_interval(10, 10, 0.95) == (pytest.approx(0.025 ** (1 / 10)), 1.0)
    assert share_interval(0, 3, 0.9) == (0.0, pytest.approx(1 - 0.05 ** (1 / 3)))
    assert share_interval(1, 1, 0.9) == (pytest.approx(0.05), 1.0)


@pytest.mark.parametrize(("hits", "n"), [(1, 2), (3, 20), (18, 20), (50, 100)])
def test_each_end_leaves_half_of_the_doubt(hits, n):
    low, high = share_interval(hits, n, 0.95)
    assert low < hits / n < high
    assert chance(n, low, range(hits, n + 1)) == pytest.approx(0.025)
    assert chance(n, high, range(hits + 1)) == pytest.approx(0.025)


def test_hits_and_misses_mirror_each_other():
    low, high = share_interval(7, 30, 0.8)
    assert share_interval(23, 30, 0.8) == (pytest.approx(1 - high), pytest.approx(1 - low))


def test_a_one_sided_bound_leaves_all_of_the_doubt_on_one_side():
    assert lower_bound(0, 10, 0.1) == 0
    assert chance(100, lower_bound(90, 100, 0.1), range(90, 101)) == pytest.approx(0.1)
    assert lower_bound(90, 100, 0.025) == share_interval(90, 100, 0.95)[0]


def test_without_a_trial_nothing_is_known():
    assert share_interval(0, 0, 0.95) == (0, 1)


@pytest.mark.parametrize("hits", [-1, 6])
def test_more_hits_than_trials_are_a_mistake(hits):
    with pytest.raises(ValueError, match=f"between 0 and 5 hits, received {hits}"):
        share_interval(hits, 5, 0.95)


def test_predicting_with_a_promise_does_not_load_scipy_stats():
    modules = "lacuna.inference.predictor, lacuna.calibration.selective"
    code = f"import sys, {modules}; sys.exit('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
