import numpy as np

from lacuna.core.groups import assign_folds
from lacuna.stats.bootstrap import group_weights, interval


def weights(group, replicates=50, seed=0, chunk=7):
    return np.concatenate(list(group_weights(np.array(group), replicates, seed, chunk)))


def test_a_groups_images_are_drawn_together_and_as_many_groups_as_there_are():
    drawn = weights([4, 4, 9, 7, 7, 7])
    assert drawn.shape == (50, 6)
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert (drawn[:, 3] == drawn[:, 5]).all()
    assert (drawn[:, [0, 2, 3]].sum(axis=1) == 3).all()
    assert drawn.std() > 0


def test_draws_depend_on_the_seed_only():
    group = np.arange(20)
    assert (weights(group, chunk=7) == weights(group, chunk=50)).all()
    assert (weights(group) != weights(group, seed=1)).any()


def test_folds_keep_groups_whole_and_are_even():
    group = np.repeat(np.arange(50), 3)
    folds = assign_folds(group, 5, 0)
    assert (folds.reshape(50, 3) == folds[::3, None]).all()
    assert np.bincount(folds).tolist() == [30] * 5


def test_interval_ignores_undefined_replicates_unless_they_are_most():
    samples = np.array([np.nan, 1.0, 2.0, 3.0])
    assert interval(samples, 0.5) == (1.5, 2.5)
    assert interval(np.array([np.nan, np.nan, 1.0]), 0.5) is None


def test_one_group_says_nothing_of_others():
    assert list(group_weights(np.zeros(50, np.int64), 200, 0, 100)) == []
    assert len(list(group_weights(np.repeat([0, 1], 25), 200, 0, 100))) == 2
