"""Class priors of all images: by hand, against Saerens' EM, and where nothing can be told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lacuna.stats.label_shift import Start, class_priors, unbiased

HARDLY = 1e-9
"""A strength that is nearly none: the maximum likelihood."""


def ones(labels):
    return np.ones((1, len(labels)))


def two_scores(n_high, n_low):
    """Ten labelled images of probability .8, eight of them present, ten of .2, two of them present; some unlabelled."""
    present = np.array([0.8] * 10 + [0.2] * 10 + [0.8] * n_high + [0.2] * n_low)
    labels = np.array([1] * 8 + [0] * 2 + [1] * 2 + [0] * 8 + [-1] * (n_high + n_low))
    return np.stack([1 - present, present], axis=1), labels


def sample(seed, n=60, k=3, unknown=0.5):
    """Probabilities that hold, and labels drawn from them, of which all classes occur."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(k), n)
    labels = (generator.random(n)[:, None] > probabilities.cumsum(axis=1)[:, :-1]).sum(axis=1)
    labels[: 2 * k] = np.tile(np.arange(k), 2)
    labels[2 * k :][generator.random(n - 2 * k) < unknown] = -1
    return probabilities, labels


@pytest.mark.parametrize(
    ("n_high", "n_low", "present"),
    [
        (7, 13, 0.25),  # .8 of the present and .2 of the absent images score high: .35 = .8 q + .2 (1 - q)
        (10, 10, 0.5),
        (2, 18, 0.0),  # .1 would ask for less than none
        (20, 0, 1.0),
    ],
)
def test_two_scores_by_hand(n_high, n_low, present):
    priors = class_priors(*two_scores(n_high, n_low), np.ones((1, 20 + n_high + n_low)), HARDLY)
    assert priors.known[0] == pytest.approx([0.5, 0.5])
    assert priors.unlabelled[0, 1] == pytest.approx(present, abs=1e-6)
    assert priors.every[0, 1] == pytest.approx((0.5 + present) / 2, abs=1e-6)
    assert priors.importance()[0] == pytest.approx([1.5 - present, 0.5 + present], abs=1e-6)


def test_the_prior_of_no_shift_counts_as_one_image():
    """Where the slope of 7 log(.2 + .6 q) + 13 log(.8 - .6 q) + log(q) / 2 + log(1 - q) / 2 is 0."""
    probabilities, labels = two_scores(7, 13)
    (_, q), (_, half) = (
        class_priors(probabilities, labels, ones(labels), strength).unlabelled[0] for strength in (1, 1e9)
    )
    assert 7 * 0.6 / (0.2 + 0.6 * q) - 13 * 0.6 / (0.8 - 0.6 * q) + 0.5 / q - 0.5 / (1 - q) == pytest.approx(
        0, abs=1e-5
    )
    assert 0.25 < q < 0.35
    assert half == pytest.approx(0.5, abs=1e-6)


def test_it_is_where_em_ends():
    probabilities, labels = sample(0, k=4)
    known = labels >= 0
    source = np.bincount(labels[known]) / known.sum()
    moved = unbiased(probabilities[None], labels, ones(labels))[0]
    prior = source
    for _ in range(20_000):  # Saerens et al. 2002, equations 2.9 and 2.10
        posterior = moved[~known] * prior / source
        prior = (posterior / posterior.sum(axis=1, keepdims=True)).mean(axis=0)
    assert class_priors(probabilities, labels, ones(labels), HARDLY).unlabelled[0] == pytest.approx(prior, abs=1e-5)


