"""The sets of near duplicates against the comparison of all pairs, where cells and slabs part what belongs together."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lacuna.data.images import cells, near_pairs
from lacuna.data.images.cells import sort_into_cells
from lacuna.data.images.components import Components
from lacuna.data.images.near_pairs import THUMBNAILS_FILE, join_near

RMS = 0.02


def all_pairs(thumbnails: np.ndarray) -> list[int]:
    """For each thumbnail the smallest one of its group: by comparing all, and following the pairs to their ends."""
    values = thumbnails.reshape(len(thumbnails), -1) / 255
    near = np.array([np.sqrt(((values - value) ** 2).mean(axis=1)) <= RMS for value in values])
    names = np.arange(len(values))
    while True:
        smaller = np.where(near, names, len(names)).min(axis=1)
        if (smaller == names).all():
            return names.tolist()
        names = smaller


def searched(thumbnails: np.ndarray, rms: float = RMS) -> tuple[list[int], int]:
    """The same by the search, and how many pairs it compared."""
    sets = Components(len(thumbnails))
    with TemporaryDirectory() as folder:
        np.save(Path(folder) / THUMBNAILS_FILE, thumbnails)
        compared = join_near(thumbnails, np.arange(len(thumbnails)), sets, rms, Path(folder))
    return sets.names(np.arange(len(thumbnails))).tolist(), compared


@contextmanager
def tiny_cells(size: int = 4, saves: int = 24) -> Iterator[None]:
    """A hundred images lie in many slabs and cells, and are compared in many pieces, as a million are otherwise."""
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(cells, "CELL_POINTS", size)
        changed.setattr(near_pairs, "CELLS_AT_ONCE", 2)
        changed.setattr(near_pairs, "CHECKED_AT_ONCE", 8)
        changed.setattr(near_pairs, "PRODUCT_SAVES", saves)
        yield


def line(greys: np.ndarray) -> np.ndarray:
    """One-coloured thumbnails."""
    return np.broadcast_to(greys.astype(np.uint8)[:, None, None, None], (len(greys), 32, 32, 3)).copy()


@st.composite
def collections(draw: st.DrawFn) -> np.ndarray:
    """Thumbnails of a few patterns, one-coloured ones among them, under noise and light near the limit."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, n_patterns = draw(st.integers(1, 90)), draw(st.integers(1, 6))
    strength = generator.choice([0, 0.05, 0.3, 1], (n_patterns, 1, 1, 1))
    patterns = 20 + strength * generator.integers(0, 215, (n_patterns, 32, 32, 3))
    noise = generator.normal(0, draw(st.sampled_from([0, 1, 3, 3.6, 5])), (n, 32, 32, 3))
    light = draw(st.sampled_from([0, 8, 100])) * generator.uniform(-1, 1, (n, 1, 1, 1))
    return np.clip(patterns[generator.integers(0, n_patterns, n)] + noise + light, 0, 255).astype(np.uint8)


@settings(derandomize=True, max_examples=30, deadline=None)
@given(collections(), st.integers(1, 20), st.sampled_from([0, 24]))
def test_equals_the_comparison_of_all_pairs(thumbnails: np.ndarray, size: int, saves: int) -> None:
    with tiny_cells(size, saves):
        assert searched(thumbnails)[0] == all_pairs(thumbnails)


def test_a_chain_through_all_slabs_is_one_group_and_a_gap_in_it_parts_it() -> None:
    # 5 grey levels are within 0.02 of 255, 6 are not; rows in random order, so that neighbours stand apart.
    greys = np.concatenate([np.arange(0, 120, 5), np.arange(121, 256, 5)])
    order = np.random.default_rng(0).permutation(len(greys))
    with tiny_cells(1):
        names = np.array(searched(line(greys[order]))[0])
    dark = greys[order] < 120
    assert set(names[dark]) == {np.flatnonzero(dark)[0]}
    assert set(names[~dark]) == {np.flatnonzero(~dark)[0]}


