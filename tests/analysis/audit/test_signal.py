"""The statistics behind the verdicts, held against simulations."""

import numpy as np
import pytest
from scipy.stats import binomtest

from lacuna.analysis.audit.signal import (
    adjust,
    eligible_classes,
    permutations_for,
    run_probe,
    sample_groups,
    verdict_of,
)
from lacuna.presentation.audit_verdicts import SignalVerdict
from tests.simulated_labels import AUDIT, simulate

SEEDS = 200


def probe(seed, permutations=199, **changes):
    features, labels, group = simulate(seed, **changes)
    return run_probe(features, labels, group, 2, permutations, 0.95, AUDIT)


@pytest.fixture(scope="module")
def noise():
    return [probe(seed, permutations=99, n=60, copies=30, dimensions=5) for seed in range(SEEDS)]


def test_noise_with_copies_is_called_learnable_no_more_often_than_alpha_allows(noise):
    learnable = sum(verdict_of(one, one.p, AUDIT.alpha) == SignalVerdict.LEARNABLE for one in noise)
    shown = sum(verdict_of(one, one.p, AUDIT.alpha) != SignalVerdict.NO_SIGNAL for one in noise)
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
        verdicts.append(verdict_of(one, one.p, AUDIT.alpha))
    assert verdicts.count(SignalVerdict.LEARNABLE) >= 19


def test_faint_but_sure_signal_is_weak():
    one = probe(0, signal=0.5, n=800, copies=100)
    assert 0.5 < one.low < 0.6
    assert verdict_of(one, one.p, AUDIT.alpha) == SignalVerdict.WEAK
    assert verdict_of(one, 0.02, AUDIT.alpha) == SignalVerdict.NO_SIGNAL


def test_too_few_labels_give_no_verdict_and_no_figure():
    features, labels, group = simulate(0)
    labels[np.flatnonzero(labels == 1)[9:]] = -1
    one = run_probe(features, labels, group, 2, 99, 0.95, AUDIT)
    assert verdict_of(one, one.p, AUDIT.alpha) == SignalVerdict.TOO_FEW
    assert np.isnan(one.auc)


def test_copies_do_not_make_a_class_large_enough():
    group = np.array([0] * 30 + list(range(1, 40)))
    labels = np.array([1] * 30 + [1] * 8 + [0] * 31)
    assert eligible_classes(labels, group, 2) == ((), {1: 9})
    assert eligible_classes(np.where(labels == 1, 2, np.arange(69) % 2), group, 3) == ((0, 1), {2: 9})


def test_unknown_labels_take_no_part():
    features, labels, group = simulate(0, signal=1)
    whole = run_probe(features, labels, group, 2, 99, 0.95, AUDIT)
    known = labels >= 0
    alone = run_probe(features[known], labels[known], group[known], 2, 99, 0.95, AUDIT)
    assert (whole.auc, whole.low, whole.high, whole.p) == (alone.auc, alone.low, alone.high, alone.p)
    assert whole.known.tolist() == known.tolist()


def test_the_smallest_p_is_well_below_alpha_for_any_number_of_targets():
    assert permutations_for(AUDIT) == AUDIT.permutations == 199
    assert permutations_for(AUDIT.model_copy(update={"alpha": 0.001})) == 1999
    results = [probe(seed, signal=3.0 if seed == 7 else 0.0, n=60, copies=0, dimensions=4) for seed in range(60)]
    adjusted = adjust(results)
    assert adjusted[7] == results[7].p == 1 / 200
    assert [place for place, p in enumerate(adjusted) if p <= AUDIT.alpha] == [7]
    assert min(result.p for place, result in enumerate(results) if place != 7) < 0.05


def test_targets_with_too_few_labels_take_no_part_in_the_correction():
    few = run_probe(*simulate(0, n=8, copies=0), 2, 199, 0.95, AUDIT)
    seen = probe(0, signal=3.0)
    assert not few.enough
    assert adjust([few, seen, few]) == [1.0, 1 / 200, 1.0]
    assert adjust([few]) == [1.0]


def test_large_data_sets_are_sampled_by_whole_groups():
    _, _, group = simulate(0, n=300, copies=200)
    chosen = sample_groups(group, 100, 0)
    assert len(np.unique(group[chosen])) == 100
    assert not set(group[chosen]) & set(group[~chosen])
    features, labels, group = simulate(0, n=300, copies=200, signal=2)
    few = AUDIT.model_copy(update={"max_groups": 100})
    sampled = run_probe(features, labels, group, 2, 99, 0.95, few)
    assert sampled.p == 0.01
    assert sampled.auc == run_probe(features, labels, group, 2, 0, 0.95, AUDIT).auc
