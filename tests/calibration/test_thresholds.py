import itertools
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lacuna.calibration.thresholds import IMAGE_RULES, PARAMETER_RULES, choose_threshold
from lacuna.config.types import Rule
from lacuna.errors import LacunaError
from tests.simulated_predictions import CALIBRATE

DATA_RULES = list(IMAGE_RULES)


def test_params_offer_the_rules_that_there_are():
    assert set(get_args(Rule)) == {*IMAGE_RULES, *PARAMETER_RULES}
    assert not set(IMAGE_RULES) & set(PARAMETER_RULES)


def test_a_rule_that_is_in_no_table_is_not_taken_for_another():
    with pytest.raises(LacunaError, match=r"no rule 'min_specificity'; expected one of expected_f1, .*, fixed"):
        choose("min_specificity", [0.9, 0.1], [1, 0])


def choose(rule, probabilities, labels, weights=None, **changes):
    probabilities, labels = np.array(probabilities, float), np.array(labels)
    weights = np.ones((1, len(labels))) if weights is None else np.array(weights, float)
    replicates = np.repeat(probabilities[None], len(weights), axis=0)
    return choose_threshold(rule, CALIBRATE.model_copy(update=changes), replicates, labels, weights)


SCORES = [0.9, 0.8, 0.6, 0.4, 0.1]


@pytest.mark.parametrize(
    ("rule", "changes", "expected"),
    [
        ("pr_argmax", {}, 0.05),  # F1 of the k highest: .5, .4, .667, .571, .75
        ("min_recall", {"min_recall": 0.9}, 0.05),  # the last positive scores 0.1
        ("min_recall", {"min_recall": 0.6}, 0.5),
        ("min_precision", {"min_precision": 0.9}, 0.85),
        ("min_precision", {"min_precision": 0.6}, 0.05),  # 3 of 5 at the lowest threshold
        ("cost", {"cost_false_positive": 1.0, "cost_false_negative": 3.0}, 0.25),
        ("fixed", {"threshold": 0.37}, 0.37),
    ],
)
def test_hand_computed_thresholds(rule, changes, expected):
    labels = [1, 0, 1, 0, 1]
    threshold, met = choose(rule, SCORES, labels, **changes)
    assert threshold[0] == pytest.approx(expected)
    assert met[0]


def test_expected_f1_by_hand():
    # 2 * (sum of the k highest) / (k + 2.8): .474, .708, .793, .794, .718
    assert choose("expected_f1", SCORES, [1, 0, 1, 0, 1])[0][0] == pytest.approx((0.4 + 0.1) / 2)


def test_expected_f1_is_the_best_in_expectation():
    """Against the mean F1 over all label assignments, weighted by their probability."""
    probabilities = np.array([0.95, 0.7, 0.55, 0.35, 0.2, 0.1, 0.05])
    assignments = np.array(list(itertools.product([0, 1], repeat=7)))
    chances = np.where(assignments, probabilities, 1 - probabilities).prod(axis=1)
    expected = [
        (chances * 2 * assignments[:, :k].sum(axis=1) / (k + assignments.sum(axis=1))).sum() for k in range(1, 8)
    ]
    threshold = choose("expected_f1", probabilities, np.zeros(7, int))[0][0]
    assert (probabilities >= threshold).sum() == np.argmax(expected) + 1


def test_an_unreachable_precision_takes_the_most_precise_threshold_and_says_so():
    threshold, met = choose("min_precision", [0.9, 0.8, 0.7, 0.2], [0, 1, 1, 0], min_precision=0.9)
    assert threshold[0] == pytest.approx(0.45)
    assert not met[0]


@pytest.mark.parametrize("rule", DATA_RULES)
def test_without_labels_the_threshold_is_a_half(rule):
    threshold, met = choose(rule, [], [], weights=np.ones((2, 0)))
    assert threshold.tolist() == [0.5, 0.5]
    assert not met.any()


@settings(derandomize=True, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from([0.05, 0.2, 0.3, 0.5, 0.51, 0.9]), st.booleans()), min_size=1, max_size=12),
    st.sampled_from(DATA_RULES),
)
def test_thresholds_lie_midway_between_neighbouring_scores(cases, rule):
    scores, labels = np.array([case[0] for case in cases]), np.array([int(case[1]) for case in cases])
    threshold = choose(rule, scores, labels)[0][0]
    above, below = scores[scores >= threshold], scores[scores < threshold]
    assert len(above) > 0
    assert threshold == pytest.approx((above.min() + (below.max() if len(below) else 0)) / 2)


@settings(derandomize=True, max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from(DATA_RULES))
def test_a_weight_counts_as_repeated_images(seed, rule):
    generator = np.random.default_rng(seed)
    scores, labels = generator.random(20).round(1) + 0.05, generator.integers(0, 2, 20)
    weights = generator.integers(0, 3, 20)
    repeated = np.repeat(np.arange(20), weights)
    weighted = choose(rule, scores, labels, weights=weights[None])
    alone = choose(rule, scores[repeated], labels[repeated])
    assert weighted[0][0] == pytest.approx(alone[0][0])
    assert weighted[1][0] == alone[1][0]
