"""Bags of groups: what is in them, how replicates are pooled, and intervals like those of drawing from all groups."""

import numpy as np
import pytest

from lacuna.calibration.cross_fit import cross_fit
from lacuna.calibration.fit import fit_calibration
from lacuna.calibration.prevalence import estimate_population
from lacuna.core.predictions import Predictions
from lacuna.evaluation.comparison import metric_replicates
from lacuna.evaluation.scoring import score_test, score_validation
from lacuna.stats import bags
from lacuna.stats.bags import make_bags, pool, without_own
from tests.simulated_predictions import CALIBRATE, EVALUATE, TARGETS, simulate

ROUNDS = 200
SETTINGS = EVALUATE.model_copy(update={"bootstrap": ROUNDS})


@pytest.fixture
def small_bags(monkeypatch):
    monkeypatch.setattr(bags, "BAG_GROUPS", 400)
    monkeypatch.setattr(bags, "FEWEST_MEMBERS", 30)


def test_few_groups_are_drawn_from_as_a_whole(small_bags):
    assert make_bags(np.arange(799), np.zeros((799, 1), np.int16), 50, 0) == []
    assert len(make_bags(np.arange(800), np.zeros((800, 1), np.int16), 50, 0)) == 2


def test_a_bag_holds_whole_groups_and_stands_for_all(small_bags):
    generator = np.random.default_rng(3)
    group = generator.integers(0, 3000, 5000)
    labels = np.stack([(generator.random(5000) < 0.02), generator.integers(-1, 2, 5000)], axis=1).astype(np.int16)
    labels[:7, 0] = 2  # a class of seven images
    n_groups, found = len(np.unique(group)), make_bags(group, labels, 63, 5)
    assert [bag.replicates for bag in found] == [11, 11, 11, 10, 10, 10]
    for bag in found:
        inside = np.isin(group, group[bag.rows])
        assert (np.flatnonzero(inside) == bag.rows).all()
        assert len(np.unique(bag.member)) == len(bag.stands_for) < 700
        assert (labels[bag.rows, 0] == 2).sum() == 7
        assert (labels[bag.rows, 0] == 1).sum() > 15
        assert bag.stands_for.sum() == pytest.approx(n_groups, rel=0.15)
        own, *replicates = np.concatenate(list(bag.weights(4)))
        of_group = np.bincount(bag.member, own) / np.bincount(bag.member)
        assert of_group.sum() == pytest.approx(n_groups)
        assert of_group == pytest.approx(bag.stands_for * n_groups / bag.stands_for.sum())
        assert len(replicates) == bag.replicates
        drawn = np.array([np.bincount(bag.member, row) / np.bincount(bag.member) for row in replicates])
        assert (drawn.sum(axis=1) == n_groups).all()
        assert np.array_equal(np.concatenate(list(bag.weights(1))), np.concatenate([own[None], replicates]))
    assert found[0].rows.tolist() != found[1].rows.tolist()


def test_replicates_are_laid_around_the_sample_by_hand(small_bags):
    first, second = make_bags(np.arange(800), np.zeros((800, 1), np.int16), 4, 0)
    values = np.array([0.9, 0.5, 0.4, 0.7, 0.8, 0.9, 0.6])  # the sample; a bag and its replicates; another
    assert pool(values, (first, second)) == pytest.approx([0.9, 0.8, 1.1, 1.0, 0.7])
    assert pool(values, (first, second), 0, 1) == pytest.approx([0.9, 0.8, 1.0, 1.0, 0.7])
    assert without_own(values, (first, second)).tolist() == [0.9, 0.4, 0.7, 0.9, 0.6]
    assert pool(values, ()) is values


def test_the_scatter_of_a_mean_is_that_of_all_groups(small_bags):
    """Of one in a hundred present: its share varies by sqrt(p (1 - p) / n), which no bag of 400 says by itself."""
    n = 12_000
    present = (np.arange(n) % 100 == 0).astype(np.int16)[:, None]
    found = make_bags(np.arange(n), present, 600, 1)
    values = [present.mean(axis=0)]
    for bag in found:
        weights = np.concatenate(list(bag.weights(100)))
        values.append(weights @ present[bag.rows, 0] / weights.sum(axis=1))
    scatter = pool(np.concatenate(values), found)[1:].std()
    assert scatter == pytest.approx(np.sqrt(0.01 * 0.99 / n), rel=0.12)


@pytest.mark.slow
def test_every_figures_interval_is_about_that_without_bags(small_bags, monkeypatch):
    validation, test = (whole_groups(2400, seed) for seed in (0, 1))
    priors = [np.full(target.n_classes, 1 / target.n_classes) for target in TARGETS]

    def figures():
        population = estimate_population(cross_fit(TARGETS, validation, CALIBRATE), SETTINGS)
        calibration = fit_calibration(TARGETS, validation, CALIBRATE, SETTINGS, (), population)
        parts = (
            score_validation(TARGETS, validation, priors, CALIBRATE, SETTINGS, (), population),
            score_test(TARGETS, validation, test, calibration, priors, CALIBRATE, SETTINGS, population),
        )
        compared = metric_replicates(TARGETS, validation, CALIBRATE, SETTINGS, (), population)
        found = {
            (part, of.target.name, name): of.metrics[name]
            for part, scored in enumerate(parts)
            for of in scored
            for name in ("f1", "recall", "accuracy", "average_precision", "roc_auc", "gain")
        }
        found |= {("loss", name): values["log_loss"] for name, values in compared.targets.items()}
        found |= {("share", i): one.priors.every[:, -1] for i, one in enumerate(population.prevalences)}
        thresholds = {
            name: (one.threshold_low, one.threshold, one.threshold_high)
            for name, one in calibration.targets.items()
            if one.kind == "binary"
        }
        return found, thresholds, [one.selected_p for one in population.prevalences]

    in_bags, thresholds, selected = figures()
    monkeypatch.setattr(bags, "BAG_GROUPS", 10_000)
    whole, whole_thresholds, whole_selected = figures()
    ratios = []
    for key, values in whole.items():
        assert values.shape == in_bags[key].shape == (1 + ROUNDS,)
        assert in_bags[key][0] == pytest.approx(values[0])
        ratios.append(in_bags[key][1:].std() / values[1:].std())
        assert abs(in_bags[key][1:].mean() - values[1:].mean()) < 0.4 * values[1:].std(), key
    assert np.median(ratios) == pytest.approx(1, abs=0.06)
    assert 0.75 < min(ratios) < max(ratios) < 1.35
    for name, (low, chosen, high) in whole_thresholds.items():
        assert thresholds[name][1] == chosen
        assert thresholds[name][2] - thresholds[name][0] == pytest.approx(high - low, rel=0.35)
    assert selected == whole_selected


def whole_groups(n, seed):
    """Simulated predictions, a sixth of the images a copy of another one."""
    found = simulate(n, signal=2, seed=seed)
    copied = np.concatenate([np.arange(n), np.arange(0, n, 6)])
    taken = found.take(copied)
    names = np.array([f"{number}.png" for number in range(len(copied))])
    return Predictions(taken.logits, taken.labels, names, found.group[copied])
