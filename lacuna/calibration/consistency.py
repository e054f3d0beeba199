"""Decisions that do not contradict each other, where one target's class determines another's.

Of all combinations that fit the relations, the most probable one is decided for. Numpy only, so that a server can use
it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.core.relations import Relations, relevant
from lacuna.core.scores import Floats, Labels
from lacuna.core.targets import Targets
from lacuna.errors import LacunaError


@dataclass(frozen=True)
class Constraint:
    """A relation in numbers: the child's and the parent's place among the targets, and which classes of theirs fit
    together, `fits` (n_classes of the child, n_classes of the parent)."""

    child: int
    parent: int
    fits: NDArray[np.bool_]


def constraints_of(relations: Relations, targets: Targets) -> list[Constraint]:
    """The relations in numbers. Raises LacunaError when one names a target or class that is none of `targets`."""
    constraints = []
    for relation in relations:
        try:
            child, parent = (targets.names.index(name) for name in (relation.child, relation.parent))
            pairs = [
                (targets[child].classes.index(child_class), targets[parent].classes.index(parent_class))
                for child_class, parent_class in relation.classes.items()
            ]
        except ValueError:
            raise LacunaError(
                f"the relation {relation.child} → {relation.parent} does not fit the targets: run `dvc repro calibrate`"
            ) from None
        fits = np.zeros((targets[child].n_classes, targets[parent].n_classes), dtype=bool)
        for child_class, parent_class in pairs:
            fits[child_class, parent_class] = True
        unmapped, without_child = ~fits.any(axis=1), ~fits.any(axis=0)
        fits[unmapped] = True
        fits[:, without_child] = True
        constraints.append(Constraint(child, parent, fits))
    if len(relevant(relations, targets)) < len(relations):
        raise LacunaError("the relations between targets close a circle: run `dvc repro calibrate`")
    return constraints


def contradicting(constraints: Sequence[Constraint], decisions: Sequence[Labels]) -> NDArray[np.bool_]:
    """Where decisions, per target arrays of one shape, break a constraint."""
    broken = np.zeros(decisions[0].shape, dtype=bool)
    for constraint in constraints:
        broken |= ~constraint.fits[decisions[constraint.child], decisions[constraint.parent]]
    return broken


def connected(constraints: Sequence[Constraint]) -> list[int]:
    """The places of the targets that take part in a constraint, in the order of the targets."""
    return sorted({place for constraint in constraints for place in (constraint.child, constraint.parent)})


def most_probable(constraints: Sequence[Constraint], scores: Mapping[int, Floats]) -> dict[int, NDArray[np.intp]]:
    """The consistent combination with the largest sum of log probabilities: per connected target classes (n,).

    `scores` holds for each connected target its log probabilities (n, n_classes), up to a constant per image. Exact:
    max-sum over trees (Pearl 1988), from the leaves to a root and back.
    """
    neighbours: dict[int, list[tuple[int, NDArray[np.bool_]]]] = {place: [] for place in connected(constraints)}
    for constraint in constraints:
        neighbours[constraint.child].append((constraint.parent, constraint.fits))
        neighbours[constraint.parent].append((constraint.child, constraint.fits.T))

    decisions: dict[int, NDArray[np.intp]] = {}
    for root in neighbours:
        if root in decisions:
            continue
        order = _from_root(root, neighbours)
        totals = {root: scores[root], **{place: scores[place] for place, _, _ in order}}
        for place, towards, fits in reversed(order):  # what the best fitting class behind each class adds
            totals[towards] = totals[towards] + np.stack([totals[place][:, row].max(axis=1) for row in fits], axis=1)
        decisions[root] = totals[root].argmax(axis=1)
        for place, towards, fits in order:
            decisions[place] = np.where(fits[decisions[towards]], totals[place], -np.inf).argmax(axis=1)
    return decisions


def _from_root(
    root: int, neighbours: Mapping[int, list[tuple[int, NDArray[np.bool_]]]]
) -> list[tuple[int, int, NDArray[np.bool_]]]:
    """The targets of a tree but its root, each after its neighbour towards the root: (target, neighbour, what fits)."""
    order: list[tuple[int, int, NDArray[np.bool_]]] = []
    seen, waiting = {root}, [root]
    while waiting:
        towards = waiting.pop()
        for place, fits in neighbours[towards]:
            if place not in seen:
                seen.add(place)
                waiting.append(place)
                order.append((place, towards, fits))
    return order
