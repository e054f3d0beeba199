"""How benchmarks/gaps.py hides labels, and what each way makes of the gaps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.gaps_labels import LabelFile, as_attributes, fill, hide, marked_classes, marked_share, treat
from lacuna.core.targets import UNKNOWN, Target, Targets

COLOUR = Target("colour", "categorical", ("red", "green", "blue", "rare"))
TARGETS = Targets(
    (COLOUR, Target("striped", "binary", ("absent", "present")), Target("long", "binary", ("absent", "present")))
)


def some_labels(n: int = 4000, unknown: float = 0.05) -> np.ndarray:
    random = np.random.default_rng(7)
    labels = np.stack(
        [
            random.choice(4, n, p=[0.45, 0.25, 0.2, 0.1]),
            (random.random(n) < 0.3).astype(int),
            (random.random(n) < 0.6).astype(int),
        ],
        axis=1,
    )
    labels[random.random(labels.shape) < unknown] = UNKNOWN
    return labels.astype(np.int16)


@pytest.mark.parametrize("mechanism", ["random", "by class"])
@given(share=st.floats(0, 0.95), seed=st.integers(0, 100))
def test_exactly_the_share_of_each_targets_known_cells_becomes_unknown_and_nothing_else_changes(mechanism, share, seed):
    labels = some_labels(400)
    before = labels.copy()
    hidden = hide(labels, TARGETS, share, mechanism, seed)
    assert np.array_equal(labels, before)
    changed = hidden != labels
    assert (hidden[changed] == UNKNOWN).all()
    assert (labels[changed] >= 0).all()
    assert changed.sum(axis=0).tolist() == [round(share * n) for n in (labels >= 0).sum(axis=0)]


@pytest.mark.parametrize("mechanism", ["random", "by class"])
def test_a_seed_hides_the_same_cells_again_and_another_seed_others(mechanism):
    labels = some_labels()
    first, again, other = (hide(labels, TARGETS, 0.5, mechanism, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert 0.3 < (first != other).mean() < 0.6


def shares_hidden(labels: np.ndarray, hidden: np.ndarray, index: int) -> list[float]:
    classes = range(TARGETS[index].n_classes)
    return [float((hidden[labels[:, index] == code, index] == UNKNOWN).mean()) for code in classes]


def test_at_random_every_class_is_hidden_alike():
    labels = some_labels()
    hidden = hide(labels, TARGETS, 0.8, "random", 0)
    for index in range(3):
        assert shares_hidden(labels, hidden, index) == pytest.approx([0.8] * TARGETS[index].n_classes, abs=0.05)


def test_by_class_the_marked_classes_have_nine_times_the_odds_of_being_hidden():
    labels = some_labels()
    hidden = hide(labels, TARGETS, 0.5, "by class", 0)
    red, green, blue, rare = shares_hidden(labels, hidden, 0)
    assert green == pytest.approx(rare, abs=0.05)
    assert red == pytest.approx(blue, abs=0.05)
    for index, marked, others in ((0, [1, 3], [0, 2]), (1, [0], [1]), (2, [1], [0])):
        odds = []
        for classes in (marked, others):
            mine = np.isin(labels[:, index], classes)
            n_hidden = (hidden[mine, index] == UNKNOWN).sum()
            odds.append(n_hidden / (mine.sum() - n_hidden))
        assert odds[0] / odds[1] == pytest.approx(9, rel=0.02), TARGETS[index].name


def test_every_second_class_by_frequency_is_marked_and_either_side_of_binary_targets_in_turn():
    labels = some_labels()
    assert marked_classes(np.repeat([2, 3, 0, 1], [9, 7, 5, 3]).astype(np.int16), COLOUR, 0).tolist() == [
        False,
        True,
        False,
        True,
    ]
    assert marked_classes(labels[:, 1], TARGETS[1], 0).tolist() == [False, True]
    assert marked_classes(labels[:, 1], TARGETS[1], 1).tolist() == [True, False]


def test_the_marked_cells_by_hand():
    assert marked_share(100, 100, 100) == 75  # odds 3 against 1/3
    assert marked_share(0, 10, 4) == 0
    assert marked_share(10, 0, 4) == 4
    assert marked_share(10, 10, 20) == 10


def test_filling_says_absent_or_the_commonest_class_and_keeps_what_is_known():
    labels = np.array([[2, 1, -1], [2, -1, 1], [-1, -1, -1], [0, -1, 1]], np.int16)
    assert fill(labels, TARGETS).tolist() == [[2, 1, 0], [2, 0, 1], [2, 0, 0], [0, 0, 1]]
    assert labels[2].tolist() == [-1, -1, -1]


def test_the_three_ways_differ_in_rows_and_labels_alone():
    labels = np.array([[2, 1, -1], [2, 0, 1], [-1, -1, -1]], np.int16)
    rows, masked = treat(labels, TARGETS, "masked")
    assert rows.tolist() == [0, 1, 2]
    assert np.array_equal(masked, labels)
    rows, filled = treat(labels, TARGETS, "filled")
    assert rows.tolist() == [0, 1, 2]
    assert (filled >= 0).all()
    rows, dropped = treat(labels, TARGETS, "dropped")
    assert rows.tolist() == [1]
    assert dropped.tolist() == [[2, 0, 1]]


def test_attributes_are_the_frequent_classes_and_unknown_where_their_column_is():
    size = Target("size", "categorical", ("small", "large"))
    train = np.array([[0, 1], [0, 0], [1, 0], [-1, 0], [2, -1], [1, 1]], np.int16)
    test = np.array([[1, 1], [-1, 0]], np.int16)
    attributes = as_attributes(LabelFile("columns", Targets((COLOUR, size)), train, test), count=3)
    assert attributes.targets.names == ("size small", "colour red", "colour green")
    assert attributes.train[:, 1].tolist() == [1, 1, 0, UNKNOWN, 0, 0]
    assert attributes.test.tolist() == [[0, 0, 1], [1, UNKNOWN, UNKNOWN]]
