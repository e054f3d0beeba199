import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from lacuna.calibration.reliability import brier, classwise_ece, ece
from lacuna.core.scores import activate, average_precision, log_loss, ranking_metrics, roc_auc, sum_by
from lacuna.core.targets import Target
from lacuna.evaluation.metrics import class_average_precision, class_metrics, decision_metrics, top_k_accuracy

BINARY = Target("red", "binary", ("absent", "present"))
CATEGORICAL = Target("kind", "categorical", ("bag", "shoe", "hat", "belt"))


def sample(seed, n_classes, n=60, *, tied=True):
    """Labels of which some are unknown, and probabilities, many of them equal."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(n_classes), n)
    if tied:
        probabilities = np.round(probabilities, 1) + 0.05
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    return generator.integers(-1, n_classes, n), probabilities


@pytest.mark.parametrize("seed", range(5))
def test_figures_agree_with_scikit_learn(seed):
    labels, probabilities = sample(seed, 2, tied=False)
    tied = np.round(probabilities, 1)
    known = labels >= 0
    truth = labels[known]
    assert average_precision(labels, tied) == pytest.approx(
        sklearn.metrics.average_precision_score(truth, tied[known, 1])
    )
    assert roc_auc(labels, tied) == pytest.approx(sklearn.metrics.roc_auc_score(truth, tied[known, 1]))
    assert log_loss(labels, probabilities) == pytest.approx(sklearn.metrics.log_loss(truth, probabilities[known]))
    assert brier(labels, probabilities) == pytest.approx(
        sklearn.metrics.brier_score_loss(truth, probabilities[known, 1])
    )

    labels, probabilities = sample(seed, 4, tied=False)
    known = labels >= 0
    truth, chances = labels[known], probabilities[known]
    one_hot = np.eye(4)[truth]
    assert average_precision(labels, probabilities) == pytest.approx(
        sklearn.metrics.average_precision_score(one_hot, chances)
    )
    assert roc_auc(labels, probabilities) == pytest.approx(
        sklearn.metrics.roc_auc_score(truth, chances, multi_class="ovr")
    )
    assert brier(labels, probabilities) == pytest.approx(sklearn.metrics.brier_score_loss(truth, chances))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_weighted_figures_agree_with_scikit_learn(n_classes):
    labels, scores = sample(0, n_classes)
    labels, scores = labels[labels >= 0], scores[labels >= 0]
    weights = np.random.default_rng(1).integers(0, 4, (3, len(labels))).astype(float)
    decisions = np.random.default_rng(2).integers(0, n_classes, (3, len(labels)))
    decided = decision_metrics(labels, decisions, weights, n_classes)
    ranked = ranking_metrics(labels, scores, weights)
    for row, counts in enumerate(weights):
        average = "binary" if n_classes == 2 else "macro"
        precision, recall, f1, _ = sklearn.metrics.precision_recall_fscore_support(
            labels, decisions[row], sample_weight=counts, average=average, zero_division=0
        )
        assert decided["precision"][row] == pytest.approx(precision)
        assert decided["recall"][row] == pytest.approx(recall)
        assert decided["f1"][row] == pytest.approx(f1)
        assert decided["accuracy"][row] == pytest.approx(np.average(decisions[row] == labels, weights=counts))
        areas = [
            sklearn.metrics.roc_auc_score(labels == index, scores[:, index], sample_weight=counts)
            for index in ([1] if n_classes == 2 else range(4))
        ]
        assert ranked["roc_auc"][row] == pytest.approx(np.mean(areas))


def test_weights_count_as_repeated_images():
    labels, scores = sample(3, 4)
    labels, scores = labels[labels >= 0], scores[labels >= 0]
    weights = np.random.default_rng(1).integers(0, 3, len(labels))
    weighted = ranking_metrics(labels, scores, weights[None].astype(float))
    repeated = np.repeat(np.arange(len(labels)), weights)
    plain = ranking_metrics(labels[repeated], scores[repeated])
    for name, values in weighted.items():
        assert values == pytest.approx(plain[name])


@settings(derandomize=True, max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([2, 4]))
def test_unknown_cells_and_the_order_of_images_never_matter(seed, n_classes):
    labels, probabilities = sample(seed, n_classes)
    generator = np.random.default_rng(seed)
    changed = probabilities.copy()
    changed[labels < 0] = generator.dirichlet(np.ones(n_classes), (labels < 0).sum())
    order = generator.permutation(len(labels))
    for figure in (log_loss, brier, ece, classwise_ece, average_precision, roc_auc):
        expected = figure(labels, probabilities)
        assert figure(labels, changed) == expected
        assert figure(labels[order], changed[order]) == pytest.approx(expected)


def test_hand_computed_figures():
    labels = np.array([1, 0, 1, 0, -1])
    probabilities = np.array([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.9, 0.1], [0.0, 1.0]])
    assert average_precision(labels, probabilities) == pytest.approx((1 + 2 / 3) / 2)
    assert roc_auc(labels, probabilities) == pytest.approx(3 / 4)
    assert brier(labels, probabilities) == pytest.approx((0.01 + 0.64 + 0.09 + 0.01) / 4)
    assert ece(labels, probabilities) == pytest.approx((0.1 + 0.8 + 0.3 + 0.1) / 4)
    sure = np.array([[0.0, 1.0], [0.5, 0.5]])
    assert log_loss(np.array([1, 0]), sure) == pytest.approx(np.log(2) / 2)
    assert np.isfinite(log_loss(np.array([0, 0]), sure))


def test_what_the_labels_do_not_define_is_none():
    probabilities = np.full((3, 2), 0.5)
    unknown, one_class = np.full(3, -1), np.ones(3, dtype=int)
    for figure in (brier, ece, classwise_ece, average_precision, roc_auc):
        assert figure(unknown, probabilities) is None
    with pytest.raises(ValueError, match="at least one known"):
        log_loss(unknown, probabilities)
    assert average_precision(one_class, probabilities) is None
    assert roc_auc(one_class, probabilities) is None
    never = decision_metrics(one_class, np.zeros(3, dtype=int), np.ones((1, 3)), 2)
    assert np.isnan(never["precision"][0])
    assert never["f1"][0] == 0


def test_classes_that_do_not_occur_are_left_out_of_means():
    labels, scores = np.array([0, 0, 1, 1]), np.array([[0.9, 0, 0.1], [0.8, 0.2, 0], [0, 1, 0], [0.7, 0.3, 0]])
    assert roc_auc(labels, scores) == 1.0
    figures = decision_metrics(labels, scores.argmax(axis=1), np.ones((1, 4)), 3)
    assert figures["recall"][0] == pytest.approx((1 + 1 / 2) / 2)


def test_activate_is_stable_and_right():
    extreme = np.array([[1000.0], [-1000.0], [0.0]], np.float32)
    assert activate(BINARY, extreme).tolist() == [[0, 1], [1, 0], [0.5, 0.5]]
    probabilities = activate(CATEGORICAL, np.array([[1000.0, 0, 0, 1000.0], [0, 0, 0, np.log(3)]], np.float32))
    assert probabilities == pytest.approx(np.array([[0.5, 0, 0, 0.5], [1 / 6, 1 / 6, 1 / 6, 0.5]]))


def test_class_wise_calibration_sees_what_the_likeliest_class_hides():
    """Each image states 0.6 for the true class, but always the same other class second."""
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 1, 2, 2])
    probabilities = np.array([[0.6, 0.3, 0.1]] * 10)
    gaps = [0.6 - 0.5, 0.3 - 0.3, 0.2 - 0.1]
    assert classwise_ece(labels, probabilities) == pytest.approx(sum(gaps) / 3)
    mixed = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])  # bins apart: 0.1 and 0.2, 0.1 and 0.2, none
    assert classwise_ece(np.array([0, 1]), mixed) == pytest.approx((0.15 + 0.15 + 0) / 3)
    assert classwise_ece(np.array([0, 1, -1]), np.vstack([mixed, [0, 0, 1]])) == pytest.approx(0.1)


def test_top_k_counts_ranks_with_the_images_weights():
    ranks = np.array([[0, 1, 2, 3], [3, 3, 0, 0]])
    weights = np.array([[1.0, 1, 1, 1], [2, 0, 1, 1]])
    assert top_k_accuracy(ranks, weights, 2).tolist() == [0.5, 0.5]
    assert top_k_accuracy(ranks, weights, 3).tolist() == [0.75, 0.5]
    assert np.isnan(top_k_accuracy(np.zeros((1, 0)), np.zeros((1, 0)), 3)[0])


@pytest.mark.parametrize("n_classes", [2, 4])
def test_figures_of_classes_agree_with_scikit_learn(n_classes):
    labels, scores = sample(0, n_classes)
    labels, scores = labels[labels >= 0], scores[labels >= 0]
    weights = np.random.default_rng(1).integers(0, 4, (2, len(labels))).astype(float)
    decisions = np.random.default_rng(2).integers(0, n_classes, (2, len(labels)))
    figures = class_metrics(labels, decisions, weights, n_classes)
    for row, counts in enumerate(weights):
        precision, recall, f1, support = sklearn.metrics.precision_recall_fscore_support(
            labels, decisions[row], sample_weight=counts, labels=range(n_classes), zero_division=np.nan
        )
        for name, expected in (("precision", precision), ("recall", recall), ("f1", f1), ("actual", support)):
            assert figures[name][row] == pytest.approx(expected, nan_ok=True)
    averages = class_average_precision(labels, scores, np.ones((1, len(labels))))
    for index in range(n_classes):
        expected = sklearn.metrics.average_precision_score(labels == index, scores[:, index])
        assert averages[index] == pytest.approx(expected)


@pytest.mark.parametrize(("replicates", "n"), [(0, 4), (3, 0), (5, 7), (9, 6_000), (2, 50_000)])
def test_weights_are_summed_by_place(replicates, n):
    generator = np.random.default_rng(0)
    weights = generator.integers(0, 5, (replicates, n)).astype(float)
    together, apart = generator.integers(0, 4, n), generator.integers(0, 4, weights.shape)
    for place in (together, apart, together[None]):
        expected = [(weights * (place == one)).sum(axis=1) for one in range(5)]  # no image is at the last place
        assert (sum_by(place, weights, 5) == np.transpose(expected)).all()
