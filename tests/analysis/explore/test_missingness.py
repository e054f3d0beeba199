"""Missing labels that depend on others are found, and those that are missing at random are not called dependent."""

import numpy as np
import pytest
from scipy.stats import binom, chi2_contingency

from lacuna.analysis.explore.missingness import (
    describe_by_class,
    describe_together,
    independence,
    missing_by_class,
    missing_patterns,
    missing_together,
    notable,
)
from lacuna.core.targets import Target, Targets
from lacuna.stats.association import crosstab

KIND = Target("kind", "categorical", ("bag", "shoe", "hat", "belt"))
RED = Target("red", "binary", ("absent", "present"))
OLD = Target("old", "binary", ("absent", "present"))
TARGETS = Targets((KIND, RED, OLD))
ALPHA = 0.05


def simulate(seed: int, n_groups: int = 300, by_class: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels with gaps, and groups of one to five images that share their labels and their gaps.

    A share of 0.3 of each target is unknown; of "red" by so much more where "kind" is a bag.
    """
    random = np.random.default_rng(seed)
    size = random.choice([1, 1, 1, 2, 5], n_groups)
    kind = random.choice(4, n_groups, p=[0.4, 0.3, 0.2, 0.1])
    labels = np.stack([kind, random.integers(0, 2, n_groups), random.integers(0, 2, n_groups)], axis=1)
    rate = np.full((n_groups, 3), 0.3)
    rate[:, 1] += by_class * (kind == 0)
    labels[random.random((n_groups, 3)) < rate] = -1
    return np.repeat(labels, size, axis=0).astype(np.int16), np.repeat(np.arange(n_groups), size)


def test_planted_dependence_is_found_and_named() -> None:
    found = 0
    for seed in range(20):
        labels, group = simulate(seed, n_groups=700, by_class=0.35)
        first = notable(missing_by_class(labels, group, TARGETS), 0.01)
        found += bool(first) and (first[0].target, first[0].given, first[0].class_name) == ("red", "kind", "bag")
    assert found >= 19


def test_chance_is_not_called_dependence_where_groups_lose_their_labels_together() -> None:
    by_class, together, ignoring_groups = 0, 0, 0
    for seed in range(80):
        labels, group = simulate(seed)
        by_class += any(one.p_holm < ALPHA for one in missing_by_class(labels, group, TARGETS))
        together += any(one.p_holm < ALPHA for one in missing_together(labels, group, TARGETS))
        alone = np.arange(len(group))
        ignoring_groups += any(one.p_holm < ALPHA for one in missing_by_class(labels, alone, TARGETS))
    most = binom.ppf(0.999, 80, ALPHA)
    assert by_class <= most
    assert together <= most
    assert ignoring_groups > 2 * most


def test_single_images_are_tested_by_pearson_s_chi_square() -> None:
    random = np.random.default_rng(3)
    classes = random.choice(4, 2000).astype(np.int16)
    missing = (random.random(2000) < 0.3).astype(np.int16)
    tested = independence(missing, classes, np.arange(2000))
    expected = chi2_contingency(crosstab(missing, classes, 2, 4), correction=False).pvalue
    assert tested is not None
    assert tested.p == pytest.approx(expected, abs=0.02)


def test_copies_of_every_image_are_no_evidence() -> None:
    labels, group = simulate(7, by_class=0.2)
    known = labels[:, 0] >= 0
    missing, classes, group = (labels[known, 1] < 0).astype(np.int16), labels[known, 0], group[known]
    once = independence(missing, classes, group)
    thrice = independence(np.tile(missing, 3), np.tile(classes, 3), np.tile(group, 3))
    assert once is not None
    assert thrice is not None
    assert thrice.p == pytest.approx(once.p, rel=1e-6)


def test_classes_of_few_images_are_pooled_or_left_out() -> None:
    classes = np.repeat(np.arange(12), [60, 60, *[4] * 10]).astype(np.int16)
    missing = np.zeros(160, np.int16)
    missing[:30] = 1
    assert independence(missing, classes, np.arange(160)) is not None
    rare = np.repeat([0, 1], [60, 4]).astype(np.int16)
    assert independence(missing[:64], rare, np.arange(64)) is None
    assert independence(np.zeros(64, np.int16), rare, np.arange(64)) is None
    assert independence(np.zeros(0, np.int16), np.zeros(0, np.int16), np.zeros(0, np.int64)) is None


def test_few_gaps_in_the_same_images_are_found_and_copies_do_not_make_them_more() -> None:
    labels = np.zeros((3000, 3), np.int16)
    labels[:12, 1:] = -1
    labels[12:20, 1] = -1
    pair = missing_together(labels, np.arange(3000), TARGETS)[0]
    assert (pair.both, pair.one_only, pair.other_only) == (12, 8, 0)
    assert pair.p_holm < 1e-6
    copies = np.concatenate([np.zeros(12, np.int64), np.arange(1, 2989)])
    assert missing_together(labels, copies, TARGETS)[0].p_holm > 0.001
    labels[:12, 2], labels[100:112, 2] = 0, -1
    assert missing_together(labels, np.arange(3000), TARGETS)[0].p_holm == 1


def test_counts_and_words_by_hand() -> None:
    kind = np.repeat([0, 1, -1], [100, 100, 20])
    red = np.zeros(220)
    red[:80] = -1  # of 100 bags
    red[100:110] = -1  # of 100 shoes
    old = np.where(np.arange(220) < 80, -1, np.arange(220) % 2)
    labels = np.stack([kind, red, old], axis=1).astype(np.int16)
    by_class = missing_by_class(labels, np.arange(220), TARGETS)
    together = missing_together(labels, np.arange(220), TARGETS)
    first = next(one for one in by_class if one.target == "red")
    assert (first.given, first.class_name, *first[6:]) == ("kind", "bag", 100, 80, 100, 10)
    pair = next(one for one in together if {one.one, one.other} == {"red", "old"})
    assert (pair.both, pair.one_only, pair.other_only) == (80, 10, 0)
    words = [*describe_by_class(by_class, 0.01), *describe_together(together, 0.01)]
    assert "red is unknown for 80 % of the images where kind is bag, for 10 % of the others" in words
    assert (
        "red and old are unknown together more often than by chance: both in 80 images, red alone in 10, old alone in 0"
        in words
    )
    assert missing_patterns(labels, TARGETS) == [((), 110), (("red", "old"), 80), (("kind",), 20), (("red",), 10)]


@pytest.mark.parametrize("n_classes", [2, 5])
def test_a_sparse_matrix_of_groups_and_classes_gives_the_same(monkeypatch, n_classes):
    generator = np.random.default_rng(0)
    group = generator.integers(0, 120, 400)
    classes = generator.integers(0, n_classes, 400)
    missing = (generator.random(400) < 0.2 + 0.1 * (classes == 1)).astype(np.int16)
    full = independence(missing, classes, group)
    monkeypatch.setattr("lacuna.analysis.explore.missingness.DENSE_CELLS", 0)
    assert independence(missing, classes, group) == pytest.approx(full)
