import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lacuna.core.targets import Target, Targets
from lacuna.data.labels.hierarchy import MIN_EVIDENCE, learn_relations

N = 400
FAMILY = {0: 0, 1: 0, 2: 1, 3: 1, 4: 2, 5: 2, 6: 2, 7: 0}
KIND = Target("kind", "categorical", tuple(f"kind {number}" for number in range(len(FAMILY))))
PART_OF = Target("family", "categorical", ("top", "shoe", "bag"))
COLOUR = Target("colour", "categorical", ("red", "blue", "green", "grey"))
OLD = Target("old", "binary", ("absent", "present"))
TARGETS = Targets((PART_OF, KIND, COLOUR, OLD))


def labels_of(kind, family, seed):
    generator = np.random.default_rng([seed, 1])
    columns = [family, kind, generator.integers(0, 4, len(kind)), np.isin(kind, [2, 3])]
    return np.stack(columns, axis=1).astype(np.int16)


def simulate(n=N, seed=0, mistakes=0.0):
    """Kinds, each of a family, with some families wrong. Colour knows nothing of them."""
    generator = np.random.default_rng(seed)
    kind = generator.integers(0, len(FAMILY), n)
    family = np.array([FAMILY[one] for one in kind.tolist()])
    wrong = generator.random(n) < mistakes
    family[wrong] = (family[wrong] + 1) % 3
    return labels_of(kind, family, seed)


def learn(labels, group=None, targets=TARGETS):
    return learn_relations(labels, np.arange(len(labels)) if group is None else group, targets)


def test_what_determines_is_found_and_nothing_else():
    (relation,) = learn(simulate())
    assert (relation.child, relation.parent, relation.agreement) == ("kind", "family", 1.0)
    assert relation.classes == {f"kind {one}": PART_OF.classes[other] for one, other in FAMILY.items()}


def test_few_mistakes_are_outvoted_and_many_are_not():
    labels = simulate()
    labels[:2, 0] = (labels[:2, 0] + 1) % 3
    (relation,) = learn(labels)
    assert relation.agreement == pytest.approx(1 - 2 / N, abs=1e-6)
    assert relation.classes == learn(simulate())[0].classes
    assert learn(simulate(mistakes=0.03)) == ()


def test_unknown_labels_take_no_part():
    labels = simulate()
    unknown = np.random.default_rng(1).random(labels.shape) < 0.3
    known_only = np.where(unknown, -1, labels).astype(np.int16)
    (relation,) = learn(known_only)
    assert relation.classes == learn(labels)[0].classes
    labels[:, 0] = -1
    assert learn(labels) == ()


def test_a_class_of_which_nothing_is_known_stays_free_and_one_with_one_member_is_mapped():
    labels = simulate()
    labels[labels[:, 1] == 7, 0] = -1
    of_six = np.flatnonzero(labels[:, 1] == 6)
    labels[of_six[1:], 1] = 5
    (relation,) = learn(labels)
    assert "kind 7" not in relation.classes
    assert relation.classes["kind 6"] == "bag"


def test_a_class_of_leftovers_stays_free():
    labels = simulate(1000)
    leftovers = np.flatnonzero(labels[:, 1] == 7)[:12]
    rest = np.setdiff1d(np.flatnonzero(labels[:, 1] == 7), leftovers)
    labels[rest, 1] = 0
    labels[leftovers, 0] = np.arange(12) % 3
    (relation,) = learn(labels)
    assert "kind 7" not in relation.classes
    assert len(relation.classes) == 7


@given(st.integers(0, 10**6))
def test_classes_with_few_members_determine_nothing_by_chance(seed):
    """Two hundred classes among four hundred images: every second one alone, the others in pairs or so."""
    generator = np.random.default_rng(seed)
    many = Target("serial", "categorical", tuple(map(str, range(200))))
    labels = np.stack([generator.integers(0, 200, N), generator.integers(0, 2, N)], axis=1).astype(np.int16)
    two = Target("side", "categorical", ("left", "right"))
    assert learn(labels, targets=Targets((many, two))) == ()
    labels[:, 0] = np.arange(N) % 200
    labels[200:, 0] = 0  # all alone but one
    assert learn(labels, targets=Targets((many, two))) == ()


def test_a_parent_that_is_nearly_always_the_same_is_not_determined():
    """The commonest class alone would be right for 99.5 %, above what is asked of a relation."""
    labels = simulate(4000)
    labels[:, 0] = 0
    labels[np.random.default_rng(0).permutation(4000)[:20], 0] = 1
    assert learn(labels) == ()


def test_copies_are_no_evidence():
    labels = simulate(2 * MIN_EVIDENCE)
    assert learn(labels)[0].parent == "family"
    few = np.tile(labels[:10], (40, 1))
    assert learn(few, np.tile(np.arange(10), 40)) == ()


def test_of_two_names_for_the_same_one_determines_the_other():
    labels = simulate()
    twin = Target("code", "categorical", tuple(f"code {number}" for number in range(len(FAMILY))))
    both = np.stack([labels[:, 1], labels[:, 1]], axis=1)
    relations = learn(both, targets=Targets((KIND, twin)))
    assert [(one.child, one.parent) for one in relations] == [("kind", "code")]


def test_a_chain_is_found_with_what_it_implies():
    labels = simulate()
    hard = Target("hard", "categorical", ("no", "yes"))
    chain = np.concatenate([labels[:, :2], (labels[:, :1] == 2).astype(np.int16)], axis=1)
    relations = learn(chain, targets=Targets((PART_OF, KIND, hard)))
    assert [(one.child, one.parent) for one in relations] == [("kind", "family"), ("kind", "hard"), ("family", "hard")]
