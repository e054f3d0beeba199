import numpy as np
import pytest

from lacuna.core.scores import activate
from lacuna.core.targets import Target, Targets
from lacuna.evaluation.baselines.feature_models import answer_with_neighbours, answer_with_probe, answer_with_shares

KIND = Target("kind", "categorical", ("bag", "shoe", "hat"))
RED = Target("red", "binary", ("absent", "present"))
TARGETS = Targets((KIND, RED))


def probabilities(logits):
    return [activate(target, logits[:, columns]) for target, columns in zip(TARGETS, TARGETS.slices, strict=True)]


def test_shares_are_those_of_known_labels_with_one_image_added_to_each_class():
    labels = np.array([[0, 1], [0, -1], [1, 0], [-1, 0]], np.int16)
    kind, red = probabilities(answer_with_shares(TARGETS, labels, 2))
    assert kind == pytest.approx(np.array([[3, 2, 1]] * 2) / 6)
    assert red == pytest.approx(np.array([[3, 2]] * 2) / 5)


def test_neighbours_vote_by_direction_and_those_unknown_do_not():
    features = np.array([[1, 0], [5, 0.1], [1, 0.2], [0, 1]], np.float32)
    labels = np.array([[0, 1], [1, -1], [2, 1], [2, 0]], np.int16)
    asked = np.array([[9, 0]], np.float32)
    kind, red = probabilities(answer_with_neighbours(TARGETS, features, labels, asked, k=2))
    shares = np.array([2, 2, 3]) / 7
    assert kind == pytest.approx((np.array([[1, 1, 0]]) + shares) / 3)  # the two nearest: bag and shoe
    assert red == pytest.approx((np.array([[0, 2]]) + np.array([2, 3]) / 5) / 3)  # the second nearest is unknown


def test_more_neighbours_than_known_images_are_all_of_them():
    features = np.eye(3, dtype=np.float32)
    labels = np.array([[0, 1], [1, 0], [2, -1]], np.int16)
    kind, red = probabilities(answer_with_neighbours(TARGETS, features, labels, features, k=50))
    assert np.isfinite(kind).all()
    assert red == pytest.approx(np.full((3, 2), 0.5))


def test_the_probe_finds_a_planted_direction_and_ignores_rows_of_unknown_label():
    random = np.random.default_rng(0)
    features = random.normal(size=(300, 8)).astype(np.float32)
    labels = np.stack([np.digitize(features[:, 0], [-0.5, 0.5]), features[:, 1] > 0], axis=1).astype(np.int16)
    asked, truth = features[200:], labels[200:]
    features, labels = features[:200], labels[:200].copy()
    labels[random.random(labels.shape) < 0.3] = -1
    logits = answer_with_probe(TARGETS, features, labels, np.arange(200), asked, seed=0)
    kind, red = probabilities(logits)
    assert (kind.argmax(axis=1) == truth[:, 0]).mean() > 0.85
    assert ((red[:, 1] > 0.5) == truth[:, 1]).mean() > 0.9

    spoiled = np.where(labels[:, 1:] < 0, 1e3, features)
    again = answer_with_probe(TARGETS, spoiled, labels, np.arange(200), asked, seed=0)
    assert again[:, 3] == pytest.approx(logits[:, 3])


def test_a_class_that_the_probe_never_met_is_all_but_impossible():
    random = np.random.default_rng(0)
    features = random.normal(size=(60, 4)).astype(np.float32)
    labels = np.stack([np.arange(60) % 2, np.arange(60) % 2], axis=1).astype(np.int16)
    kind, _ = probabilities(answer_with_probe(TARGETS, features, labels, np.arange(60), features, seed=0))
    assert (kind[:, 2] < 1e-5).all()
    assert (kind[:, 2] > 0).all()


def test_copies_of_an_image_do_not_choose_the_strength_of_the_penalty():
    """A noisy label learned by heart pays off on a held-out copy; with the copies in one group it does not."""
    random = np.random.default_rng(0)
    features = np.repeat(random.normal(size=(60, 40)), 5, axis=0).astype(np.float32)
    labels = np.repeat(random.integers(0, 2, (60, 1)), 5, axis=0).astype(np.int16)
    asked = random.normal(size=(400, 40)).astype(np.float32)
    one = Targets((RED,))
    loose = answer_with_probe(one, features, labels, np.arange(300), asked, seed=0)
    grouped = answer_with_probe(one, features, labels, np.repeat(np.arange(60), 5), asked, seed=0)
    assert np.abs(grouped).mean() < 0.5 * np.abs(loose).mean()
