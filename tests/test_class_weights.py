"""Class weights: inverse to frequency, mean 1 over the known labels, none above the ceiling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lacuna.class_weights import class_weights, weigh_targets
from lacuna.targets import Target, Targets


def test_balanced_by_hand() -> None:
    # 100 labels in 2 classes: each class gets 50 of the weight.
    assert class_weights(np.array([80, 20]), balanced=True, ceiling=10).tolist() == [0.625, 2.5]


def test_the_ceiling_gives_what_it_cuts_to_the_others() -> None:
    # Uncut: 1000 / (3 * 10) = 33. Cut to 10 it takes 100 of 1000; the others share 900.
    weights = class_weights(np.array([10, 90, 900]), balanced=True, ceiling=10)
    assert weights.tolist() == pytest.approx([10, 5, 0.5])


def test_none_and_classes_without_labels() -> None:
    assert class_weights(np.array([80, 20]), balanced=False, ceiling=10).tolist() == [1, 1]
    assert class_weights(np.array([30, 0, 10]), balanced=True, ceiling=10).tolist() == pytest.approx([2 / 3, 1, 2])
    assert class_weights(np.array([0, 0]), balanced=True, ceiling=10).tolist() == [1, 1]


@settings(derandomize=True, max_examples=200)
@given(st.lists(st.integers(0, 5000), min_size=2, max_size=30), st.floats(1, 50))
def test_mean_one_and_ceiling_hold_together(counts: list[int], ceiling: float) -> None:
    known = np.array(counts)
    weights = class_weights(known, balanced=True, ceiling=ceiling)
    assert weights.max() <= ceiling * (1 + 1e-9)
    assert weights.min() > 0
    if known.sum():
        assert (weights * known).sum() / known.sum() == pytest.approx(1)
    order = np.argsort(known[known > 0], kind="stable")
    assert (np.diff(weights[known > 0][order]) <= 1e-9).all()


def test_unknown_labels_have_no_say() -> None:
    targets = Targets((Target("red", "binary", ("absent", "present")),))
    labels = np.array([[1], [0], [0], [0], [-1], [-1], [-1], [-1]], dtype=np.int16)
    weighed = weigh_targets(labels, targets, balanced=True, ceiling=10)
    assert weighed == {"red": {"known_share": 0.5, "counts": [3, 1], "weights": [pytest.approx(2 / 3), 2]}}
