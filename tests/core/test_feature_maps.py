"""Shares of positions in a score, by hand and as sums that must come out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lacuna.core.feature_maps import MOST_CELLS, enlarge, heat_maps
from lacuna.core.feature_store import SMALLEST_VARIANCE, ColumnBlock, FeatureLayout

MEAN_ONLY = FeatureLayout((ColumnBlock(8, "top", "mean", 1, top=True),))
BOTH = FeatureLayout((ColumnBlock(8, "b0", "mean", 1), ColumnBlock(8, "b0", "deviation", 1)))


def statistics(maps, layout):
    """The features of maps by name, as the network computes them."""
    columns = []
    for block in layout.blocks:
        one = maps[block.map_name].astype(np.float64)
        variance = one.var(axis=(1, 2)) + SMALLEST_VARIANCE
        columns.append(one.mean(axis=(1, 2)) if block.statistic == "mean" else np.sqrt(variance))
    return np.concatenate(columns, axis=1)


def test_the_shares_of_a_mean_by_hand():
    maps = {"map_8_top": np.array([[[1], [3]], [[5], [7]]], np.float32)[None]}
    heat = heat_maps(maps, MEAN_ONLY, np.array([[2.0]]), np.array([3.0]))
    assert heat.tolist() == [[[-4, 0], [4, 8]]]  # 2 (F - 3); their mean is 2 (4 - 3)


def test_the_shares_of_a_mean_and_a_deviation_by_hand():
    """Values 0, 0, 0 and 4: the mean is 1, the variance 3, and squared distances from the mean are 1, 1, 1 and 9."""
    maps = {"map_8_b0": np.array([[[0], [0]], [[0], [4]]], np.float32)[None]}
    heat = heat_maps(maps, BOTH, np.array([[0.0, 2.0]]), np.array([0.0, 1.0]))
    root = np.sqrt(3)
    assert heat == pytest.approx(np.array([[[2 / root - 2, 2 / root - 2], [2 / root - 2, 18 / root - 2]]]), abs=1e-6)
    assert heat.mean() == pytest.approx(2 * (root - 1), abs=1e-6)
    both = heat_maps(maps, BOTH, np.array([[1.0, 2.0]]), np.array([0.5, 1.0]))
    assert both - heat == pytest.approx(np.array([[[-0.5, -0.5], [-0.5, 3.5]]]), abs=1e-6)


def test_a_constant_channel_has_the_same_share_everywhere_and_no_nan():
    maps = {"map_8_b0": np.full((1, 3, 3, 1), 5, np.float32)}
    heat = heat_maps(maps, BOTH, np.array([[0.0, 2.0]]), np.array([0.0, 0.25]))
    assert heat == pytest.approx(np.full((1, 3, 3), 2 * (np.sqrt(SMALLEST_VARIANCE) - 0.25)))
    flat = heat_maps(maps, BOTH, np.array([[0.0, 2.0]]), np.array([0.0, np.sqrt(SMALLEST_VARIANCE)]))
    assert flat == pytest.approx(np.zeros((1, 3, 3)), abs=1e-9)


@given(
    sides=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    seed=st.integers(0, 999),
    blank=st.booleans(),
)
def test_the_mean_of_all_shares_is_what_the_image_adds_to_the_score(sides, seed, blank):
    random = np.random.default_rng(seed)
    blocks, maps = [], {}
    for place, side in enumerate(sides):
        top = place == len(sides) - 1
        blocks.append(ColumnBlock(32, f"b{place}", "mean", 3, top=top))
        if not top:
            blocks.append(ColumnBlock(32, f"b{place}", "deviation", 3))
        values = np.maximum(random.normal(size=(2, side, side + place, 3)), 0).astype(np.float32)
        values[0, ..., 0] *= not blank
        maps[blocks[-1].map_name] = values
    layout = FeatureLayout(tuple(blocks))
    slopes, mean = random.normal(size=(2, layout.n_columns)), random.uniform(0, 1, layout.n_columns)
    heat = heat_maps(maps, layout, slopes, mean)
    assert heat.shape == (2, max(sides), max(side + place for place, side in enumerate(sides)))
    expected = (slopes * (statistics(maps, layout) - mean)).sum(axis=1)
    np.testing.assert_allclose(heat.mean(axis=(1, 2)), expected, rtol=1e-4, atol=1e-4)


def test_heat_maps_are_no_finer_than_most_cells():
    maps = {"map_8_top": np.random.default_rng(0).normal(size=(1, 112, 112, 1)).astype(np.float32)}
    heat = heat_maps(maps, MEAN_ONLY, np.ones((1, 1)), np.zeros(1))
    assert heat.shape == (1, MOST_CELLS, MOST_CELLS)
    assert heat.mean() == pytest.approx(maps["map_8_top"].mean(), abs=1e-6)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_enlarging_keeps_the_mean_of_any_map_and_stays_within_its_range(n, size, seed):
    maps = np.random.default_rng(seed).normal(size=(2, n, n)).astype(np.float32)
    found = enlarge(maps, size)
    assert found.shape == (2, size, size)
    np.testing.assert_allclose(found.mean(axis=(1, 2)), maps.mean(axis=(1, 2)), atol=1e-5)
    assert found.min() >= maps.min() - 1e-5
    assert found.max() <= maps.max() + 1e-5


def test_enlarging_draws_straight_lines_between_the_centres_by_hand():
    """From 0 at 0.5 to 8 at 1.5, level beyond; the new cells average this line over their areas, each half a unit."""
    rows = enlarge(np.array([[[0, 8], [0, 8]]], np.float32), 4)[0]
    assert rows.tolist() == [[0, 2, 6, 8]] * 4


def test_a_map_of_the_wanted_size_stays_as_it_is_and_no_maps_stay_none():
    maps = np.random.default_rng(0).normal(size=(2, 5, 5)).astype(np.float32)
    assert (enlarge(maps, 5) == maps).all()
    assert enlarge(np.empty((0, 3, 3), np.float32), 7).shape == (0, 7, 7)