def test_the_mean_over_labelled_images_becomes_the_labelled_share():
    probabilities, labels = sample(1)
    known = labels >= 0
    weights = np.random.default_rng(0).integers(0, 3, (3, len(labels))).astype(float)
    moved = unbiased(probabilities[None], labels, weights)
    for row in range(3):
        shares = weights[row, known] @ np.eye(3)[labels[known]]
        assert weights[row, known] @ moved[row, known] == pytest.approx(shares, abs=1e-4)
    odds = np.log(moved[0] / probabilities)
    assert odds - odds[:, :1] == pytest.approx(np.tile(odds[0] - odds[0, 0], (len(labels), 1)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.floats(0.1, 3))
def test_what_changes_nothing(seed, k, spread):
    """The order of images, an image of weight 2 instead of twice, a bias per class; and priors have sum 1."""
    generator = np.random.default_rng(seed)
    probabilities, labels = sample(seed, k=k)
    weights = generator.integers(0, 3, (2, len(labels))).astype(float)
    weights[:, : 2 * k] = 1
    priors = class_priors(probabilities, labels, weights)
    for shares in (priors.known, priors.unlabelled, priors.every):
        assert shares.sum(axis=1) == pytest.approx(1)
        assert (shares >= 0).all()
    order = generator.permutation(len(labels))
    shuffled = class_priors(probabilities[order], labels[order], weights[:, order])
    assert shuffled.every == pytest.approx(priors.every, abs=1e-6)
    rows = np.repeat(np.arange(len(labels)), weights[0].astype(int))
    repeated = class_priors(probabilities[rows], labels[rows], np.ones((1, len(rows))))
    assert repeated.every[0] == pytest.approx(priors.every[0], abs=1e-6)
    bent = probabilities * np.exp(spread * generator.normal(size=k))
    bent /= bent.sum(axis=1, keepdims=True)
    assert class_priors(bent, labels, weights).every == pytest.approx(priors.every, abs=1e-4)


def test_images_known_to_be_of_no_class_are_none_of_all():
    """Labels below -1: as if these images were not there."""
    probabilities, labels = sample(3, k=3)
    outside = np.arange(len(labels)) % 5 == 0
    marked, there = np.where(outside, -2, labels), ~outside
    kept = class_priors(probabilities[there], labels[there], ones(labels[there]))
    assert class_priors(probabilities, marked, ones(labels)).every == pytest.approx(kept.every)
    complete = class_priors(probabilities, np.where(labels < 0, -2, labels), ones(labels))
    assert np.isnan(complete.unlabelled).all()
    assert (complete.importance() == 1).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_without_gaps_exactly_the_counts(seed, k):
    probabilities, labels = sample(seed, k=k, unknown=0)
    priors = class_priors(probabilities, labels, ones(labels))
    assert (priors.every[0] == np.bincount(labels, minlength=k) / len(labels)).all()
    assert (priors.importance() == 1).all()


def test_replicates_of_many_classes_are_those_of_each_alone():
    """Found from the first one's optimum, with its Hessian and in chunks; one replicate lacks a class."""
    generator, k = np.random.default_rng(4), 12
    truth = generator.choice(k, 1500, p=np.arange(1, k + 1) / 78)
    scores = generator.normal(size=(1500, k))
    scores[np.arange(1500), truth] += 2
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    labels = np.where(generator.random(1500) < 0.2 + 0.6 * (truth % 2), truth, -1)
    weights = np.concatenate([np.ones((1, 1500)), generator.multinomial(1500, np.full(1500, 1 / 1500), 30)])
    weights[7, labels == 0] = 0
    start = Start()
    chunks = [class_priors(probabilities, labels, part, start=start) for part in np.array_split(weights, 4)]
    found = np.concatenate([chunk.every for chunk in chunks])
    alone = np.concatenate([class_priors(probabilities, labels, weights[[row]]).every for row in range(len(weights))])
    assert found[0] == pytest.approx(alone[0], abs=1e-6)
    assert (np.abs(found - alone) / alone[1:].std(axis=0)).max() < 0.02
    assert found[7, 0] == 0


@pytest.mark.parametrize("known", [(0.5, 0.5, 0.5), (0.8, 0.4, 0.2)])
def test_unbiased_at_random_and_by_label(known):
    errors = []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        probabilities = generator.dirichlet(np.ones(3), 600)
        truth = (generator.random(600)[:, None] > probabilities.cumsum(axis=1)[:, :-1]).sum(axis=1)
        labels = np.where(generator.random(600) < np.array(known)[truth], truth, -1)
        odds = probabilities * np.array(known)  # what is labelled more often is more probable in a labelled image
        every = class_priors(odds / odds.sum(axis=1, keepdims=True), labels, np.ones((1, 600))).every[0]
        errors.append(every - np.bincount(truth, minlength=3) / 600)
    chance = 3 * np.std(errors, axis=0) / np.sqrt(60)
    assert (np.abs(np.mean(errors, axis=0)) < chance + 0.01).all()  # the prior of no shift pulls by less than .01
    assert chance.max() < 0.02


def test_separable_scores_are_counted():
    labels = np.array([0, 0, 0, 1, 1, 1, -1, -1, -1, -1])
    present = np.array([0, 0, 0, 1, 1, 1, 1, 0, 0, 0])
    priors = class_priors(np.eye(2)[present], labels, ones(labels), HARDLY)
    assert priors.every[0] == pytest.approx([0.6, 0.4], abs=1e-6)


def test_scores_that_say_nothing_leave_the_labelled_shares():
    labels = np.array([0, 1, 1, 2, -1, -1, -1])
    priors = class_priors(np.full((7, 3), 1 / 3), labels, ones(labels))
    assert priors.every[0] == pytest.approx([0.25, 0.5, 0.25])


def test_a_class_that_nobody_labelled_has_no_share():
    labels = np.array([0, 0, 1, 1, -1, -1])
    probabilities = np.array(
        [[0.6, 0.2, 0.2], [0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.4, 0.5, 0.1], [0, 0, 1], [0.1, 0, 0.9]]
    )
    priors = class_priors(probabilities, labels, ones(labels))
    assert priors.every[0, 2] == priors.importance()[0, 2] == 0
    assert priors.every[0].sum() == pytest.approx(1)


def test_nothing_is_told_without_labels_of_two_classes():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]])
    labels = np.array([0, 0, -1])
    weights = np.array([[1.0, 1, 1], [1, 1, 0], [0, 0, 1], [0, 0, 0]])
    with np.errstate(all="raise", invalid="ignore"):
        priors = class_priors(probabilities, labels, weights)
    assert priors.known[:2].tolist() == [[1, 0], [1, 0]]
    assert np.isnan(priors.known[2:]).all()
    assert np.isnan(priors.every[[0, 2, 3]]).all()
    assert priors.every[1].tolist() == [1, 0]
    assert class_priors(np.empty((0, 2)), labels[:0], np.ones((2, 0))).every.shape == (2, 2)


def test_each_replicate_may_have_probabilities_of_its_own():
    probabilities, labels = sample(3)
    other, _ = sample(4)
    weights = np.random.default_rng(0).integers(1, 3, (2, len(labels))).astype(float)
    together = class_priors(np.stack([probabilities, other]), labels, weights)
    for row, alone in enumerate((probabilities, other)):
        assert class_priors(alone, labels, weights[[row]]).every[0] == pytest.approx(together.every[row], abs=1e-6)


@pytest.mark.parametrize(
    ("shape", "labels", "n"), [((3, 2), [0, 1], 2), ((2, 2), [0, 1], 3), ((2, 2, 2), [0, 1], 2), ((2, 2), [0, 2], 2)]
)
def test_what_does_not_fit_together_is_refused(shape, labels, n):
    with pytest.raises(ValueError, match="expected"):
        class_priors(np.full(shape, 0.5), np.array(labels), np.ones((3, n)))
