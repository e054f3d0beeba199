"""Consistent decisions against brute force, and relations against labels with mistakes."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lacuna.calibration.consistency import connected, constraints_of, contradicting, most_probable
from lacuna.core.relations import Relation, load_relations, relevant, save_relations
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError

CHAIN = [("article", "sub"), ("sub", "master")]
FORK = [("article", "sub"), ("article", "shop")]
SHARED = [("article", "master"), ("maker", "master")]
SHAPES = {
    "chain": CHAIN,
    "fork": FORK,
    "shared parent": SHARED,
    "all": [*CHAIN, ("article", "shop"), ("maker", "shop")],
}
SIZES = {"article": 6, "sub": 4, "master": 3, "shop": 3, "maker": 4, "red": 2}


def categorical(name, n):
    return Target(name, "categorical", tuple(f"{name} {number}" for number in range(n)))


TARGETS = Targets(
    tuple(
        Target(name, "binary", ("absent", "present")) if name == "red" else categorical(name, n)
        for name, n in SIZES.items()
    )
)


def random_relations(shape, generator):
    """Maps in which some classes of the child, and by chance some of the parent, have no partner."""
    relations = []
    for child, parent in SHAPES[shape]:
        mapped = [number for number in range(SIZES[child]) if generator.random() < 0.8]
        classes = {f"{child} {one}": f"{parent} {generator.integers(SIZES[parent])}" for one in mapped}
        relations.append(Relation(child, parent, classes, 1.0))
    return tuple(relations)


def random_scores(generator, n=5):
    return {
        place: np.log(generator.dirichlet(np.ones(target.n_classes), n))
        for place, target in enumerate(TARGETS)
        if target.kind == "categorical"
    }


def is_consistent(relations, combination):
    """A mapped child has its own parent, or one of which nobody knows what belongs to it."""
    for one in relations:
        child, parent = combination[one.child], combination[one.parent]
        if child in one.classes and one.classes[child] != parent and parent in one.classes.values():
            return False
    return True


def brute_force(relations, scores, image):
    """The best sum over all combinations of the connected targets that are consistent."""
    places = connected(constraints_of(relations, TARGETS))
    best, chosen = -np.inf, None
    for numbers in itertools.product(*(range(TARGETS[place].n_classes) for place in places)):
        combination = {TARGETS[p].name: TARGETS[p].classes[n] for p, n in zip(places, numbers, strict=True)}
        total = sum(scores[p][image, n] for p, n in zip(places, numbers, strict=True))
        if total > best and is_consistent(relations, combination):
            best, chosen = total, numbers
    return chosen


@given(st.integers(0, 10**6), st.sampled_from(list(SHAPES)))
def test_the_decision_is_the_most_probable_consistent_combination(seed, shape):
    generator = np.random.default_rng(seed)
    relations, scores = random_relations(shape, generator), random_scores(generator)
    constraints = constraints_of(relations, TARGETS)
    decisions = most_probable(constraints, scores)
    everything = [decisions.get(place, np.zeros(5, int)) for place in range(len(TARGETS))]
    assert not contradicting(constraints, everything).any()
    for image in range(5):
        assert tuple(decisions[place][image] for place in connected(constraints)) == brute_force(
            relations, scores, image
        )


@given(st.integers(0, 10**6), st.sampled_from(list(SHAPES)))
def test_a_constant_on_a_targets_log_probabilities_changes_nothing(seed, shape):
    generator = np.random.default_rng(seed)
    constraints = constraints_of(random_relations(shape, generator), TARGETS)
    scores = random_scores(generator)
    shifted = {place: values + generator.normal(0, 5, (len(values), 1)) for place, values in scores.items()}
    one, other = most_probable(constraints, scores), most_probable(constraints, shifted)
    assert all((one[place] == other[place]).all() for place in one)


@given(st.integers(0, 10**6), st.sampled_from(list(SHAPES)))
def test_what_fits_together_already_stays(seed, shape):
    generator = np.random.default_rng(seed)
    constraints = constraints_of(random_relations(shape, generator), TARGETS)
    scores = random_scores(generator, 40)
    alone = [scores[p].argmax(axis=1) if p in scores else np.zeros(40, int) for p in range(len(TARGETS))]
    fine = ~contradicting(constraints, alone)
    decisions = most_probable(constraints, scores)
    assert all((decisions[place][fine] == alone[place][fine]).all() for place in decisions)


@given(st.integers(0, 10**6), st.sampled_from(list(SHAPES)))
def test_every_class_can_be_decided_for(seed, shape):
    generator = np.random.default_rng(seed)
    constraints = constraints_of(random_relations(shape, generator), TARGETS)
    for place in connected(constraints):
        for number in range(TARGETS[place].n_classes):
            scores = random_scores(generator, 1)
            scores[place][:, number] += 1000
            assert most_probable(constraints, scores)[place] == number


def test_without_relations_nothing_is_constrained():
    assert constraints_of((), TARGETS) == []
    assert connected([]) == []
    assert most_probable([], random_scores(np.random.default_rng(0))) == {}


def test_what_others_imply_and_what_closes_a_circle_is_left_out():
    pairs = [("article", "sub"), ("article", "master"), ("article", "shop"), ("sub", "master"), ("shop", "master")]
    relations = tuple(Relation(child, parent, {}, 1.0) for child, parent in pairs)
    kept = [(one.child, one.parent) for one in relevant(relations, TARGETS)]
    assert kept == [("article", "sub"), ("article", "shop"), ("sub", "master")]
    assert relevant(relevant(relations, TARGETS), TARGETS) == relevant(relations, TARGETS)


def test_relations_of_targets_that_are_not_learned_fall_away_and_the_implied_one_takes_their_place(tmp_path):
    relations = tuple(
        Relation(child, parent, {f"{child} 0": f"{parent} 1"}, 0.999)
        for child, parent in [*CHAIN, ("article", "master")]
    )
    save_relations(tmp_path / "hierarchy.json", relations)
    assert load_relations(tmp_path / "hierarchy.json", TARGETS) == relations[:2]
    without_sub = Targets(tuple(target for target in TARGETS if target.name != "sub"))
    assert load_relations(tmp_path / "hierarchy.json", without_sub) == relations[2:]
    only_red = Targets(tuple(target for target in TARGETS if target.name == "red"))
    assert load_relations(tmp_path / "hierarchy.json", only_red) == ()
    with pytest.raises(LacunaError, match="run `dvc repro prepare`"):
        load_relations(tmp_path / "nowhere.json", TARGETS)


@pytest.mark.parametrize(
    "relations",
    [
        [Relation("nobody", "sub", {}, 1.0)],
        [Relation("article", "sub", {"article 99": "sub 0"}, 1.0)],
        [Relation("article", "sub", {"article 0": "master 0"}, 1.0)],
        [Relation(child, parent, {}, 1.0) for child, parent in [*CHAIN, ("article", "master")]],
    ],
)
def test_relations_that_do_not_fit_the_targets_are_an_error(relations):
    with pytest.raises(LacunaError, match="relation"):
        constraints_of(tuple(relations), TARGETS)
