"""The split's promises: every image in one part, groups whole, shares and rare labels where they belong."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lacuna.config.blocks import Split
from lacuna.data.labels.split import NOT_GIVEN, TEST, TRAIN, VAL, Identity, completed_split, deal

SHARES = (0.7, 0.15, 0.15)


def known(names: list[str]) -> Identity:
    return pa.table({"named": pa.array(names, pa.string()), "sha256": pa.nulls(len(names), pa.binary(32))})


def dealt(labels: np.ndarray, group: np.ndarray, seed: int = 0, former: np.ndarray | None = None) -> np.ndarray:
    """Each group is known by its number."""
    return deal(labels, group, known([f"{number:06}" for number in group]), SHARES, seed, former)


@st.composite
def labelled_groups(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 300))
    n_classes = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    labels = np.stack([generator.integers(-1, k, n) for k in n_classes], axis=1).astype(np.int16)
    group = generator.integers(0, draw(st.integers(1, n)), n) * 7
    return labels, group, draw(st.integers(0, 99))


@settings(derandomize=True, max_examples=60, deadline=None)
@given(labelled_groups())
@example((np.array([[0], [-1], [-1]], np.int16), np.array([0, 7, 14]), 0))  # a group for each, in any order
def test_groups_stay_whole_and_neither_order_nor_numbers_matter(case: tuple[np.ndarray, np.ndarray, int]) -> None:
    labels, group, seed = case
    part = dealt(labels, group, seed)
    assert part.shape == group.shape
    assert set(part.tolist()) <= {TRAIN, VAL, TEST}
    for number in np.unique(group):
        assert len(set(part[group == number].tolist())) == 1
    order = np.random.default_rng(seed).permutation(len(group))
    assert (part[order] == dealt(labels[order], group[order], seed)).all()
    names = [f"{number:06}" for number in group]
    assert (part == deal(labels, 1000 - group, known(names), SHARES, seed)).all()


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.integers(3, 40), st.integers(100, 400), st.integers(0, 99))
def test_a_rare_class_lands_in_every_part(n_rare: int, n: int, seed: int) -> None:
    labels = np.zeros((n, 1), dtype=np.int16)
    labels[:n_rare] = 1
    part = dealt(labels, np.arange(n), seed)
    in_part = np.bincount(part[:n_rare], minlength=3)
    assert (in_part >= 1).all()
    assert (np.abs(in_part - np.array(SHARES) * n_rare) <= 2).all()
    assert (
        np.abs(np.bincount(part, minlength=3) - np.array(SHARES) * n) <= np.array([0.03, 0.015, 0.015]) * n + 1
    ).all()


def test_each_class_and_each_gap_is_stratified() -> None:
    labels = gappy_labels(2000, np.random.default_rng(5))
    part = dealt(labels, np.arange(2000) // 2)
    for column in (0, 1):
        for label in np.unique(labels[:, column]):
            counts = np.bincount(part[labels[:, column] == label], minlength=3)
            assert np.abs(counts[1:] / counts.sum() - 0.15).max() <= 0.015 + 2 / counts.sum()


def gappy_labels(n: int, generator: np.random.Generator) -> np.ndarray:
    labels = np.stack([generator.integers(-1, 4, n), generator.integers(-1, 2, n)], axis=1).astype(np.int16)
    labels[generator.random(n) < 0.5, 1] = -1
    return labels


def test_the_seed_changes_the_split() -> None:
    labels, group = np.zeros((50, 1), dtype=np.int16), np.arange(50)
    assert len({tuple(dealt(labels, group, seed).tolist()) for seed in range(5)}) == 5


def test_a_large_group_does_not_swell_a_small_part() -> None:
    group = np.concatenate([np.zeros(30), np.arange(1, 71)]).astype(int)
    for seed in range(20):
        part = dealt(np.zeros((100, 1), dtype=np.int16), group, seed)
        assert part[0] == TRAIN
        assert np.bincount(part)[1:].tolist() == pytest.approx([15, 15], abs=2)


def test_who_adds_images_finds_the_others_where_they_were() -> None:
    """Of a former split nothing moves; without one, what is dealt again is nearly the same."""
    moved = []
    for seed in range(20):
        labels, group = gappy_labels(310, np.random.default_rng(seed)), np.arange(310)
        before = dealt(labels[:300], group[:300], seed)
        former = np.concatenate([before, np.full(10, NOT_GIVEN)]).astype(np.int8)
        assert (dealt(labels, group, seed, former)[:300] == before).all()
        unseen = before != TRAIN
        moved.append(np.mean(dealt(labels, group, seed)[:300][unseen] != before[unseen]))
    assert np.mean(moved) < 0.15  # a shuffle would move 0.85 of them


def test_new_images_fill_up_what_former_parts_lack() -> None:
    former = np.array([TRAIN] * 70 + [VAL] * 30 + [NOT_GIVEN] * 100, dtype=np.int8)
    part = dealt(np.zeros((200, 1), dtype=np.int16), np.arange(200), former=former)
    assert (part[:100] == former[:100]).all()
    assert np.bincount(part).tolist() == pytest.approx([140, 30, 30], abs=3)


@pytest.mark.parametrize(
    ("former", "expected"), [([TRAIN, TEST], TEST), ([VAL, TRAIN], VAL), ([TEST, VAL], TEST), ([NOT_GIVEN, VAL], VAL)]
)
def test_groups_that_merge_stay_out_of_training(former: list[int], expected: int) -> None:
    labels = np.zeros((2, 1), dtype=np.int16)
    assert dealt(labels, np.zeros(2, int), former=np.array(former, np.int8)).tolist() == [expected] * 2


def test_a_group_is_known_by_the_least_of_its_images_alone() -> None:
    """So a copy that sorts behind its original moves no group."""
    labels, group = np.zeros((200, 1), dtype=np.int16), np.arange(200) // 2
    names = [f"{number:03}" for number in range(200)]
    part = deal(labels, group, known(names), SHARES, 0)
    assert (part[::2] == deal(labels[::2], group[::2], known(names[::2]), SHARES, 0)).all()


def complete(given: list[int], group: list[int], former: list[int] | None = None) -> np.ndarray:
    labels = np.zeros((len(given), 1), dtype=np.int16)
    names = [f"{number:03}" for number in group]
    split = Split(val=0.2, test=0.2, seed=0, keep=True, min_positives=1)
    before = np.array(former or [NOT_GIVEN] * len(given), dtype=np.int8)
    return completed_split(np.array(given, dtype=np.int8), labels, np.array(group), known(names), split, before)


def test_where_nothing_is_given_all_is_dealt() -> None:
    part = complete([NOT_GIVEN] * 100, list(range(100)))
    assert np.bincount(part).tolist() == pytest.approx([60, 20, 20], abs=2)


def test_a_given_split_is_kept_even_across_groups() -> None:
    given = [TRAIN, VAL, TEST] * 10
    assert complete(given, [0] * 30).tolist() == given


def test_val_is_cut_from_train_groups_whole() -> None:
    given = [TRAIN] * 80 + [TEST] * 20
    group = [number // 2 for number in range(80)] + [0] * 20
    part = complete(given, group)
    assert (part[80:] == TEST).all()
    assert np.bincount(part).tolist() == pytest.approx([60, 20, 20], abs=2)
    assert (part[:80:2] == part[1:80:2]).all()


def test_test_is_cut_from_train_when_every_image_is_given_another_part() -> None:
    part = complete([TRAIN] * 80 + [VAL] * 20, list(range(100)))
    assert (part[80:] == VAL).all()
    assert np.bincount(part).tolist() == pytest.approx([60, 20, 20], abs=2)
    assert np.bincount(complete([TRAIN] * 100, list(range(100)))).tolist() == pytest.approx([60, 20, 20], abs=2)


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
    assert np.bincount(part[10:]).tolist() == pytest.approx([30, 10], abs=1)


def test_images_that_were_test_stay_there_when_the_data_bring_some_more() -> None:
    """Who writes "test" beside new images only must not find yesterday's test images in training."""
    former = [TRAIN] * 60 + [VAL] * 20 + [TEST] * 20
    given = [TEST] * 5 + [NOT_GIVEN] * 95
    part = complete(given, [*range(98), 97, 97], former)
    assert part[:5].tolist() == [TEST] * 5
    assert (part[5:] == former[5:]).all()
    part = complete([VAL] * 5 + [NOT_GIVEN] * 95, list(range(100)), former)
    assert (part[5:] == former[5:]).all()
