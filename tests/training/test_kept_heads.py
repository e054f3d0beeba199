"""Kept heads: what changed is solved, the rest is found, and the bytes are those of solving everything."""

from dataclasses import replace

import pytest

from lacuna.training import exact_head
from lacuna.training.kept_heads import KeptHeads
from tests.training.test_exact_head import STATISTICS, TARGETS, TRAIN, data, same_bytes

__all__ = ["data"]


@pytest.fixture
def solve(monkeypatch, tmp_path):
    """A function that solves heads, keeping them in a folder, and says which targets it had to solve."""
    asked = []
    solve_target = exact_head.solve_target
    monkeypatch.setattr(
        exact_head, "solve_target", lambda *given: asked.append(given[0].target.name) or solve_target(*given)
    )

    def run(data, features="1", train=TRAIN, statistics=STATISTICS, l2=None, seed=0):
        asked.clear()
        kept = KeptHeads(tmp_path, features)
        return exact_head.solve_head(*data, TARGETS, statistics, train, l2 or {}, seed, kept), sorted(asked)

    return run


def test_labels_of_one_target_cost_that_target_alone(data, solve):
    features, rows, labels, group = data
    first, solved = solve(data)
    assert solved == ["kind", "never", "red"]
    again, solved = solve(data)
    assert solved == []
    assert same_bytes(first, again)
    assert again.path == first.path
    changed = labels.copy()
    changed[labels[:, 1] == -1, 1] = 1
    found, solved = solve((features, rows, changed, group))
    assert solved == ["red"]
    assert same_bytes(found, exact_head.solve_head(features, rows, changed, group, TARGETS, STATISTICS, TRAIN, {}, 0))
    assert not same_bytes(found, first)


@pytest.mark.parametrize(
    ("change", "solved_anew"),
    [
        ({"features": "2"}, ["kind", "never", "red"]),
        ({"seed": 1}, ["kind", "never", "red"]),
        ({"train": TRAIN.model_copy(update={"label_smoothing": 0.1})}, ["kind", "never", "red"]),
        ({"l2": {"red": 0.1}}, ["red"]),
        ({"statistics": [replace(STATISTICS[0], weights=(1, 1, 2)), *STATISTICS[1:]]}, ["kind"]),
    ],
)
def test_whatever_shapes_a_head_is_part_of_its_name(data, solve, change, solved_anew):
    solve(data)
    assert solve(data, **change)[1] == solved_anew


def test_other_rows_or_groups_are_other_heads(data, solve):
    features, rows, labels, group = data
    solve(data)
    assert len(solve((features, rows[1:], labels[1:], group[1:]))[1]) == 3
    assert len(solve((features, rows, labels, group // 4))[1]) == 3


def test_features_that_were_changed_in_place_are_other_features(data, solve):
    """Their checksum is what featurize noted, and knows nothing of it."""
    features, rows, labels, group = data
    solve(data)
    changed = features.copy()
    changed[rows[3], 0, 2] = 777
    found, solved = solve((changed, rows, labels, group))
    assert len(solved) == 3
    assert same_bytes(found, exact_head.solve_head(changed, rows, labels, group, TARGETS, STATISTICS, TRAIN, {}, 0))
