import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from lacuna.core.groups import assign_folds
from lacuna.stats import logistic_regression
from lacuna.stats.logistic_newton import NewtonProblem
from lacuna.stats.logistic_regression import PATH, cross_validate, decision, find_axes, fit
from lacuna.stats.logistic_rows import Products, cut_blocks

FAR_FROM_ROUNDING = 1e-5


@pytest.fixture(autouse=True)
def _one_thread():
    with threadpool_limits(1):
        yield


def standardized(n, d, seed=0, rank=None):
    """Rows with a few strong directions, as features of networks have, and labels of 3 classes that follow them."""
    random = np.random.default_rng(seed)
    strength = 1 / np.arange(1, (rank or d) + 1)
    rows = random.normal(size=(n, rank or d)) * strength @ random.normal(size=(rank or d, d))
    rows = rows + 0.01 * random.normal(size=(n, d))
    scores = rows @ random.normal(size=(d, 3)) + random.gumbel(size=(n, 3))
    deviation = rows.std(axis=0)
    return ((rows - rows.mean(axis=0)) / np.where(deviation > 0, deviation, 1)).astype(np.float32), scores.argmax(
        axis=1
    )


def objective(rows, labels, n_logits, weight, l2, smoothing, weights, bias):
    """The loss as its definition says, in 64 bits: the mean over rows and the average row, and the penalty."""
    n_classes = max(n_logits, 2)
    logits = np.append(rows.astype(np.float64) @ weights + bias, bias[None], axis=0)
    if n_logits == 1:
        logits = np.append(np.zeros_like(logits), logits, axis=1)
    wanted = np.eye(n_classes)[np.where(weight > 0, labels, 0)] * (1 - smoothing) + smoothing / n_classes
    wanted = np.append(wanted, np.full((1, n_classes), 1 / n_classes), axis=0)
    weight = np.append(weight, 1.0)
    lost = -(wanted * log_softmax(logits, axis=1)).sum(axis=1)
    return weight @ lost / weight.sum() + l2 / 2 * (weights**2).sum()


def slope(rows, labels, n_logits, weight, l2, smoothing, weights, bias):
    """The largest component of the objective's gradient (weights and bias), by hand."""
    n_classes = max(n_logits, 2)
    logits = np.append(rows.astype(np.float64) @ weights + bias, bias[None], axis=0)
    if n_logits == 1:
        logits = np.append(np.zeros_like(logits), logits, axis=1)
    wanted = np.eye(n_classes)[np.where(weight > 0, labels, 0)] * (1 - smoothing) + smoothing / n_classes
    wanted = np.append(wanted, np.full((1, n_classes), 1 / n_classes), axis=0)
    weight = np.append(weight, 1.0) / (weight.sum() + 1)
    away = (weight[:, None] * (np.exp(log_softmax(logits, axis=1)) - wanted))[:, n_classes - n_logits :]
    return max(np.abs(rows.T @ away[:-1] + l2 * weights).max(), np.abs(away.sum(axis=0)).max())


@pytest.mark.parametrize("n_logits", [1, 3])
@pytest.mark.parametrize("turned", [True, False])
def test_the_gradient_is_that_of_finite_differences(n_logits, turned):
    rows, labels = standardized(30, 6)
    labels = labels if n_logits == 3 else labels > 0
    random = np.random.default_rng(1)
    weight = random.uniform(0.5, 2, 30)
    axes = find_axes(rows)
    products = Products(axes.rows, None, axes.basis.astype(np.float64))
    blocks = cut_blocks(labels.astype(int), n_logits, weight, 0.1, np.zeros(30, int), 1)
    problem = NewtonProblem(products if not turned else Products(axes.turned, None, None), blocks, axes.variance, 1)
    there = random.normal(size=(7, 1, n_logits))
    pull = 0.3 * products.squared(there)
    _, p = problem._loss(products.logits(blocks, there), there, pull)
    gradient = products.back(blocks, list(problem._slopes(p)), there.shape) / (weight.sum() + 1) + pull
    for place in np.ndindex(there.shape):
        step = np.zeros_like(there)
        step[place] = 1e-5
        around = []
        for moved in (there + step, there - step):
            whole = axes.basis.astype(np.float64) @ moved[:-1, 0]
            around.append(objective(rows, labels.astype(int), n_logits, weight, 0.3, 0.1, whole, moved[-1, 0]))
        assert gradient[place] == pytest.approx((around[0] - around[1]) / 2e-5, abs=1e-6)


