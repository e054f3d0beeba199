"""Heads by passes over the files are those of the rows in memory, to a millionth in probability."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, softmax
from threadpoolctl import threadpool_limits

from lacuna.core.targets import Target
from lacuna.stats.logistic_regression import PATH, find_axes, fit
from lacuna.training import exact_target, steered_target, streamed_head
from lacuna.training.exact_head import solve_head
from lacuna.training.exact_target import TargetProblem
from lacuna.training.kept_heads import KeptHeads
from lacuna.training.standard_rows import StandardRows, training_scale
from tests.training.test_exact_head import STATISTICS, TARGETS, TRAIN, data, same_bytes

__all__ = ["data"]

L2 = {"kind": 0.02, "red": 0.02}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Nothing fits into memory but samples of five times as many rows as columns."""
    monkeypatch.setattr(streamed_head, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(streamed_head, "PART_ROWS", 32)
    monkeypatch.setattr(streamed_head, "BLOCK_ROWS", 12)
    monkeypatch.setattr(steered_target, "SAMPLE_BYTES", 0)
    monkeypatch.setattr(steered_target, "LEAST_OF_COLUMNS", 5)


def probabilities(rows, weights, bias):
    logits = rows.astype(np.float64) @ weights + bias
    return expit(logits) if logits.shape[1] == 1 else softmax(logits, axis=1)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize(
    ("l2", "smoothing", "class_weights", "separable"),
    [
        (0.1, 0.0, (1.0, 1.0, 1.0, 1.0), False),
        (1e-3, 0.2, (0.5, 2.0, 1.0, 0.0), False),
        (0.01, 0.0, (1.0, 1.0, 1.0, 1.0), True),
    ],
)
def test_a_target_has_the_head_of_the_rows_in_memory(n_classes, l2, smoothing, class_weights, separable, monkeypatch):
    """With two fifths of the labels unknown, a constant column, and columns that all but repeat others."""
    random = np.random.default_rng(3)
    features = (random.normal(size=(300, 5)) @ random.normal(size=(5, 9))).astype(np.float32)
    features += 0.1 * random.normal(size=features.shape).astype(np.float32) + 4
    features[:, 4] = 0.3
    scores = (features - features.mean(axis=0)) @ random.normal(size=(9, n_classes))
    labels = (scores + (0 if separable else 2 * random.gumbel(size=scores.shape))).argmax(axis=1)
    labels[random.random(300) < 0.4] = -1
    kind = Target("t", "categorical" if n_classes > 2 else "binary", tuple("abcd")[:n_classes])
    problem = TargetProblem(kind, labels, np.array(class_weights[:n_classes]), l2, smoothing, 0)
    every = np.arange(300)
    rows = StandardRows(features[:, None], every, *training_scale(features[:, None], every))
    monkeypatch.setattr(streamed_head, "SOLVED", 1e-14)
    with threadpool_limits(1):
        (found,) = streamed_head.solve_streamed(rows, every, [problem])
        whole = rows.take(every)
        expected = fit(find_axes(whole), labels, kind.n_logits, problem.weight, l2, smoothing, tolerance=1e-9)
    difference = probabilities(whole, found.weights, found.bias) - probabilities(whole, expected.weights, expected.bias)
    assert np.abs(difference).max() < 1e-6
    assert found.weights == pytest.approx(expected.weights, abs=1e-5)
    assert found.bias == pytest.approx(expected.bias, abs=1e-5)


def in_memory(data, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(streamed_head, "IN_MEMORY_BYTES", 10**9)
        patched.setattr(exact_target, "SOLVED", 1e-12)
        return solve_head(*data, TARGETS, STATISTICS, TRAIN, L2, 0)


def test_the_whole_head_is_that_of_the_rows_in_memory(data, monkeypatch):
    features, rows, _, _ = data
    expected = in_memory(data, monkeypatch)
    found = solve_head(*data, TARGETS, STATISTICS, TRAIN, L2, 0)
    assert found.path == expected.path
    assert found.head.mean.tobytes() == expected.head.mean.tobytes()
    logits = [head.logits(features[rows, 0]) for head in (found.head, expected.head)]
    assert logits[0] == pytest.approx(logits[1], abs=0.02)  # as near as SOLVED wants it
    assert not np.array_equal(*logits)


def test_the_penalty_is_chosen_on_the_sample(data):
    path = solve_head(*data, TARGETS, STATISTICS, TRAIN, {}, 0).path
    assert [step.l2 for step in path["kind"]] == list(PATH[: len(path["kind"])])
    chosen = [step.log_loss for step in path["kind"] if step.chosen]
    assert chosen == [min(step.log_loss for step in path["kind"])]


def test_few_labels_are_solved_in_memory_where_they_are_known(data, monkeypatch):
    """A target of 30 known labels among 100: no pass over the others, which say nothing of it."""
    features, rows, labels, group = data
    labels[30:, 1] = -1
    monkeypatch.setattr(streamed_head, "SumsOfPart", None)
    head = solve_head(
        features, rows, labels[:, 1:2], group, TARGETS.take([1]), STATISTICS[1:2], TRAIN, {"red": 0.1}, 0
    ).head
    predicted = head.logits(features[rows[:30], 0])[:, 0] > 0
    known = labels[:30, 1] >= 0
    assert (predicted == labels[:30, 1])[known].mean() > 0.7


def test_same_bytes_on_any_number_of_cores_and_beside_any_targets(data, monkeypatch):
    features, rows, labels, group = data
    expected = solve_head(*data, TARGETS, STATISTICS, TRAIN, {}, 0)
    monkeypatch.setattr(streamed_head, "n_cores", lambda: 3)
    assert same_bytes(solve_head(*data, TARGETS, STATISTICS, TRAIN, {}, 0), expected)
    alone = solve_head(features, rows, labels[:, 1:2], group, TARGETS.take([1]), STATISTICS[1:2], TRAIN, {}, 0).head
    assert np.array_equal(alone.weights[:, 0], expected.head.weights[:, 3])


def test_kept_heads_are_found_and_the_others_solved_beside_them(data, tmp_path):
    features, rows, labels, group = data
    first = solve_head(*data, TARGETS, STATISTICS, TRAIN, {}, 0, KeptHeads(tmp_path, "1"))
    heavy = [STATISTICS[0], replace(STATISTICS[1], weights=(1.0, 2.0)), STATISTICS[2]]
    kept = solve_head(*data, TARGETS, heavy, TRAIN, {}, 0, KeptHeads(tmp_path, "1"))
    assert np.array_equal(kept.head.weights[:, :3], first.head.weights[:, :3])
    assert same_bytes(kept, solve_head(features, rows, labels, group, TARGETS, heavy, TRAIN, {}, 0))


def test_the_way_depends_on_the_data_alone(monkeypatch):
    monkeypatch.undo()
    assert not streamed_head.is_streamed(10**6, 1000)
    assert streamed_head.is_streamed(10**6, 1001)
