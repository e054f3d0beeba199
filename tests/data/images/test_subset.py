"""A sample's promises: its size, its shares, and that it depends on nothing else."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lacuna.data.images.subset import stratified_sample
from lacuna.errors import LacunaError

SIZES = st.lists(st.integers(1, 60), min_size=1, max_size=8)


def population(sizes: list[int]) -> tuple[list[str], list[str]]:
    strata = [f"s{stratum}" for stratum, size in enumerate(sizes) for _ in range(size)]
    return [f"{number}.png" for number in range(len(strata))], strata


@given(SIZES, st.data())
def test_each_stratum_has_its_share_and_at_least_one(sizes: list[int], data: st.DataObject) -> None:
    names, strata = population(sizes)
    n = data.draw(st.integers(len(sizes), len(names)))
    chosen = stratified_sample(names, strata, n)
    assert len(chosen) == len(set(chosen)) == n
    assert chosen == [name for name in names if name in set(chosen)]
    where = dict(zip(names, strata, strict=True))
    counts = Counter(where[name] for name in chosen)
    assert len(counts) == len(sizes)
    if min(sizes) * n >= len(names):  # nobody owes a seat to the rule of at least one
        for stratum, size in Counter(strata).items():
            assert abs(counts[stratum] - n * size / len(names)) <= 2


@given(SIZES, st.data())
def test_a_larger_sample_holds_the_smaller_and_the_order_of_files_does_not_matter(
    sizes: list[int], data: st.DataObject
) -> None:
    names, strata = population(sizes)
    small, large = sorted(data.draw(st.integers(len(sizes), len(names))) for _ in range(2))
    chosen = set(stratified_sample(names, strata, small))
    assert chosen <= set(stratified_sample(names, strata, large))
    assert set(stratified_sample(names[::-1], strata[::-1], small)) == chosen


def test_a_sample_is_spread_over_its_stratum() -> None:
    names, strata = population([1000])
    numbers = [int(name.removesuffix(".png")) for name in stratified_sample(names, strata, 100)]
    assert 30 <= sum(number < 500 for number in numbers) <= 70


def test_all_is_all() -> None:
    names, strata = population([3, 1])
    assert stratified_sample(names, strata, 4) == stratified_sample(names, strata, 99) == names


def test_fewer_images_than_classes_are_an_error() -> None:
    with pytest.raises(LacunaError, match=r"data.max_images = 2: expected at least 3, an image of each class"):
        stratified_sample(*population([5, 5, 5]), 2)
