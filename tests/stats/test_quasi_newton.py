import numpy as np
import pytest

from lacuna.stats.quasi_newton import quasi_newton

CURVATURE = np.array([[100.0], [1.0], [0.01]])
LOWEST = np.array([[1.0], [-2.0], [3.0]])


def follow(divide, gain=1e-12, beyond=0.0):
    """The lowest point of a bowl (and of a wall beside it), and how often it was looked at."""
    descent, looks = quasi_newton(np.zeros((3, 1)), divide, gain), 0
    point = next(descent)
    while True:
        looks += 1
        away = point - LOWEST
        loss = 1 + float((CURVATURE * away**2).sum()) / 2 + beyond * float((away**4).sum())
        try:
            point = descent.send((loss, CURVATURE * away + 4 * beyond * away**3))
        except StopIteration as end:
            return end.value, looks


def test_with_the_right_curvature_it_is_there_in_a_step():
    found, looks = follow(lambda there, gradient: gradient / CURVATURE)
    assert found == pytest.approx(LOWEST)
    assert looks == 2


@pytest.mark.parametrize("wrong", [0.01, 1.0, 30.0])
def test_a_curvature_that_is_wrong_costs_looks_and_nothing_else(wrong):
    found, looks = follow(lambda there, gradient: wrong * gradient)
    assert found == pytest.approx(LOWEST, abs=1e-4)
    assert 2 < looks < 40


def test_it_goes_down_where_whole_steps_lead_up():
    found, _ = follow(lambda there, gradient: gradient / CURVATURE, beyond=5.0)
    assert found == pytest.approx(LOWEST, abs=1e-4)


def test_it_ends_where_a_step_promises_little():
    _, many = follow(lambda there, gradient: gradient)
    found, few = follow(lambda there, gradient: gradient, gain=1e-2)
    assert few < many
    assert (CURVATURE * (found - LOWEST) ** 2).sum() < 0.5


def test_it_ends_at_once_where_nothing_can_be_gained():
    descent = quasi_newton(np.zeros((2, 1)), lambda there, gradient: gradient, 1e-6)
    next(descent)
    with pytest.raises(StopIteration) as end:
        descent.send((1.0, np.zeros((2, 1))))
    assert not end.value.value.any()
