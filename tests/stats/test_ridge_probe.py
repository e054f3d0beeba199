import numpy as np
import pytest
from sklearn.linear_model import Ridge

from lacuna.stats.permutation import permutation_p, permute_groups
from lacuna.stats.ridge_probe import PENALTY, Probe, random_folds, ridge_weights
from tests.simulated_labels import simulate


def test_scores_are_those_of_a_ridge_regression_that_has_not_seen_the_fold():
    features, labels, group = simulate(0, signal=1, known=1)
    folds = random_folds(group, 0)
    scores = Probe(features, folds).scores(labels, [1])[:, 0]
    for fold in range(5):
        train, test = folds != fold, folds == fold
        centred = features[train] - features[train].mean(axis=0)
        model = Ridge(alpha=PENALTY * (centred**2).sum() / centred.shape[1]).fit(features[train], labels[train])
        assert scores[test] == pytest.approx(model.predict(features[test]) - labels[train].mean())


def test_folds_keep_groups_whole():
    _, _, group = simulate(0)
    folds = random_folds(group, 3)
    assert all(len(set(folds[group == name])) == 1 for name in group)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_correlations_of_many_labellings_at_once_are_those_of_their_scores(n_classes):
    features, _, group = simulate(1)
    folds = random_folds(group, 0)
    probe = Probe(features, folds)
    many = np.random.default_rng(0).integers(0, n_classes, (6, len(group)))
    classes = list(range(n_classes - 1))  # the last class is only one of the others
    expected = []
    for labels in many:
        scores = probe.scores(labels, classes)
        found = [
            np.corrcoef(scores[folds == fold, column], labels[folds == fold] == index)[0, 1]
            for fold in range(5)
            for column, index in enumerate(classes)
        ]
        expected.append(np.mean(found))
    assert probe.correlations(many, classes) == pytest.approx(np.array(expected))


def test_a_fold_without_members_counts_as_no_correlation():
    features, _, group = simulate(1)
    folds = random_folds(group, 0)
    labels = (folds == 0).astype(int)[None]
    assert np.isfinite(Probe(features, folds).correlations(labels, [1])).all()


def test_weights_of_all_images_recover_a_line_less_what_the_penalty_takes():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(400, 3))
    weights, mean = ridge_weights(features, features[:, :1] * 2 + 5)
    assert mean == pytest.approx(features.mean(axis=0))
    assert weights[0] == pytest.approx([2 / (1 + PENALTY), 0, 0], abs=0.05)


def test_groups_swap_all_their_labels_with_groups_of_their_size():
    group = np.repeat(np.arange(60), [1] * 30 + [2] * 30)
    labels = np.arange(len(group))
    seen = set()
    for permuted in permute_groups(labels, group, 50, seed=0, chunk=20):
        assert (np.sort(permuted, axis=1) == labels).all()
        pairs = permuted[:, 30:].reshape(len(permuted), 30, 2)
        assert (pairs[..., 1] == pairs[..., 0] + 1).all()
        assert (permuted[:, :30] < 30).all()
        seen |= {tuple(row) for row in permuted.tolist()}
    assert len(seen) == 50


def test_groups_of_a_rare_size_swap_with_smaller_ones():
    group = np.repeat(np.arange(41), [1] * 40 + [3])
    labels = np.arange(len(group))
    drawn = np.concatenate(list(permute_groups(labels, group, 60, seed=0, chunk=60)))
    alone = drawn[:, 40] == drawn[:, 41]
    assert alone.any()  # a single image's label, for all three
    assert ((drawn[:, :40] <= 40).all(axis=1)).all()  # of three labels the first


def test_p_counts_the_labellings_that_reach_the_given_one():
    features, labels, group = simulate(2, signal=3, known=1)
    probe = Probe(features, random_folds(group, 0))
    assert permutation_p(probe, labels, group, [1], 99, 0) == 1 / 100
    assert permutation_p(probe, labels, group, [1], 99, 0) == permutation_p(probe, labels, group, [1], 99, 0)
