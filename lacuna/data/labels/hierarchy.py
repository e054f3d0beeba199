"""Finds, in the training labels, the targets whose class determines another target's: a Shirt is always Topwear.

Real labels hold mistakes, and classes with one member would determine everything. So what counts is how well the class
of an image's parent is foretold by the *other* images of its class, in groups: copies are no new evidence.
"""

import numpy as np
from numpy.typing import NDArray

from lacuna.core.relations import Relation, Relations
from lacuna.core.scores import Labels
from lacuna.core.targets import Target, Targets

MIN_AGREEMENT = 0.99
"""Share of groups that the others of their class must foretell rightly."""

MAX_ERRORS_LEFT = 0.1
"""Of the errors that the parent's commonest class would make for every group, at most this share may remain. Where that
class holds 99 % anyway, agreement alone would show nothing."""

MIN_EVIDENCE = 20
"""So many groups must lie outside of the parent's commonest class."""

MIN_SHARE = 0.9
"""A class of the child is mapped when this share of its groups has one class of the parent. Others, such as a class
`other` that holds leftovers, stay free."""

MIN_MAPPED = 0.85
"""Share of groups in classes that are mapped: else the target determines now and then, which is not what is asked."""


def learn_relations(labels: NDArray[np.int16], group: NDArray[np.int64], targets: Targets) -> Relations:
    """Every relation between two categorical targets, those included that follow from others.

    Labels (n, n_targets) and groups (n,) are the training part's; what is unknown (-1) takes no part. A target
    determines only one with at most as many classes; of two with equally many, the first may determine the second.
    """
    places = [place for place, target in enumerate(targets) if target.kind == "categorical"]
    places.sort(key=lambda place: -targets[place].n_classes)  # stable: the finest first
    found = []
    for rank, child in enumerate(places):
        for parent in places[rank + 1 :]:
            counts = _count_groups(labels[:, child], labels[:, parent], group, targets[child], targets[parent])
            relation = _relate(counts, targets[child], targets[parent])
            if relation is not None:
                found.append(relation)
    return tuple(found)


def describe_relations(relations: Relations) -> str:
    """In words.

    >>> describe_relations((Relation("kind", "family", {"shirt": "top"}, 0.999),))
    'kind determines family (99.9 % agree)'
    """
    return ", ".join(
        f"{relation.child} determines {relation.parent} ({100 * relation.agreement:.4g} % agree)"
        for relation in relations
    )


def _count_groups(
    child: Labels, parent: Labels, group: NDArray[np.int64], child_target: Target, parent_target: Target
) -> NDArray[np.int64]:
    """How many groups hold each pair of classes, (n_classes of the child, n_classes of the parent)."""
    known = (child >= 0) & (parent >= 0)
    votes = np.unique(np.stack([group[known], child[known], parent[known]]), axis=1)
    counts = np.zeros((child_target.n_classes, parent_target.n_classes), dtype=np.int64)
    np.add.at(counts, (votes[1], votes[2]), 1)
    return counts


def _relate(counts: NDArray[np.int64], child: Target, parent: Target) -> Relation | None:
    """The relation that these counts show, if they show one."""
    sizes, commonest = counts.sum(axis=1), counts.argmax(axis=1)
    mapped = counts.max(axis=1) >= np.maximum(MIN_SHARE * sizes, 1)
    judged = counts[mapped & (sizes >= 2)]  # a lone group has no other to foretell it
    n = int(judged.sum())
    without_commonest = int(n - judged.sum(axis=0).max(initial=0))
    if without_commonest < MIN_EVIDENCE or n < MIN_MAPPED * counts[sizes >= 2].sum():
        return None
    wrong = n - _foretold(judged)
    if wrong > (1 - MIN_AGREEMENT) * n or wrong > MAX_ERRORS_LEFT * without_commonest:
        return None
    classes = {child.classes[index]: parent.classes[commonest[index]] for index in np.flatnonzero(mapped)}
    return Relation(child.name, parent.name, classes, round(1 - wrong / n, 6))


def _foretold(counts: NDArray[np.int64]) -> int:
    """Groups whose class of the parent is the commonest among the other groups of their class; ties don't count."""
    total = 0
    for row in counts:
        for place in np.flatnonzero(row):
            others = np.delete(row, place).max(initial=0)
            total += int(row[place]) if row[place] - 1 > others else 0
    return total
