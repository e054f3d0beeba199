import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lacuna.core.scores import activate
from lacuna.inference.ensemble import mean_logits
from tests.tiny_bundle import TARGETS


def test_the_mean_is_of_probabilities_and_not_of_logits():
    one, other = np.array([[0, 0, 0]], np.float32), np.array([[0, math.log(3), math.log(9)]], np.float32)
    logits = mean_logits(TARGETS, [one, other])
    assert activate(TARGETS[0], logits[:, :2]) == pytest.approx(np.array([[0.375, 0.625]]))  # of 1/2 and 3/4
    assert activate(TARGETS[1], logits[:, 2:])[0, 1] == pytest.approx(0.7)  # of 1/2 and 9/10


@given(arrays(np.float32, (3, 3), elements=st.floats(-8, 8, width=32)), st.integers(1, 3))
def test_copies_of_one_model_say_what_it_says(logits, copies):
    together = mean_logits(TARGETS, [logits] * copies)
    for target, columns in zip(TARGETS, TARGETS.slices, strict=True):
        expected = activate(target, logits[:, columns])
        assert activate(target, together[:, columns]) == pytest.approx(expected, abs=1e-5)


def test_a_model_that_is_certain_leaves_the_logits_finite():
    certain = np.array([[1000, -1000, 1000], [-1000, 1000, -1000]], np.float32)
    assert np.isfinite(mean_logits(TARGETS, [certain])).all()
