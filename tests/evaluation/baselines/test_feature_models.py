import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from lacuna.core.scores import activate
from lacuna.core.targets import Target, Targets
from lacuna.evaluation.baselines import feature_models
from lacuna.evaluation.baselines.feature_models import (
    RIDGE,
    answer_with_neighbours,
    answer_with_probe,
    answer_with_shares,
)

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


def test_blocks_of_images_are_answered_as_each_alone(monkeypatch):
    random = np.random.default_rng(0)
    features, asked = (random.normal(size=(n, 5)).astype(np.float32) for n in (40, 11))
    labels = np.stack([np.arange(40) % 3, np.full(40, -1)], axis=1).astype(np.int16)
    whole = answer_with_neighbours(TARGETS, features, labels, asked, k=7)
    monkeypatch.setattr(feature_models, "ASKED_AT_ONCE", 4)
    np.testing.assert_allclose(answer_with_neighbours(TARGETS, features, labels, asked, k=7), whole, rtol=1e-6)
    _, red = probabilities(whole)
    assert (red == 0.5).all()  # no known label: the shares of nothing


def test_the_probe_finds_a_planted_direction_and_ignores_rows_of_unknown_label():
    random = np.random.default_rng(0)
    features = random.normal(size=(2100, 8)).astype(np.float32)
    labels = np.stack([np.digitize(features[:, 0], [-0.5, 0.5]), features[:, 1] > 0], axis=1).astype(np.int16)
    asked, truth = features[2000:], labels[2000:]
    features, labels = features[:2000], labels[:2000].copy()
    labels[random.random(labels.shape) < 0.3] = -1
    logits = answer_with_probe(TARGETS, features, labels, asked)
    kind, red = probabilities(logits)
    assert (kind.argmax(axis=1) == truth[:, 0]).mean() > 0.85
    assert ((red[:, 1] > 0.5) == truth[:, 1]).mean() > 0.9

    scaler = StandardScaler().fit(features)
    for index, found in enumerate((kind, red)):
        rows = labels[:, index] >= 0
        peer = LogisticRegression(C=RIDGE).fit(scaler.transform(features[rows]), labels[rows, index])
        np.testing.assert_allclose(found, peer.predict_proba(scaler.transform(asked)), atol=5e-3)


def test_a_class_that_the_probe_never_met_is_as_rare_as_a_share_of_one_image():
    random = np.random.default_rng(0)
    features = random.normal(size=(60, 4)).astype(np.float32)
    labels = np.stack([np.arange(60) % 2, np.arange(60) % 2], axis=1).astype(np.int16)
    kind, _ = probabilities(answer_with_probe(TARGETS, features, labels, features))
    np.testing.assert_allclose(kind[:, 2], 1 / 3 / 61, rtol=0.02)


def test_without_known_labels_the_probe_says_nothing():
    labels = np.array([[0, -1], [1, -1]], np.int16)
    kind, red = probabilities(
        answer_with_probe(TARGETS, np.eye(2, dtype=np.float32), labels, np.zeros((3, 2), np.float32))
    )
    assert np.isfinite(kind).all()
    assert (red == 0.5).all()