@pytest.mark.parametrize("n_logits", [1, 3])
@pytest.mark.parametrize("l2", [1.0, 0.01])
def test_it_finds_what_scikit_learn_finds(n_logits, l2):
    rows, labels = standardized(400, 10)
    labels = labels if n_logits == 3 else (labels > 0).astype(int)
    found = fit(find_axes(rows), labels, n_logits, np.ones(400), l2)
    # the average row, which belongs to all classes in equal shares, as rows of scikit-learn's
    n_classes = max(n_logits, 2)
    more = np.append(rows.astype(np.float64), np.zeros((n_classes, 10)), axis=0)
    weight = np.append(np.ones(400), np.full(n_classes, 1 / n_classes))
    model = LogisticRegression(C=1 / (l2 * 401), tol=1e-10, max_iter=10_000)
    model.fit(more, np.append(labels, np.arange(n_classes)), weight)
    assert found.weights == pytest.approx(model.coef_.T, abs=1e-5)
    assert found.bias == pytest.approx(model.intercept_ - (model.intercept_.mean() if n_logits > 1 else 0), abs=1e-5)


@settings(max_examples=12, deadline=None)
@given(
    n=st.integers(1, 60),
    d=st.integers(1, 40),
    n_logits=st.sampled_from([1, 3]),
    l2=st.sampled_from([3.0, 0.1, 1e-4]),
    smoothing=st.sampled_from([0.0, 0.2]),
    seed=st.integers(0, 5),
)
def test_the_solution_has_no_slope(n, d, n_logits, l2, smoothing, seed):
    rows, labels = standardized(n, d, seed)
    labels = labels if n_logits == 3 else (labels > 0).astype(int)
    weight = np.random.default_rng(seed).uniform(0.2, 3, n) * (np.arange(n) % 4 != 3)
    found = fit(find_axes(rows), np.where(weight > 0, labels, -1), n_logits, weight, l2, smoothing)
    assert found.gradient <= 1e-6
    assert slope(rows, labels, n_logits, weight, l2, smoothing, found.weights, found.bias) <= FAR_FROM_ROUNDING
    expected = objective(rows, labels, n_logits, weight, l2, smoothing, found.weights, found.bias)
    assert found.loss == pytest.approx(expected, rel=1e-6)


def test_a_promised_gain_ends_it_within_that_share_of_the_lowest_loss():
    rows, labels = standardized(300, 40)
    axes, weight = find_axes(rows), np.ones(300)
    lowest, near = fit(axes, labels, 3, weight, 0.001), fit(axes, labels, 3, weight, 0.001, gain=1e-3)
    assert lowest.loss <= near.loss <= lowest.loss * (1 + 3e-3)
    assert near.passes < lowest.passes


@pytest.mark.parametrize("shape", [(60, 8), (300, 8), (12, 40)])
def test_rows_without_weight_change_nothing_whatever_their_label(shape):
    rows, labels = standardized(*shape)
    weight = np.where(np.arange(len(rows)) % 3 == 0, 0.0, 1.0)
    axes = find_axes(rows)
    unknown, wrong = np.where(weight > 0, labels, -1), np.where(weight > 0, labels, 2)
    first, second = fit(axes, unknown, 3, weight, 0.1), fit(axes, wrong, 3, weight, 0.1)
    assert (first.weights.tobytes(), first.bias.tobytes()) == (second.weights.tobytes(), second.bias.tobytes())
    alone = fit(find_axes(rows[weight > 0]), labels[weight > 0], 3, np.ones(int(weight.sum())), 0.1)
    assert first.weights == pytest.approx(alone.weights, abs=FAR_FROM_ROUNDING)


