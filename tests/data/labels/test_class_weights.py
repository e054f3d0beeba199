"""Class weights: inverse to frequency, mean 1 over the known labels, none above the ceiling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lacuna.core.targets import Target, Targets
from lacuna.data.labels.class_weights import Scheme, class_weights, weigh_targets


def test_balanced_by_hand() -> None:
    # 100 labels in 2 classes: each class gets 50 of the weight.
    assert class_weights(np.array([80, 20]), "balanced", beta=0.5, ceiling=10).tolist() == [0.625, 2.5]


def test_the_ceiling_gives_what_it_cuts_to_the_others() -> None:
    # Uncut: 1000 / (3 * 10) = 33. Cut to 10 it takes 100 of 1000; the others share 900.
    weights = class_weights(np.array([10, 90, 900]), "balanced", beta=0.5, ceiling=10)
    assert weights.tolist() == pytest.approx([10, 5, 0.5])


def test_none_and_classes_without_labels() -> None:
    assert class_weights(np.array([80, 20]), "none", beta=0.5, ceiling=10).tolist() == [1, 1]
    assert class_weights(np.array([30, 0, 10]), "balanced", beta=0.5, ceiling=10).tolist() == pytest.approx(
        [2 / 3, 1, 2]
    )
    assert class_weights(np.array([0, 0]), "balanced", beta=0.5, ceiling=10).tolist() == [1, 1]


def test_effective_number_by_hand() -> None:
    # beta 0.5: of 1 label 1 counts, of 2 labels 1.5, of 3 1.75. Weights 1, 2/3 and 4/7, scaled to mean 1 over 6 labels.
    weights = class_weights(np.array([1, 2, 3]), "effective_number", beta=0.5, ceiling=10)
    scale = 6 / (1 + 2 * 2 / 3 + 3 * 4 / 7)
    assert weights.tolist() == pytest.approx([scale, scale * 2 / 3, scale * 4 / 7])


def test_effective_number_lies_between_none_and_balanced() -> None:
    counts = np.array([5, 50, 2000])
    steep, flat = (class_weights(counts, "effective_number", beta=beta, ceiling=1e6) for beta in (1 - 1e-12, 1e-3))
    assert steep.tolist() == pytest.approx(class_weights(counts, "balanced", beta=0.5, ceiling=1e6).tolist(), rel=1e-3)
    assert flat.tolist() == pytest.approx([1, 1, 1], rel=1e-2)
    middle = class_weights(counts, "effective_number", beta=0.999, ceiling=1e6)
    assert flat[0] < middle[0] < steep[0]


@settings(derandomize=True, max_examples=200)
@given(
    st.lists(st.integers(0, 5000), min_size=2, max_size=30),
    st.floats(1, 50),
    st.sampled_from(["balanced", "effective_number"]),
    st.floats(0.01, 0.99999),
)
def test_mean_one_and_ceiling_hold_together(counts: list[int], ceiling: float, scheme: Scheme, beta: float) -> None:
    known = np.array(counts)
    weights = class_weights(known, scheme, beta=beta, ceiling=ceiling)
    assert weights.max() <= ceiling * (1 + 1e-9)
    assert weights.min() > 0
    if known.sum():
        assert (weights * known).sum() / known.sum() == pytest.approx(1)
    order = np.argsort(known[known > 0], kind="stable")
    assert (np.diff(weights[known > 0][order]) <= 1e-9).all()


def test_unknown_labels_have_no_say() -> None:
    targets = Targets((Target("red", "binary", ("absent", "present")),))
    labels = np.array([[1], [0], [0], [0], [-1], [-1], [-1], [-1]], dtype=np.int16)
    weighed = weigh_targets(labels, targets, "balanced", beta=0.5, ceiling=10)
    assert weighed == {"red": {"known_share": 0.5, "counts": [3, 1], "weights": [pytest.approx(2 / 3), 2]}}
