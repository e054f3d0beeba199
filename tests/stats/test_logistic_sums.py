import numpy as np
import pytest

from lacuna.stats.logistic_sums import penalized_mean, sum_rows
from tests.stats.test_logistic_regression import objective


@pytest.fixture(params=[1, 3])
def drawn(request):
    """Rows, labels, weights of which a third are 0, and a point."""
    random = np.random.default_rng(0)
    labels = random.integers(0, max(request.param, 2), 30)
    weight = random.uniform(0.5, 2, 30) * (np.arange(30) % 3 > 0)
    return random.normal(size=(30, 4)), np.where(weight > 0, labels, -1), weight, random.normal(size=(5, request.param))


def test_loss_and_slope_are_those_of_the_definition(drawn):
    rows, labels, weight, point = drawn

    def loss(there):
        return objective(rows, labels, there.shape[1], weight, 0.3, 0.1, there[:-1], there[-1])

    found, slope = penalized_mean(sum_rows(rows, labels, weight, point, 0.1), point, 0.3)
    assert found == pytest.approx(loss(point), rel=1e-7)
    for place in np.ndindex(point.shape):
        step = np.zeros_like(point)
        step[place] = 1e-5
        expected = (loss(point + step) - loss(point - step)) / 2e-5
        assert slope[place] == pytest.approx(expected, abs=1e-6)


def test_pieces_add_up_to_the_whole(drawn):
    rows, labels, weight, point = drawn
    whole = sum_rows(rows, labels, weight, point, 0.0)
    first = sum_rows(rows[:11], labels[:11], weight[:11], point, 0.0)
    pieces = first + sum_rows(rows[11:], labels[11:], weight[11:], point, 0.0)
    assert pieces.loss == pytest.approx(whole.loss)
    assert pieces.slope == pytest.approx(whole.slope)
    assert pieces.weight == pytest.approx(weight.sum())
