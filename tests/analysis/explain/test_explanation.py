"""What is chosen and counted for an explanation: judgements, examples, confused pairs, the layout of the images."""

import importlib.util

import numpy as np
import pytest

from lacuna.analysis.explain.embedding_map import check_method, draw_points, lay_out
from lacuna.analysis.explain.examples import PER_SECTION, SECTIONS, choose_examples
from lacuna.analysis.explain.likeness import confused_pairs, mean_images
from lacuna.calibration.cross_fit import Judgement, cross_fit, judge
from lacuna.core.pixels import correlate
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.evaluation.scoring import score_validation
from tests.simulated_predictions import CALIBRATE, EVALUATE, RELATION, TARGETS, TIED, simulate, simulate_tied

KIND = Target("kind", "categorical", ("bag", "shoe", "hat"))
RED = Target("red", "binary", ("absent", "present"))


def judgement(target, labels, decisions, certainty=None):
    labels, decisions = np.array(labels), np.array(decisions)
    certainty = np.ones(len(labels)) if certainty is None else np.array(certainty)
    return Judgement(target, labels, np.full((len(labels), target.n_classes), 0.5), decisions, certainty)


@pytest.mark.parametrize("tied", [False, True])
def test_images_are_judged_as_evaluate_judges_them(tied):
    targets, relations = (TIED, (RELATION,)) if tied else (TARGETS, ())
    validation = simulate_tied(150, signal=1.5, seed=0) if tied else simulate(150, signal=1.5, seed=0)
    judgements = judge(targets, validation, CALIBRATE, relations)
    priors = [np.full(target.n_classes, 1 / target.n_classes) for target in targets]
    scored = score_validation(targets, validation, priors, CALIBRATE, EVALUATE, relations)
    for one, other, chances in zip(
        judgements, scored, cross_fit(targets, validation, CALIBRATE).probabilities(), strict=True
    ):
        assert (one.decisions == other.decisions).all()
        np.testing.assert_allclose(one.probabilities, chances)
        assert (one.right.sum(), one.known.sum()) == ((one.labels == other.decisions).sum(), (other.labels >= 0).sum())


def test_certainty_is_the_way_to_the_threshold_and_the_lead_over_the_next_class():
    one = judge(TARGETS, simulate(150, signal=3, seed=0), CALIBRATE, ())
    kind, red, _ = one
    top = np.sort(kind.probabilities, axis=1)
    np.testing.assert_allclose(kind.certainty, top[:, -1] - top[:, -2])
    present = red.probabilities[:, 1]
    assert red.certainty.min() >= 0
    assert red.certainty.max() <= 1
    for decision in (0, 1):  # farther from the threshold is surer, whatever the threshold
        here = red.decisions == decision
        assert np.corrcoef(present[here], red.certainty[here])[0, 1] * (1 if decision else -1) > 0.9


def test_sections_hold_the_surest_and_the_least_sure_without_unknown_labels_and_copies():
    labels = [0] * 6 + [1] * 6 + [-1] * 2
    decisions = [0] * 6 + [0] * 3 + [1] * 3 + [1, 1]
    certainty = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.95, 0.2, 0.3, 0.99, 0.1, 0.35, 1.0, 0.0]
    group = np.arange(14)
    group[1] = 0  # a copy of image 0
    chosen = choose_examples(judgement(RED, labels, decisions, certainty), group)
    assert list(chosen) == list(SECTIONS)
    assert chosen["confident and right"] == [9, 0, 2, 11]  # present and absent take turns
    assert chosen["confident and wrong"] == [6, 8, 7]
    assert chosen["near the threshold"] == [10, 7, 8, 11]


def test_a_sheet_does_not_show_one_class_alone():
    decisions = [0] * 20 + [1, 2]
    chosen = choose_examples(judgement(KIND, decisions, decisions, np.linspace(1, 0.5, 22)), np.arange(22))
    assert chosen["confident and right"] == [0, 20, 21, 1]
    assert chosen["confident and wrong"] == []
    assert all(len(rows) <= PER_SECTION for rows in chosen.values())


