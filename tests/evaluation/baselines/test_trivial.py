import numpy as np
import pytest
import sklearn.metrics

from lacuna.evaluation.baselines.trivial import training_prior, trivial_metrics, trivial_ranks


def test_binary_baseline_is_always_present_in_a_random_order():
    labels = np.array([1, 0, 0, 0])
    metrics = trivial_metrics(np.array([[3.0, 1.0]]), np.array([0.7, 0.3]))
    assert metrics["f1"][0] == pytest.approx(sklearn.metrics.f1_score(labels, np.ones(4)))
    assert metrics["precision"][0] == metrics["average_precision"][0] == 0.25
    assert metrics["accuracy"][0] == 0.75
    assert metrics["roc_auc"][0] == 0.5


def test_categorical_baseline_is_the_better_of_the_commonest_class_and_guessing():
    generator = np.random.default_rng(0)
    prior = np.array([0.5, 0.3, 0.2])
    labels = generator.choice(3, 30_000, p=prior)
    metrics = trivial_metrics(np.bincount(labels)[None], prior)
    guesses = generator.choice(3, len(labels), p=prior)
    guessed = sklearn.metrics.f1_score(labels, guesses, average="macro")
    commonest = sklearn.metrics.f1_score(labels, np.zeros_like(labels), average="macro")
    assert guessed > commonest
    assert metrics["f1"][0] == pytest.approx(guessed, abs=0.01)
    assert metrics["average_precision"][0] == pytest.approx(1 / 3, abs=0.01)
    weighted = sklearn.metrics.f1_score(labels, guesses, average="weighted")
    assert metrics["weighted_f1"][0] == pytest.approx(weighted, abs=0.01)

    labels = np.array([0] * 9 + [1])
    metrics = trivial_metrics(np.bincount(labels, minlength=3)[None], np.array([0.4, 0.0, 0.6]))
    assert metrics["accuracy"][0] == 0
    metrics = trivial_metrics(np.bincount(labels, minlength=3)[None], np.array([0.9, 0.01, 0.09]))
    assert metrics["f1"][0] == pytest.approx(sklearn.metrics.f1_score(labels, np.zeros(10), average="macro"), abs=0.02)


def test_baselines_are_resampled_with_the_images():
    metrics = trivial_metrics(np.array([[3.0, 1], [1, 3], [4, 0]]), np.array([0.7, 0.3]))
    assert metrics["f1"][:2] == pytest.approx([0.4, 6 / 7])
    assert np.isnan(metrics["f1"][2])


def test_no_class_is_impossible_in_training():
    assert training_prior([8, 0]) == pytest.approx([0.9, 0.1])


def test_ranks_follow_the_commonest_classes_of_training():
    prior = np.array([0.2, 0.5, 0.1, 0.2])
    assert trivial_ranks(np.array([0, 1, 2, 3]), prior).tolist() == [1, 0, 3, 2]
