"""Where lists of names are cut, and that a change is felt near to it only."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lacuna.data.images.cuts import FEWEST, MOST, cut_names

NAMES = [f"{number:06}.jpg" for number in range(20_000)]


def shards(names: list[str]) -> set[tuple[str, ...]]:
    return {tuple(names[place]) for place in cut_names(names)}


@given(st.integers(1, 10_000), st.integers(0, 10_000))
def test_shards_follow_one_another_and_have_their_sizes(n: int, start: int) -> None:
    places = cut_names(NAMES[start : start + n])
    assert places[0].start == 0
    assert places[-1].stop == n
    assert all(before.stop == after.start for before, after in pairwise(places))
    *sizes, last = (place.stop - place.start for place in places)
    assert 1 <= last <= MOST
    assert all(FEWEST <= size <= MOST for size in sizes)


@pytest.mark.parametrize("seed", range(5))
def test_names_in_the_middle_change_few_shards(seed: int) -> None:
    at = random.Random(seed).randrange(len(NAMES))
    before, after = shards(NAMES), shards([*NAMES[:at], *(f"{NAMES[at]}.{i}" for i in range(100)), *NAMES[at:]])
    assert len(before) > 20
    assert len(after - before) <= 4


def test_a_name_that_is_not_utf_8_is_cut_like_any_other() -> None:
    assert cut_names(["\udcff.png"]) == [slice(0, 1)]