def test_a_weight_of_two_counts_as_two_rows():
    rows, labels = standardized(50, 6)
    twice = np.append(np.arange(50), np.arange(10))
    weight = np.where(np.arange(50) < 10, 2.0, 1.0)
    first = fit(find_axes(rows), labels, 3, weight, 0.1)
    second = fit(find_axes(rows[twice]), labels[twice], 3, np.ones(60), 0.1)
    assert first.weights == pytest.approx(second.weights, abs=FAR_FROM_ROUNDING)


@pytest.mark.parametrize("shape", [(60, 8), (12, 40)])
def test_the_order_of_rows_has_no_effect_but_rounding(shape):
    rows, labels = standardized(*shape)
    order = np.random.default_rng(0).permutation(len(rows))
    first = fit(find_axes(rows), labels, 3, np.ones(len(rows)), 0.03)
    second = fit(find_axes(rows[order]), labels[order], 3, np.ones(len(rows)), 0.03)
    assert first.weights == pytest.approx(second.weights, abs=FAR_FROM_ROUNDING)
    assert first.bias == pytest.approx(second.bias, abs=FAR_FROM_ROUNDING)


def test_every_form_of_the_rows_gives_the_same_solution(monkeypatch):
    rows, labels = standardized(70, 20)
    expected = fit(find_axes(rows), labels, 3, np.ones(70), 0.03)
    monkeypatch.setattr(logistic_regression, "LOOSE_AXES", 5)
    few_axes_first = find_axes(rows)
    monkeypatch.setattr(logistic_regression, "TURNED_UP_TO", 1)
    monkeypatch.setattr(logistic_regression, "BLOCK_ROWS", 7)
    in_each_pass = find_axes(rows)
    assert few_axes_first.turned is not None
    assert in_each_pass.turned is None
    for axes in (few_axes_first, in_each_pass):
        found = fit(axes, labels, 3, np.ones(70), 0.03)
        assert found.weights == pytest.approx(expected.weights, abs=FAR_FROM_ROUNDING)
        assert found.gradient <= 1e-6


def test_fewer_rows_than_columns_span_all_that_their_solution_needs():
    rows, labels = standardized(15, 40)
    axes = find_axes(rows)
    assert axes.basis.shape == (40, 15)
    assert axes.basis.T @ axes.basis == pytest.approx(np.eye(15), abs=1e-5)
    assert axes.turned @ axes.basis.T == pytest.approx(rows, abs=1e-4)
    found = fit(axes, labels, 3, np.ones(15), 0.1)
    wide = fit(find_axes(np.tile(rows, (3, 1))), np.tile(labels, 3), 3, np.full(45, 1 / 3), 0.1)
    assert found.weights == pytest.approx(wide.weights, abs=FAR_FROM_ROUNDING)


def test_the_same_rows_give_the_same_bytes():
    rows, labels = standardized(80, 12)
    first, second = (fit(find_axes(rows.copy()), labels, 3, np.ones(80), 0.03) for _ in range(2))
    assert (first.weights.tobytes(), first.bias.tobytes()) == (second.weights.tobytes(), second.bias.tobytes())


@pytest.mark.parametrize("n_logits", [1, 2, 5])
@pytest.mark.parametrize(
    "rows",
    [
        standardized(40, 5)[0],
        standardized(1, 5)[0],
        np.zeros((10, 4), np.float32),
        np.ones((10, 1), np.float32),
        np.tile(standardized(10, 4)[0][:1], (10, 1)),
    ],
    ids=["rows", "one row", "constant", "one column", "identical"],
)
def test_a_single_class_has_a_finite_solution(rows, n_logits):
    found = fit(find_axes(rows), np.ones(len(rows), int), n_logits, np.ones(len(rows)), 1e-4)
    assert found.gradient <= 1e-6
    logits = decision(rows, found.weights, found.bias)
    assert np.isfinite(logits).all()
    others = np.delete(logits, 1, axis=1) if n_logits > 1 else np.zeros((len(rows), 1))
    assert (logits[:, [1 if n_logits > 1 else 0]] > others).all()


