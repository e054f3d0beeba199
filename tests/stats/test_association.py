"""Phi and the corrected Cramér's V against hand-computed values, and against chance."""

import numpy as np
import pytest

from lacuna.core.targets import Target, Targets
from lacuna.stats.association import associate, co_occurrences, cramers_v, crosstab, phi

KIND = Target("kind", "categorical", ("bag", "shoe", "hat"))
RED = Target("red", "binary", ("absent", "present"))
OLD = Target("old", "binary", ("absent", "present"))
TARGETS = Targets((KIND, RED, OLD))


def test_unknown_labels_are_left_out_pair_by_pair() -> None:
    one = np.array([0, 0, 1, -1, 2, 2], np.int16)
    other = np.array([1, -1, 0, 1, 1, 1], np.int16)
    assert crosstab(one, other, 3, 2).tolist() == [[0, 1], [1, 0], [0, 2]]


def test_phi_by_hand() -> None:
    assert phi(np.array([[10, 0], [0, 5]])) == 1
    assert phi(np.array([[0, 10], [5, 0]])) == -1
    assert phi(np.array([[30, 10], [20, 40]])) == pytest.approx(1000 / (40 * 60 * 50 * 50) ** 0.5)
    assert phi(np.array([[3, 4], [0, 0]])) is None


def test_cramers_v_by_hand() -> None:
    # chi-square 20 of 80: phi² .25, less 1/79; both sides shrink from 2 to 2 - 1/79.
    assert cramers_v(np.array([[30, 10], [10, 30]])) == pytest.approx(((0.25 - 1 / 79) / (1 - 1 / 79)) ** 0.5)
    assert cramers_v(np.array([[10, 10], [10, 10]])) == 0
    assert cramers_v(np.diag([20, 30, 9])) == pytest.approx(1)
    assert cramers_v(np.array([[20, 0, 0], [0, 0, 30]])) == pytest.approx(1)  # an empty class is no class
    assert cramers_v(np.array([[20, 5], [0, 0]])) is None


def test_many_classes_do_not_look_associated_by_chance() -> None:
    random = np.random.default_rng(0)
    values = [cramers_v(crosstab(*random.integers(0, 30, (2, 300)).astype(np.int16), 30, 30)) for _ in range(20)]
    assert np.mean(values) < 0.1  # uncorrected about 0.31


def test_every_pair_has_its_measure_and_the_strongest_comes_first() -> None:
    labels = np.array([[i % 3, i % 2, int(i % 3 == 0)] for i in range(60)], np.int16)
    labels[:12, 1] = -1
    found = associate(labels, TARGETS)
    assert [(pair.one, pair.other, pair.measure, pair.n) for pair in found[:1]] == [("kind", "old", "V", 60)]
    assert found[0].value == pytest.approx(1, abs=0.02)
    assert {(pair.one, pair.other): (pair.measure, pair.n) for pair in found[1:]} == {
        ("kind", "red"): ("V", 48),
        ("red", "old"): ("phi", 48),
    }


def test_a_target_of_one_value_has_no_association() -> None:
    labels = np.array([[i % 3, 1, -1] for i in range(30)], np.int16)
    assert associate(labels, TARGETS) == []


def test_co_occurrence_counts_what_is_known_of_both() -> None:
    labels = np.array([[0, 1, 0], [0, 1, 1], [0, 0, -1], [1, -1, 1], [-1, 1, 1]], np.int16)
    found = {
        (c.target, c.class_name, c.other, c.other_class): (c.images, c.of) for c in co_occurrences(labels, TARGETS)
    }
    assert found[("kind", "bag", "red", "present")] == (2, 3)
    assert found[("red", "present", "kind", "bag")] == (2, 2)
    assert found[("red", "present", "old", "present")] == (2, 3)
    assert ("kind", "shoe", "red", "present") not in found
    assert not any("absent" in key for key in found)