def test_rounding_loses_no_pair_at_the_very_limit() -> None:
    # One-coloured images differ along one axis only, where nothing of their distance is lost but by rounding.
    thumbnails = line(np.arange(0, 256, 6))
    for size in (1, 128):
        with tiny_cells(size):
            assert set(searched(thumbnails, rms=6 / 255 * (1 + 1e-12))[0]) == {0}
            assert len(set(searched(thumbnails, rms=6 / 255 * (1 - 1e-12))[0])) == len(thumbnails)


@pytest.mark.parametrize("n", [1, 2, 3, 31, 33])
def test_fewer_images_than_axes_and_than_a_cell_holds(n: int) -> None:
    thumbnails = np.random.default_rng(n).integers(0, 256, (n, 32, 32, 3)).astype(np.uint8)
    thumbnails[n // 2 :] = thumbnails[0]
    assert searched(thumbnails)[0] == [*range(n // 2 or 1), *[0] * (n - (n // 2 or 1))]


def test_thumbnails_that_are_all_equal_cost_a_comparison_each() -> None:
    names, compared = searched(line(np.full(3000, 255)))
    assert set(names) == {0}
    assert compared <= 2 * 3000


@pytest.mark.parametrize("deviation", [1.5, 3.58])
def test_a_cluster_costs_a_few_comparisons_for_each_image_and_not_for_each_pair(deviation: float) -> None:
    # Noise of 3.58 levels puts half of the 2 million pairs within 0.02 of 255, just by a little.
    noise = np.random.default_rng(0).normal(0, deviation, (2000, 32, 32, 3))
    names, compared = searched(np.clip(np.rint(240 + noise), 0, 255).astype(np.uint8))
    assert set(names) == {0}
    assert compared <= 10 * 2000


def test_pairs_just_beyond_the_limit_on_axes_that_the_sample_lacks_are_apart() -> None:
    # Each differs from white in 31 values of its own, by 70: an RMS of sqrt(2 * 31 * 70² / 3072) / 255 = 0.039.
    thumbnails = np.full((90, 3072), 255, np.uint8)
    for row in range(90):
        thumbnails[row, 31 * row : 31 * (row + 1)] -= 70
    thumbnails[1::2] = np.maximum(thumbnails[::2], 1) - 1  # each second one is its neighbour, a level darker
    expected = [row - row % 2 for row in range(90)]
    with tiny_cells():
        assert searched(thumbnails.reshape(-1, 32, 32, 3))[0] == expected


@settings(derandomize=True, max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 9), st.floats(0, 3), st.integers(0, 99))
def test_cells_hold_all_points_and_near_ones_lie_in_near_cells(n: int, size: int, reach: float, seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    with tiny_cells(size), TemporaryDirectory() as folder:
        found = sort_into_cells(points, np.arange(n), Path(folder))
        vectors = np.array(found.vectors)
    assert sorted(found.rows.tolist()) == list(range(n))
    assert np.diff(found.starts).max() <= size
    assert (vectors[:, :3] == points[found.rows]).all()
    cell = np.repeat(np.arange(len(found.starts) - 1), np.diff(found.starts))
    apart = np.linalg.norm(vectors[:, None, :3].astype(float) - vectors[:, :3], axis=2)
    near = [set(found.near(number, reach).tolist()) for number in range(len(found.starts) - 1)]
    assert all(cell[j] in near[cell[i]] for i, j in np.argwhere(np.triu(apart <= reach)))


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=8), max_size=6))
def test_components_are_named_by_their_smallest_members(batches: list[list[tuple[int, int]]]) -> None:
    sets = Components(20)
    reach = np.eye(20, dtype=bool)
    for batch in batches:
        left, right = np.array(batch, dtype=np.int64).reshape(-1, 2).T
        sets.join(left, right)
        reach[left, right] = reach[right, left] = True
    for _ in range(5):
        reach = reach @ reach
    assert sets.names(np.arange(20)).tolist() == reach.argmax(axis=1).tolist()
