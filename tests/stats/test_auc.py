import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lacuna.stats.auc import auc_interval, fold_auc


def test_by_hand():
    labels, scores = np.array([1, 1, 0, 0]), np.array([[0.9], [0.4], [0.4], [0.1]])
    auc, pulls = fold_auc(labels, scores, np.zeros(4, dtype=np.intp), [1])
    assert auc == 3.5 / 4
    assert pulls == pytest.approx(np.array([0.125, -0.125, -0.125, 0.125]) / 2)


def test_folds_and_classes_are_averaged_and_not_compared():
    generator = np.random.default_rng(0)
    labels, folds = generator.integers(0, 3, 200), generator.integers(0, 4, 200)
    scores = generator.normal(size=(200, 2)) + 100 * folds[:, None] + np.eye(3)[labels][:, :2]
    expected = np.mean(
        [
            roc_auc_score(labels[folds == fold] == index, scores[folds == fold, index])
            for fold in range(4)
            for index in range(2)
        ]
    )
    assert fold_auc(labels, scores, folds, [0, 1])[0] == pytest.approx(expected)


def test_nothing_to_rank_is_undefined():
    auc, pulls = fold_auc(np.zeros(5, dtype=int), np.zeros((5, 1)), np.zeros(5, dtype=np.intp), [1])
    assert np.isnan(auc)
    assert not pulls.any()


def test_intervals_hold_the_true_auc_although_images_have_copies():
    held = []
    for seed in range(300):
        generator = np.random.default_rng(seed)
        group = np.concatenate([np.arange(80), generator.integers(0, 80, 60)])
        labels = (generator.random(80) < 0.4).astype(int)[group]
        scores = (generator.normal(size=80) + labels[:80])[group][:, None]  # true AUC: P(N(1, 2) > 0)
        auc, pulls = fold_auc(labels, scores, np.zeros(140, dtype=np.intp), [1])
        low, high = auc_interval(auc, pulls, group, 30, 0.95)
        held.append(low <= 0.7602 <= high)
    assert 0.92 <= np.mean(held) <= 0.98


def test_a_perfect_ranking_is_not_called_certain():
    labels = np.array([0] * 10 + [1] * 10)
    auc, pulls = fold_auc(labels, np.arange(20.0)[:, None], np.zeros(20, dtype=np.intp), [1])
    low, high = auc_interval(auc, pulls, np.arange(20), 10, 0.95)
    assert (auc, high) == (1, 1)
    assert low == pytest.approx(0.692, abs=1e-3)