def test_two_logits_are_one_with_half_the_penalty():
    rows, labels = standardized(60, 6)
    labels = (labels > 0).astype(int)
    two, one = fit(find_axes(rows), labels, 2, np.ones(60), 0.1), fit(find_axes(rows), labels, 1, np.ones(60), 0.05)
    assert two.weights[:, 1] - two.weights[:, 0] == pytest.approx(one.weights[:, 0], abs=FAR_FROM_ROUNDING)
    assert two.bias[1] - two.bias[0] == pytest.approx(one.bias[0], abs=FAR_FROM_ROUNDING)


def test_without_a_row_that_counts_there_is_no_fit():
    with pytest.raises(ValueError, match="at least one row"):
        fit(find_axes(standardized(5, 2)[0]), np.zeros(5, int), 1, np.zeros(5), 1.0)


@pytest.mark.parametrize(("n_logits", "noise"), [(1, 1.0), (3, 1.0), (1, 20.0)])
def test_cross_validation_scores_what_fits_to_the_other_folds_say(n_logits, noise):
    rows, labels = standardized(90, 8)
    labels = labels if n_logits == 3 else (labels > 0).astype(int)
    weight = np.where(np.arange(90) % 5 == 0, 0.0, 1 + labels)
    folds = assign_folds(np.arange(90), 3, 0)
    losses = cross_validate(find_axes(rows), np.where(weight > 0, labels, -1), n_logits, weight, folds, noise=noise)
    for l2, loss in zip(PATH, losses, strict=False):
        total = 0.0
        for fold in range(3):
            seen = fit(find_axes(rows), labels, n_logits, weight * (folds != fold), noise * l2)
            logits = decision(rows, seen.weights, seen.bias)
            logits = logits if n_logits == 3 else np.append(np.zeros_like(logits), logits, axis=1)
            held_out = weight * (folds == fold)
            total -= held_out @ log_softmax(logits, axis=1)[np.arange(90), labels]
        assert loss == pytest.approx(total / weight.sum(), rel=0.02)


@pytest.mark.parametrize(("worse", "more"), [(1.0, 1), (np.inf, 2)])
def test_the_path_ends_when_it_gets_much_worse_or_twice(worse, more, monkeypatch):
    monkeypatch.setattr(logistic_regression, "WORSE", worse)
    random = np.random.default_rng(0)
    rows = random.normal(size=(60, 30)).astype(np.float32)
    losses = cross_validate(find_axes(rows), random.integers(2, size=60), 1, np.ones(60), np.arange(60) % 3)
    assert losses.argmin() <= 1  # there is nothing to learn
    assert len(losses) == losses.argmin() + 1 + more


def test_copies_in_the_same_fold_do_not_pass_for_new_rows():
    random = np.random.default_rng(0)
    rows = np.repeat(random.normal(size=(40, 60)), 4, axis=0).astype(np.float32)
    labels, group = np.repeat(random.integers(2, size=40), 4), np.repeat(np.arange(40), 4)
    axes = find_axes(rows)
    whole = cross_validate(axes, labels, 1, np.ones(160), assign_folds(group, 4, 0))
    torn = cross_validate(axes, labels, 1, np.ones(160), np.arange(160) % 4)
    assert whole.argmin() == 0
    assert torn.argmin() > 3


@pytest.mark.parametrize("folds", [[0, 0, 0, 0], [0, 0, 2, 2]])
def test_cross_validation_needs_folds_to_leave_out(folds):
    rows, labels = standardized(4, 2)
    with pytest.raises(ValueError, match="two folds or more"):
        cross_validate(find_axes(rows), labels, 3, np.ones(4), np.array(folds))


def test_a_loss_of_next_to_nothing_is_solved_too():
    """Of separable classes 32 bits leave much: they ended .0002 of the loss above the optimum."""
    rows = np.random.default_rng(1).normal(size=(40, 1000)).astype(np.float32)
    labels, axes = (rows[:, 0] + 0.3 * rows[:, 1] > 0).astype(int), find_axes(rows)
    quick, exact = (fit(axes, labels, 1, np.ones(40), 1e-4, gain=gain) for gain in (1e-6, 0.0))
    assert quick.loss == pytest.approx(exact.loss, rel=5e-5)
