"""The split's promises: every image in one part, groups whole, shares and rare labels where they belong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lacuna.data.labels.split import NOT_GIVEN, TEST, TRAIN, VAL, completed_split, stratified_split

SHARES = (0.7, 0.15, 0.15)


@st.composite
def labelled_groups(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 300))
    n_classes = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    labels = np.stack([generator.integers(-1, k, n) for k in n_classes], axis=1).astype(np.int16)
    group = generator.integers(0, draw(st.integers(1, n)), n) * 7
    return labels, group, draw(st.integers(0, 99))


@settings(derandomize=True, max_examples=150, deadline=None)
@given(labelled_groups())
def test_groups_stay_whole_and_shares_hold(case: tuple[np.ndarray, np.ndarray, int]) -> None:
    labels, group, seed = case
    part = stratified_split(labels, group, SHARES, seed)
    assert part.shape == group.shape
    assert set(part.tolist()) <= {TRAIN, VAL, TEST}
    for number in np.unique(group):
        assert len(set(part[group == number].tolist())) == 1
    largest = np.bincount(group).max()
    for number, share in enumerate(SHARES):
        assert (part == number).sum() < share * len(part) + largest
    assert (part == stratified_split(labels, group, SHARES, seed)).all()
    assert (part == stratified_split(labels, group + 1000, SHARES, seed)).all()


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.integers(3, 40), st.integers(100, 400), st.integers(0, 99))
def test_a_rare_class_lands_in_every_part(n_rare: int, n: int, seed: int) -> None:
    labels = np.zeros((n, 1), dtype=np.int16)
    labels[:n_rare] = 1
    part = stratified_split(labels, np.arange(n), SHARES, seed)
    in_part = np.bincount(part[:n_rare], minlength=3)
    assert (in_part >= 1).all()
    assert (np.abs(in_part - np.array(SHARES) * n_rare) <= 2).all()


def test_each_class_and_each_gap_is_stratified() -> None:
    generator = np.random.default_rng(5)
    labels = np.stack([generator.integers(-1, 4, 2000), generator.integers(-1, 2, 2000)], axis=1).astype(np.int16)
    labels[generator.random(2000) < 0.5, 1] = -1
    part = stratified_split(labels, np.arange(2000) // 2, SHARES, 0)
    for column in (0, 1):
        for label in np.unique(labels[:, column]):
            counts = np.bincount(part[labels[:, column] == label], minlength=3)
            assert np.abs(counts / counts.sum() - SHARES).max() < 0.02


def test_the_seed_changes_the_split() -> None:
    labels, group = np.zeros((50, 1), dtype=np.int16), np.arange(50)
    splits = {tuple(stratified_split(labels, group, SHARES, seed).tolist()) for seed in range(5)}
    assert len(splits) == 5


def test_a_large_group_does_not_swell_a_small_part() -> None:
    group = np.concatenate([np.zeros(30), np.arange(1, 71)]).astype(int)
    for seed in range(10):
        part = stratified_split(np.zeros((100, 1), dtype=np.int16), group, SHARES, seed)
        assert part[0] == TRAIN
        assert np.bincount(part).tolist() == [70, 15, 15]


def complete(given: list[int], group: list[int]) -> np.ndarray:
    labels = np.zeros((len(given), 1), dtype=np.int16)
    return completed_split(np.array(given, dtype=np.int8), labels, np.array(group), val=0.2, test=0.2, seed=0)


def test_nothing_given_is_the_stratified_split() -> None:
    part = complete([NOT_GIVEN] * 100, list(range(100)))
    assert np.bincount(part).tolist() == [60, 20, 20]


def test_a_given_split_is_kept_even_across_groups() -> None:
    given = [TRAIN, VAL, TEST] * 10
    assert complete(given, [0] * 30).tolist() == given


def test_val_is_cut_from_train_groups_whole() -> None:
    given = [TRAIN] * 80 + [TEST] * 20
    group = [number // 2 for number in range(80)] + [0] * 20
    part = complete(given, group)
    assert (part[80:] == TEST).all()
    assert np.bincount(part).tolist() == [60, 20, 20]
    assert (part[:80:2] == part[1:80:2]).all()


def test_test_is_cut_from_train_when_every_image_is_given_another_part() -> None:
    part = complete([TRAIN] * 80 + [VAL] * 20, list(range(100)))
    assert (part[80:] == VAL).all()
    assert np.bincount(part).tolist() == [60, 20, 20]
    assert np.bincount(complete([TRAIN] * 100, list(range(100)))).tolist() == [60, 20, 20]


@pytest.mark.parametrize(
    ("given", "expected"),
    [([TEST, NOT_GIVEN], TEST), ([VAL, NOT_GIVEN], VAL), ([TEST, VAL, TRAIN, NOT_GIVEN], TRAIN)],
)
def test_an_image_without_a_part_follows_its_group(given: list[int], expected: int) -> None:
    others = [TRAIN, VAL, TEST]
    assert complete(given + others, [0] * len(given) + [1, 2, 3])[len(given) - 1] == expected


def test_images_without_a_part_dilute_no_part_that_is_given() -> None:
    part = complete([TRAIN, VAL, TEST] + [NOT_GIVEN] * 50, list(range(53)))
    assert part[:3].tolist() == [TRAIN, VAL, TEST]
    assert (part[3:] == TRAIN).all()
    part = complete([TEST] * 10 + [NOT_GIVEN] * 40, list(range(50)))
    assert np.bincount(part[10:]).tolist() == [30, 10]
