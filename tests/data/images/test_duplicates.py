"""Duplicates by the definition: thumbnails within a root mean square, chained, and nothing missed."""

from pathlib import Path

import numpy as np
import pytest
from scipy.cluster.hierarchy import DisjointSet

from lacuna.data.images.duplicates import find_duplicates


def flat(*greys: float) -> np.ndarray:
    return np.stack([np.full((64, 64, 3), grey, np.uint8) for grey in greys])


def test_exact_and_near_duplicates_are_grouped_and_counted(tmp_path: Path) -> None:
    # 0.02 of 255 is 5.1: 100 and 105 are near, 105 and 110 too, 100 and 110 only through the chain.
    found = find_duplicates(flat(100, 200, 105, 200, 110, 116), rms=0.02, workspace=tmp_path)
    assert found.group.tolist() == [0, 1, 0, 1, 0, 5]
    assert (found.n_exact, found.n_near, found.largest) == (1, 2, 3)
    assert list(tmp_path.iterdir()) == []


def test_the_limit_is_inclusive_and_measured_on_means_of_boxes(tmp_path: Path) -> None:
    # A checkerboard of single pixels averages to its mean grey, so only the thumbnails agree.
    board = flat(100)
    board[:, ::2, ::2] += 40
    board[:, 1::2, 1::2] += 40
    images = np.concatenate([board, flat(120, 126)])
    assert find_duplicates(images, rms=0.02, workspace=tmp_path).group.tolist() == [0, 0, 2]
    assert find_duplicates(flat(120, 126), rms=6 / 255 + 1e-7, workspace=tmp_path).group.tolist() == [0, 0]
    assert find_duplicates(flat(120, 126), rms=6 / 255 - 1e-6, workspace=tmp_path).group.tolist() == [0, 1]


def box_means(image: np.ndarray) -> np.ndarray:
    """The mean of the pixels whose centres lie in each of 32 x 32 cells, in whole grey values."""
    cell = np.ceil((np.arange(len(image)) + 0.5) * 32 / len(image)).astype(int) - 1
    member = (cell == np.arange(32)[:, None]) / np.bincount(cell)[:, None]
    lines = np.floor(np.einsum("cx,yxk->yck", member, image) + 0.5)
    return np.floor(np.einsum("cy,yxk->cxk", member, lines) + 0.5)


@pytest.mark.parametrize("size", [32, 48, 100, 160])
def test_equals_the_comparison_of_all_pairs(tmp_path: Path, size: int) -> None:
    generator = np.random.default_rng(size)
    patterns = generator.integers(0, 256, (6, size, size, 3))
    noise = generator.normal(0, 1, (60, size, size, 3)) * generator.uniform(0, 12, (60, 1, 1, 1))
    shift = generator.uniform(-6, 6, (60, 1, 1, 1))
    images = np.clip(patterns[generator.integers(0, 6, 60)] + noise + shift, 0, 255).astype(np.uint8)

    thumbnails = np.array([box_means(image) for image in images]) / 255
    sets = DisjointSet(range(60))
    n_pairs = 0
    for i in range(60):
        for j in range(i):
            if np.sqrt(((thumbnails[i] - thumbnails[j]) ** 2).mean()) <= 0.02:
                sets.merge(i, j)
                n_pairs += 1
    assert 10 < n_pairs < 500
    found = find_duplicates(images, rms=0.02, workspace=tmp_path)
    assert found.group.tolist() == _smallest_members(sets)


def test_rms_zero_keeps_exact_duplicates_only(tmp_path: Path) -> None:
    found = find_duplicates(flat(7, 8, 7), rms=0.0, workspace=tmp_path)
    assert found.group.tolist() == [0, 1, 0]


def _smallest_members(sets: DisjointSet) -> list[int]:
    """For each number the smallest one of its set."""
    return [min(sets.subset(number)) for number in range(len(sets))]
