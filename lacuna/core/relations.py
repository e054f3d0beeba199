"""Decisions that do not contradict each other, where one target's class determines another's.

A relation says which class of its parent each class of its child belongs to: a Shirt is Topwear, Topwear is Apparel. Of
all combinations that fit the relations, the most probable one is decided for (`lacuna.calibration.consistency`). Module
`lacuna.data.labels.hierarchy` finds the relations. Numpy only, so that a server can use it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lacuna.core.targets import Targets
from lacuna.errors import LacunaError
from lacuna.io.atomic import read_json, write_json


@dataclass(frozen=True)
class Relation:
    """The child's class determines the parent's: `classes` maps one to the other, by name.

    A class of the child that is not in `classes` fits every class of the parent. So does a class of the parent that
    none of the child's is mapped to: nobody knows what belongs to it. `agreement`, 0 to 1, is the share of training
    groups whose parent class the other groups of their child class predict.
    """

    child: str
    parent: str
    classes: Mapping[str, str]
    agreement: float

    def to_json(self) -> dict[str, Any]:
        return {
            "child": self.child,
            "parent": self.parent,
            "agreement": self.agreement,
            "classes": dict(self.classes),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Relation":
        return cls(content["child"], content["parent"], dict(content["classes"]), content["agreement"])


Relations = tuple[Relation, ...]


def save_relations(path: Path, relations: Relations) -> None:
    write_json(path, [relation.to_json() for relation in relations])


def load_relations(path: Path, targets: Targets) -> Relations:
    """Read what `save_relations` wrote, as far as it concerns `targets`: see `relevant`."""
    if not path.is_file():
        raise LacunaError(f"{path}: no such file; run `dvc repro prepare` first")
    return relevant(tuple(Relation.from_json(relation) for relation in read_json(path)), targets)


def relevant(relations: Relations, targets: Targets) -> Relations:
    """The relations between `targets` that say something of their own.

    Of articleType → subCategory → masterCategory and articleType → masterCategory the last is left out, because the
    others imply it. What remains are trees: a relation that would close a circle is left out too.
    """
    known = [relation for relation in relations if {relation.child, relation.parent} <= set(targets.names)]
    pairs = {(relation.child, relation.parent) for relation in known}
    tree = {name: name for name in targets.names}
    kept = []
    for relation in known:
        child, parent = relation.child, relation.parent
        between = any((child, name) in pairs and (name, parent) in pairs for name in targets.names)
        if not between and tree[child] != tree[parent]:
            joined = tree[parent]
            tree = {name: tree[child] if root == joined else root for name, root in tree.items()}
            kept.append(relation)
    return tuple(kept)
