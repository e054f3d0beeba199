"""The statistics behind the verdicts, held against simulations."""

import numpy as np
import pytest
from scipy.stats import binomtest

from lacuna.analysis.audit.signal import (
    LEARNABLE,
    NO_SIGNAL,
    TOO_FEW,
    WEAK,
    eligible_classes,
    judge,
    measure,
    permutations_for,
    sample_groups,
)
from tests.simulated_labels import AUDIT, simulate

SEEDS = 200


def probe(seed, permutations=199, **changes):
    features, labels, group = simulate(seed, **changes)
    return measure(features, labels, group, 2, permutations, 0.95, AUDIT)


@pytest.fixture(scope="module")
def noise():
    return [probe(seed, permutations=99, n=60, copies=30, dimensions=5) for seed in range(SEEDS)]


def test_noise_with_copies_is_called_learnable_no_more_often_than_alpha_allows(noise):
    learnable = sum(judge(one, one.p, AUDIT.alpha) == LEARNABLE for one in noise)
    shown = sum(judge(one, one.p, AUDIT.alpha) != NO_SIGNAL for one in noise)
    assert binomtest(learnable, SEEDS, AUDIT.alpha, "greater").pvalue > 0.01
    assert binomtest(shown, SEEDS, AUDIT.alpha, "greater").pvalue > 0.01


@pytest.mark.parametrize("level", [0.05, 0.1, 0.25, 0.5])
def test_p_of_noise_is_uniform(noise, level):
    below = sum(one.p <= level for one in noise)
    assert binomtest(below, SEEDS, level).pvalue > 0.01


def test_planted_signal_is_found():
    verdicts = []
    for seed in range(20):
        one = probe(seed, signal=2.5, n=150)
        verdicts.append(judge(one, one.p, AUDIT.alpha))
    assert verdicts.count(LEARNABLE) >= 19


def test_faint_but_sure_signal_is_weak():
    one = probe(0, signal=0.5, n=800, copies=100)
    assert 0.5 < one.low < 0.6
    assert judge(one, one.p, AUDIT.alpha) == WEAK
    assert judge(one, 0.02, AUDIT.alpha) == NO_SIGNAL


def test_too_few_labels_give_no_verdict_and_no_figure():
    features, labels, group = simulate(0)
    labels[np.flatnonzero(labels == 1)[9:]] = -1
    one = measure(features, labels, group, 2, 99, 0.95, AUDIT)
    assert judge(one, one.p, AUDIT.alpha) == TOO_FEW
    assert np.isnan(one.auc)


def test_copies_do_not_make_a_class_large_enough():
    group = np.array([0] * 30 + list(range(1, 40)))
    labels = np.array([1] * 30 + [1] * 8 + [0] * 31)
    assert eligible_classes(labels, group, 2) == ((), {1: 9})
    assert eligible_classes(np.where(labels == 1, 2, np.arange(69) % 2), group, 3) == ((0, 1), {2: 9})


def test_unknown_labels_take_no_part():
    features, labels, group = simulate(0, signal=1)
    whole = measure(features, labels, group, 2, 99, 0.95, AUDIT)
    known = labels >= 0
    alone = measure(features[known], labels[known], group[known], 2, 99, 0.95, AUDIT)
    assert (whole.auc, whole.low, whole.high, whole.p) == (alone.auc, alone.low, alone.high, alone.p)
    assert whole.known.tolist() == known.tolist()


def test_many_targets_get_enough_permutations_for_holm():
    assert permutations_for(3, AUDIT) == 599
    one_of_40 = permutations_for(40, AUDIT)
    assert 40 / (one_of_40 + 1) <= AUDIT.alpha / 2


def test_large_data_sets_are_sampled_by_whole_groups():
    _, _, group = simulate(0, n=300, copies=200)
    chosen = sample_groups(group, 100, 0)
    assert len(np.unique(group[chosen])) == 100
    assert not set(group[chosen]) & set(group[~chosen])
    features, labels, group = simulate(0, n=300, copies=200, signal=2)
    few = AUDIT.model_copy(update={"max_groups": 100})
    sampled = measure(features, labels, group, 2, 99, 0.95, few)
    assert sampled.p == 0.01
    assert sampled.auc == measure(features, labels, group, 2, 0, 0.95, AUDIT).auc
