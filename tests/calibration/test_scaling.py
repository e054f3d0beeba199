import numpy as np
import pytest
import scipy.optimize
from sklearn.linear_model import LogisticRegression

from lacuna.calibration.scaling import BIAS_DEVIATION, SCALE_DEVIATION, TemperatureStep, fit_platt, fit_temperature


def ones(n):
    return np.ones((1, n))


def binary_sample(seed=0, n=200):
    generator = np.random.default_rng(seed)
    labels = (generator.random(n) < 0.3).astype(int)
    return (2 * labels + generator.normal(size=n))[:, None], labels


def test_platt_is_logistic_regression_on_smoothed_labels():
    logits, labels = binary_sample()
    n1, n0 = labels.sum(), (labels == 0).sum()
    present, absent = (n1 + 1) / (n1 + 2), 1 / (n0 + 2)
    aims = np.where(labels == 1, present, absent)
    regression = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    regression.fit(
        np.concatenate([logits, logits]),
        np.repeat([1, 0], len(labels)),
        sample_weight=np.concatenate([aims, 1 - aims]),
    )
    fitted = fit_platt(logits, labels, ones(len(labels)))
    assert fitted.scale[0] == pytest.approx(regression.coef_[0, 0], abs=1e-4)
    assert fitted.bias[0, 0] == pytest.approx(regression.intercept_[0], abs=1e-4)


def test_replicates_are_fitted_as_if_alone():
    logits, labels = binary_sample()
    weights = np.random.default_rng(1).integers(0, 3, (4, len(labels))).astype(float)
    together = fit_platt(logits, labels, weights)
    for row in range(4):
        repeated = np.repeat(np.arange(len(labels)), weights[row].astype(int))
        alone = fit_platt(logits[repeated], labels[repeated], ones(len(repeated)))
        assert together.scale[row] == pytest.approx(alone.scale[0])
        assert together.bias[row] == pytest.approx(alone.bias[0])


def test_many_images_are_fitted_as_few_that_count_so_often():
    random = np.random.default_rng(5)
    logits = random.normal(size=(1500, 1))
    labels = (random.random(1500) < 1 / (1 + np.exp(-2 * logits[:, 0] - 1))).astype(np.int16)
    few = fit_platt(logits, labels, np.full((1, 1500), 100.0))
    many = fit_platt(np.repeat(logits, 100, axis=0), np.repeat(labels, 100), np.ones((1, 150_000)))
    np.testing.assert_allclose([*many.scale, *many.bias[0]], [*few.scale, *few.bias[0]], rtol=1e-7)


@pytest.mark.parametrize("labels", [[0] * 6 + [1] * 6, [0] * 12, [1] * 12, [1, 0] * 6])
@pytest.mark.parametrize("spread", [0.0, 1.0, 1e4])
def test_platt_stays_finite_and_monotone_on_degenerate_data(labels, spread):
    logits = spread * np.arange(-6, 6.0)[:, None]
    fitted = fit_platt(logits, np.array(labels), ones(12))
    assert np.isfinite(fitted.scale).all()
    assert np.isfinite(fitted.bias).all()
    assert fitted.scale[0] >= 0


def test_platt_without_signal_is_the_smoothed_share():
    logits = np.arange(10.0)[:, None]
    for labels, share in (([1] * 3 + [0] * 7, 4 / 12), ([0] * 10, 1 / 12)):
        fitted = fit_platt(logits, np.array(labels), ones(10))
        assert fitted.scale[0] == 0
        assert 1 / (1 + np.exp(-fitted.bias[0, 0])) == pytest.approx(share)


def test_nothing_known_leaves_the_logits_alone():
    none = np.zeros(0, dtype=int)
    platt, temperature = (
        fit_platt(np.zeros((0, 1)), none, ones(0)),
        fit_temperature(np.zeros((0, 3)), none, ones(0)),
    )
    assert (platt.scale[0], platt.bias[0, 0]) == (1, 0)
    assert temperature.scale[0] == pytest.approx(1)
    assert temperature.bias[0] == pytest.approx(np.zeros(3))


