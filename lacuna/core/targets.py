"""What is predicted: the targets, their classes, and where each one's logits stand."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from lacuna.io.atomic import read_json, write_json
from lacuna.io.names import UNPRINTABLE

Kind = Literal["binary", "categorical"]

UNKNOWN = -1
"""The label of a cell that nobody filled in. It is masked out everywhere and never counts as class 0."""

TOO_RARE = -2
"""The label of a cell whose class has too few images to be one of the target's. It is masked out like an unknown one,
but somebody filled it in: such an image is none of those whose label is missing."""

RESERVED_NAMES = frozenset({"image", "row", "split", "group", "error", "unfamiliar", "macro"})
"""The own columns of manifest and files of predictions, and the row of means over all targets among those of metrics:
no target may be called that."""

MAX_NAME_BYTES = 100
"""Of a target's name in UTF-8. It becomes part of names of files, columns and metrics, which systems keep short."""


def check_name(name: str) -> None:
    """Raise ValueError when a target cannot be called `name`, because files, columns and metrics are named after it."""
    if not name.strip():
        wrong = "it is empty"
    elif name != name.strip():
        wrong = "it begins or ends with a blank"
    elif found := next((character for character in "./\\" if character in name), ""):
        wrong = f"it holds {found!r}, which names of files and metrics cannot"
    elif UNPRINTABLE.search(name):
        wrong = "it holds a control character"
    elif name in RESERVED_NAMES:
        wrong = f"taken are {', '.join(sorted(RESERVED_NAMES))}"
    elif (n_bytes := len(name.encode())) > MAX_NAME_BYTES:
        wrong = f"it takes {n_bytes} bytes in UTF-8, at most {MAX_NAME_BYTES} fit into the names of files and metrics"
    else:
        return
    raise ValueError(f"target name {name[:MAX_NAME_BYTES]!r}: {wrong}; give it another name, in the label file too")


@dataclass(frozen=True)
class Target:
    """One column to predict.

    A binary target has the two classes (absent, present) and one logit, the log-odds of "present". A
    categorical one has a logit per class. A class may be called anything in one line, in any length.
    """

    name: str
    kind: Kind
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.kind == "binary" and len(self.classes) != 2:
            raise ValueError(
                f"target {self.name}: expected 2 classes for a binary target, received {len(self.classes)}"
            )
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"target {self.name}: its classes must differ from each other")
        for word in self.classes:
            if not word or UNPRINTABLE.search(word):
                raise ValueError(f"target {self.name}: class {word!r} is empty or holds a control character")

    @property
    def n_classes(self) -> int:
        return len(self.classes)

    @property
    def n_logits(self) -> int:
        return 1 if self.kind == "binary" else len(self.classes)


@dataclass(frozen=True)
class Targets:
    """All targets of a model, in the order of the label columns.

    >>> kind = Target("kind", "categorical", ("bag", "shoe", "hat"))
    >>> targets = Targets((kind, Target("red", "binary", ("no", "yes"))))
    >>> targets.n_logits, targets.slices
    (4, (slice(0, 3, None), slice(3, 4, None)))
    """

    items: tuple[Target, ...]

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.items):
            raise ValueError(f"target names must differ from each other, received {list(self.names)}")
        alike: dict[str, str] = {}
        for name in self.names:
            other = alike.setdefault(unicodedata.normalize("NFKC", name).casefold(), name)
            if other != name:
                raise ValueError(
                    f"target names {other!r} and {name!r} differ by case or Unicode form alone, and so would their "
                    "files, which many systems take for the same; expected names that differ by more"
                )

    def __iter__(self) -> Iterator[Target]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Target:
        return self.items[index]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(target.name for target in self.items)

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """Each target's columns of the logits."""
        slices, start = [], 0
        for target in self.items:
            slices.append(slice(start, start + target.n_logits))
            start += target.n_logits
        return tuple(slices)

    @property
    def n_logits(self) -> int:
        return sum(target.n_logits for target in self.items)

    def take(self, indices: Iterable[int]) -> "Targets":
        """The targets at `indices`."""
        return Targets(tuple(self.items[index] for index in indices))

    def to_json(self) -> list[dict[str, object]]:
        return [{"name": t.name, "kind": t.kind, "classes": list(t.classes)} for t in self.items]

    @classmethod
    def from_json(cls, content: list[dict[str, object]]) -> "Targets":
        return cls(tuple(Target(t["name"], t["kind"], tuple(t["classes"])) for t in content))  # type: ignore[arg-type]

    def save(self, path: Path) -> None:
        write_json(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> "Targets":
        return cls.from_json(read_json(path))


def counted_classes(target: Target) -> range:
    """The classes that a co-occurrence is told of: of a binary target "present" alone says it all."""
    return range(1, 2) if target.kind == "binary" else range(target.n_classes)