def test_mean_images_and_their_likeness_by_hand():
    generator = np.random.default_rng(0)
    images = np.zeros((8, 64, 64, 3), np.uint8)
    images[:2, :32] = 200  # bag: bright above
    images[2:4, :32] = generator.integers(100, 120, (2, 32, 64, 3))  # shoe: the same, darker and noisy
    images[4:6, 32:] = 200  # hat: bright below
    images[6] = 255  # unknown
    labels = np.array([[0], [0], [1], [1], [2], [2], [-1]])
    row = np.arange(7)
    ((means, counts),) = mean_images(images, row, labels, Targets((KIND,)))
    assert means.shape == (3, 32, 32, 3)
    assert np.unique(means[0, :16]).tolist() == [200]
    assert not means[0, 16:].any()
    assert counts.tolist() == [2, 2, 2]
    alike = correlate(means, counts, 1)
    assert alike[0, 2] == pytest.approx(-1, abs=0.01)  # the noisy shoe is part of the mean of all
    assert alike[0, 1] > 0.99
    ((gap, counts),) = mean_images(images, row[:4], labels[:4], Targets((KIND,)))
    assert counts.tolist() == [2, 2, 0]
    assert np.isnan(correlate(gap, counts, 1)[2]).all()


def test_confused_pairs_are_the_commonest_mistakes_with_how_alike_they_are():
    labels = [0] * 10 + [1] * 10 + [-1] * 5
    decisions = [0] * 6 + [2] * 3 + [1] + [1] * 8 + [0] * 2 + [2] * 5
    alike = np.eye(5)
    alike[:3, :3] = [[1, 0.9, 0.2], [0.9, 1, 0.5], [0.2, 0.5, 1]]
    five = Target("kind", "categorical", ("bag", "shoe", "hat", "coat", "belt"))
    pairs = confused_pairs(judgement(five, labels, decisions), alike)
    found = [(one.actual, one.predicted, len(one.rows), one.of, one.likeness) for one in pairs]
    assert found == [(0, 2, 3, 10, 0.2), (1, 0, 2, 10, 0.9), (0, 1, 1, 10, 0.9)]
    assert pairs[0].rows == (6, 7, 8)
    assert [one.rank for one in pairs] == pytest.approx([0.7, 0.9, 0.9])
    few = confused_pairs(judgement(KIND, labels, decisions), alike[:3, :3])
    assert np.isnan([one.rank for one in few]).all()


def test_pairs_of_many_classes_are_counted_right():
    """The number of a pair exceeds the labels' 16 bits."""
    target = Target("type", "categorical", tuple(map(str, range(300))))
    labels = np.array([299, 299, 298], np.int16)
    (first, second) = confused_pairs(judgement(target, labels, [0, 0, 1]), np.eye(300))
    assert (first.actual, first.predicted, len(first.rows)) == (299, 0, 2)
    assert (second.actual, second.predicted, len(second.rows)) == (298, 1, 1)


def test_the_layout_keeps_neighbours_together_and_is_the_same_in_every_run():
    generator = np.random.default_rng(0)
    centres = generator.normal(0, 10, (3, 20))
    member = np.arange(90) % 3
    features = (centres[member] + generator.normal(size=(90, 20))).astype(np.float32)
    places = lay_out(features, "tsne", seed=0)
    assert (places == lay_out(features, "tsne", seed=0)).all()
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (member[distance.argmin(axis=1)] == member).mean() > 0.95


@pytest.mark.parametrize("features", [np.zeros((0, 8)), np.ones((3, 8)), np.ones((30, 8))])
def test_images_that_cannot_be_laid_out_lie_at_one_point(features):
    assert not lay_out(features.astype(np.float32), "tsne", seed=0).any()


@pytest.mark.skipif(importlib.util.find_spec("umap") is not None, reason="umap-learn is installed")
def test_umap_without_its_package_ends_in_one_line():
    with pytest.raises(LacunaError, match="umap needs `pip install umap-learn`"):
        check_method("umap")


def test_points_are_one_of_each_group_at_most_so_many_and_drawn_from_all():
    group = np.repeat(np.arange(200), 2)
    points = draw_points(group, 50, seed=0)
    assert len(points) == len(np.unique(group[points])) == 50
    assert (np.diff(points) > 0).all()
    assert points.max() > 300
    assert len(draw_points(group, 5000, seed=0)) == 200
