import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lacuna.training.head_sample import draw_sample, equal_shares, relative_noise


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(0, 50), min_size=1, max_size=6), share=st.floats(0.01, 1))
def test_shares_are_equal_as_far_as_there_are_as_many(counts, share):
    counts = np.array(counts)
    total = int(share * counts.sum())
    shares = equal_shares(counts, total)
    assert shares.sum() == total
    assert (shares <= counts).all()
    cut = shares[shares < counts]
    assert cut.size == 0 or shares.max() - cut.min() <= 1


def test_every_row_of_a_rare_class_is_drawn_and_the_sample_stands_for_all():
    labels = np.repeat([0, 1, 2], [900, 90, 10])
    places, repeats = draw_sample(labels, np.arange(1000), 100, seed=0)
    assert len(np.unique(places)) == 100
    assert np.bincount(labels[places]).tolist() == [45, 45, 10]
    assert np.bincount(labels[places], repeats) == pytest.approx([900, 90, 10])
    assert repeats[labels[places] == 2] == pytest.approx(1)


def test_groups_are_drawn_whole_but_for_one_of_each_class():
    group = np.repeat(np.arange(200), 5)
    labels = (group % 2).astype(int)
    places, _ = draw_sample(labels, group, 103, seed=1)
    sizes = np.bincount(group[places])
    assert ((sizes > 0) & (sizes < 5)).sum() <= 2
    other, _ = draw_sample(labels, group, 103, seed=2)
    assert not np.array_equal(places, other)


def test_noise_is_that_of_so_many_fewer_rows():
    labels = np.array([0, 1] * 50)
    assert relative_noise(labels[:20], np.full(20, 5.0), labels, np.ones(100)) == pytest.approx(5)


def test_a_rare_class_that_is_there_in_full_is_hardly_noisier():
    """By hand: shares .01 and .99; (10 · .99² + 10 · 99² · .01²) / (10 · .99² + 990 · .01²) = 1.99."""
    labels = np.repeat([1, 0], [10, 990])
    sample, weight = labels[:20], np.repeat([1.0, 99.0], 10)
    assert relative_noise(sample, weight, labels, np.ones(1000)) == pytest.approx(1.98, abs=0.01)


def test_a_single_class_has_no_noise_to_compare():
    assert relative_noise(np.zeros(3, int), np.ones(3), np.zeros(9, int), np.ones(9)) == 1