def categorical_sample(n, scale, bias, seed=0):
    """Labels drawn from softmax(scale * logits + bias), so that this is the right calibration."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(n, 3)) * 2
    powers = np.exp(scale * logits + bias)
    chances = powers / powers.sum(axis=1, keepdims=True)
    return logits, (chances.cumsum(axis=1) < generator.random((n, 1))).sum(axis=1)


def test_temperature_minimises_the_penalised_log_loss():
    logits, labels = categorical_sample(60, 0.7, np.array([1.0, 0.0, -1.0]))

    def penalised(x):
        scores = x[0] * logits + x[1:]
        losses = np.logaddexp.reduce(scores, axis=1) - scores[np.arange(60), labels]
        return losses.sum() + ((x[0] - 1) ** 2 / SCALE_DEVIATION**2 + (x[1:] ** 2).sum() / BIAS_DEVIATION**2) / 2

    fitted = fit_temperature(logits, labels, ones(60))
    optimum = scipy.optimize.minimize(penalised, [1, 0, 0, 0]).x
    assert np.append(fitted.scale, fitted.bias[0]) == pytest.approx(optimum, abs=1e-4)


def test_temperature_and_bias_are_recovered():
    logits, labels = categorical_sample(20_000, 0.6, np.array([1.0, 0.0, -1.0]))
    fitted = fit_temperature(logits, labels, ones(len(labels)))
    assert fitted.scale[0] == pytest.approx(0.6, abs=0.03)
    assert fitted.bias[0] == pytest.approx([1, 0, -1], abs=0.1)


def test_few_images_hardly_move_the_bias():
    logits, labels = categorical_sample(20, 1.0, np.array([3.0, 0.0, -3.0]))
    few = fit_temperature(logits[:3], labels[:3], ones(3)).bias[0]
    assert np.abs(few).max() < 1
    many = fit_temperature(np.tile(logits, (50, 1)), np.tile(labels, 50), ones(1000)).bias[0]
    assert many[0] - many[2] > 3


def test_temperature_without_signal_is_the_smoothed_shares():
    labels = np.array([0] * 30 + [1] * 20 + [2] * 10)
    fitted = fit_temperature(-5 * np.eye(3)[labels], labels, ones(60))
    assert fitted.scale[0] == 0
    powers = np.exp(fitted.bias[0])
    assert powers / powers.sum() == pytest.approx(np.array([31, 21, 11]) / 63)


def test_separable_classes_stay_finite():
    labels = np.repeat([0, 1, 2], 20)
    fitted = fit_temperature(10 * np.eye(3)[labels], labels, ones(60))
    assert np.isfinite(fitted.scale).all()
    assert fitted.scale[0] > 0


def test_a_step_from_the_optimum_stays_there_for_the_whole_sample():
    logits, labels = categorical_sample(400, 0.7, np.array([1.0, 0.0, -1.0]))
    optimum = fit_temperature(logits, labels, ones(400))
    step = TemperatureStep(logits, labels, optimum, ones(400))(ones(400))
    assert step.scale == pytest.approx(optimum.scale)
    assert step.bias == pytest.approx(optimum.bias, abs=1e-6)


def test_one_step_follows_the_full_fit_of_replicates():
    logits, labels = categorical_sample(400, 0.7, np.array([1.0, 0.0, -1.0]))
    optimum = fit_temperature(logits, labels, ones(400))
    weights = np.random.default_rng(0).poisson(1, (50, 400)).astype(float)
    full, step = fit_temperature(logits, labels, weights), TemperatureStep(logits, labels, optimum, ones(400))(weights)
    assert np.corrcoef(full.scale, step.scale)[0, 1] > 0.98
    assert step.scale.std() == pytest.approx(full.scale.std(), rel=0.1)
    assert np.abs(full.bias - step.bias).mean() < 0.1 * full.bias.std(axis=0).mean()
