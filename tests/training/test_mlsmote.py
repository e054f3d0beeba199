import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.training.batches import FeatureBatches, ResampledBatches
from lacuna.training.mlsmote import Synthetic, imbalance_ratios, mlsmote, resampled_statistics
from lacuna.training.statistics import TargetStatistics

KIND = Target("kind", "categorical", ("bag", "shoe", "hat"))
RED = Target("red", "binary", ("absent", "present"))
OLD = Target("old", "binary", ("absent", "present"))
TARGETS = Targets((KIND, RED, OLD))


def resample(features, labels, targets, seed):
    """MLSMOTE of images that stand in the store in another order, with others between them."""
    rows = np.arange(len(features))[::-1] * 2
    store = np.full((2 * len(features), features.shape[1]), np.nan, np.float32)
    store[rows] = features
    return mlsmote(store, rows, labels, targets, seed)


@pytest.fixture
def planted():
    """40 images; red is rare and holds two far clusters of 4, old is common. Features (40, 2), labels (40, 3)."""
    random = np.random.default_rng(0)
    features = random.normal(size=(40, 2)).astype(np.float32)
    features[:4] += 100
    features[4:8] -= 100
    labels = np.zeros((40, 3), np.int16)
    labels[:8, 1] = 1
    labels[:4, 0], labels[4:8, 0] = 1, 2
    labels[:, 2] = np.arange(40) % 2
    return features, labels


def test_only_the_rarer_label_of_a_scarce_target_seeds_new_images(planted):
    features, labels = planted
    assert imbalance_ratios(labels, TARGETS) == {1: 4.0, 2: 1.0}
    made = resample(features, labels, TARGETS, seed=0)
    assert sorted(made.seed) == list(range(8))
    assert (made.labels[:, 1] == 1).all()
    assert set(made.neighbour) <= set(range(8))
    assert (made.seed != made.neighbour).all()
    assert ((made.share >= 0) & (made.share < 1)).all()


def test_neighbours_are_near(planted):
    features, labels = planted
    features[8:12] += 100
    features[12:16] -= 100
    labels[8:16, 1] = 1  # two clusters of 8: the five nearest lie in one's own
    labels[8:12, 0], labels[12:16, 0] = 1, 2
    made = resample(features, labels, TARGETS, seed=0)
    assert len(made) == 16
    assert (np.sign(features[made.seed, 0]) == np.sign(features[made.neighbour, 0])).all()
    assert (made.labels[:, 0] == labels[made.seed, 0]).all()  # all voters agree


def test_the_absent_label_can_be_the_scarce_one(planted):
    features, labels = planted
    labels[:, 1] = 1 - labels[:, 1]
    made = resample(features, labels, TARGETS, seed=0)
    assert sorted(made.seed) == list(range(8))
    assert (made.labels[:, 1] == 0).all()


def test_votes_count_known_cells_only_and_ties_stay_unknown():
    # Six images with red present: each votes with the other five, so all synthetic ones share the same vote.
    labels = np.full((30, 3), -1, np.int16)
    labels[:, 1] = 0
    labels[:6, 1] = 1
    labels[:3, 0] = [2, 2, 1]
    labels[:4, 2] = [0, 0, 1, 1]
    features = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    made = resample(features, labels, TARGETS, seed=0)
    assert len(made) == 6
    np.testing.assert_array_equal(made.labels, np.tile([2, 1, -1], (6, 1)))  # hat by 2 of 3; old is tied
    labels[:6, 0] = -1
    assert (resample(features, labels, TARGETS, seed=0).labels[:, 0] == -1).all()


def test_a_single_image_has_no_neighbour_and_balanced_labels_need_nothing():
    labels = np.zeros((10, 3), np.int16)
    labels[0, 1] = 1
    labels[5:, 2] = 1
    assert len(resample(np.zeros((10, 2), np.float32), labels, TARGETS, seed=0)) == 0


def test_an_only_binary_target_is_compared_with_its_own_ratio(planted):
    features, labels = planted
    assert len(resample(features, labels[:, :2], Targets((KIND, RED)), seed=0)) == 8


def test_without_a_binary_target_it_is_refused_by_its_key(planted):
    features, labels = planted
    with pytest.raises(LacunaError, match=r"warmup\.resample: mlsmote needs a binary target"):
        resample(features, labels[:, :1], Targets((KIND,)), seed=0)


@given(labels=npst.arrays(np.int16, (20, 3), elements=st.integers(-1, 1)), seed=st.integers(0, 5))
def test_the_same_seed_gives_the_same_and_labels_stay_labels(labels, seed):
    features = np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
    first, second = (resample(features, labels, TARGETS, seed) for _ in range(2))
    for name in ("seed", "neighbour", "share", "labels"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert set(np.unique(first.labels)) <= {-1, 0, 1}
    for seed_labels, neighbour_labels in zip(labels[first.seed], labels[first.neighbour], strict=True):
        assert ((seed_labels >= 0) & (seed_labels == neighbour_labels)).any()  # the scarce label is shared


def test_statistics_are_those_of_the_resampled_labels():
    statistics = [TargetStatistics(0.8, (6, 2), (2 / 3, 2.0))]
    labels = np.array([[0]] * 6 + [[1]] * 6 + [[-1]] * 4, np.int16)
    (renewed,) = resampled_statistics(statistics, labels)
    assert (renewed.known_share, renewed.counts) == (0.75, (6, 6))
    assert renewed.weights == pytest.approx((0.5, 1.5))  # the ratio stays, the mean is 1 again


def test_batches_hold_each_real_and_synthetic_image_once_in_one_view():
    features = np.arange(10 * 3 * 2, dtype=np.float32).reshape(10, 3, 2) ** 2
    rows = np.array([1, 3, 5, 7])
    synthetic = Synthetic(np.array([0, 2]), np.array([3, 1]), np.array([0.25, 0.5], np.float32), None)
    batches = ResampledBatches(FeatureBatches((features,), rows, batch_size=4, seed=0), synthetic)
    seen = list(batches.epoch(1))
    assert len(seen) == len(batches) == 2
    chosen, inputs = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    assert sorted(chosen) == list(range(6))
    views_seen = set()
    for index, x in zip(chosen, inputs, strict=True):
        seed, neighbour, share = (index, index, 0) if index < 4 else [(0, 3, 0.25), (2, 1, 0.5)][index - 4]
        a, b = features[rows[seed]], features[rows[neighbour]]
        (view,) = np.flatnonzero((a + share * (b - a) == x).all(axis=1))
        views_seen.add(view)
    assert len(views_seen) > 1
    for (_, inputs), (_, inputs_before) in zip(batches.epoch(1), seen, strict=True):
        np.testing.assert_array_equal(inputs, inputs_before)
