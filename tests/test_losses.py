import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from lacuna.losses import MaskedLoss, TargetStatistics
from lacuna.targets import Target, Targets

TARGETS = Targets((Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("no", "yes"))))
STATISTICS = [TargetStatistics(0.5, (5, 3, 2), (0.5, 1.0, 2.0)), TargetStatistics(0.8, (12, 4), (0.75, 1.75))]


def loss(labels, logits, **options):
    per_image = MaskedLoss(TARGETS, STATISTICS, **options).call(np.asarray(labels), np.asarray(logits, np.float32))
    return np.asarray(per_image)


def test_cross_entropy_by_hand():
    # kind: softmax of (ln 2, 0, 0) gives "bag" 1/2; expected count 1 image * 0.5. red: sigmoid(ln 3) = 3/4, share 0.8.
    value = loss([[0, 1]], [[math.log(2), 0, 0, math.log(3)]])
    assert value == pytest.approx([(math.log(2) / 0.5 + math.log(4 / 3) / 0.8) / 2], rel=1e-5)


def test_focal_factor_comes_from_the_unweighted_probability():
    value = loss([[2, -1]], [[0, 0, math.log(2), 0]], kind="focal", gamma=2.0, weighted=True)
    assert value == pytest.approx([2.0 * (1 - 0.5) ** 2 * math.log(2) / 0.5 / 2], rel=1e-5)


def test_alpha_weighs_present_against_absent_and_a_half_changes_nothing():
    logits = [[0, 0, 0, 0.3], [0, 0, 0, 0.3]]
    labels = [[-1, 1], [-1, 0]]
    plain = loss(labels, logits)
    assert loss(labels, logits, kind="focal", gamma=0.0, alpha=0.5) == pytest.approx(plain, rel=1e-6)
    assert loss(labels, logits, kind="focal", gamma=0.0, alpha=0.9) == pytest.approx(plain * [1.8, 0.2], rel=1e-5)


def test_nothing_known_gives_zero():  # and no gradient: test_training.py, a part without any known label
    assert loss(np.full((3, 2), -1), np.full((3, 4), 50.0), kind="focal", gamma=2.0, alpha=0.25).tolist() == [0, 0, 0]


def test_the_denominator_is_the_expected_count_not_the_found_one():
    # One known cell of four images weighs a quarter of what it would alone, whatever the others lack.
    alone = loss([[0, -1]], [[1, 0, 0, 0]]).mean()
    among_four = loss([[0, -1], [-1, -1], [-1, -1], [-1, -1]], np.tile([1.0, 0, 0, 0], (4, 1))).mean()
    assert among_four == pytest.approx(alone / 4, rel=1e-6)


@given(
    logits=npst.arrays(np.float32, (6, 4), elements=st.floats(-80, 80, width=32)),
    other=npst.arrays(np.float32, (6, 4), elements=st.floats(-80, 80, width=32)),
    labels=npst.arrays(np.int16, (6, 2), elements=st.integers(-1, 1)),
    gamma=st.sampled_from([0.0, 0.5, 2.0, 5.0]),
)
def test_unknown_cells_never_matter_and_the_loss_is_finite(logits, other, labels, gamma):
    changed = logits.copy()
    for column, targets_slice in enumerate(TARGETS.slices):
        unknown = labels[:, column] == -1
        changed[unknown, targets_slice] = other[unknown, targets_slice]
    one = loss(labels, logits, kind="focal", gamma=gamma, weighted=True)
    two = loss(labels, changed, kind="focal", gamma=gamma, weighted=True)
    assert np.isfinite(one).all()
    assert (one >= 0).all()
    np.testing.assert_array_equal(one, two)
    assert (one[(labels == -1).all(axis=1)] == 0).all()
