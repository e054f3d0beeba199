"""The labels of benchmarks/gaps.py: two label files, how cells are hidden, and what the three ways make of the gaps."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lacuna.core.targets import UNKNOWN, Target, Targets

Mechanism = Literal["random", "by class"]
Labels = NDArray[np.int16]

WAYS = ("masked", "filled", "dropped")
ODDS = 9.0


@dataclass(frozen=True)
class LabelFile:
    """One of the two label files: its targets, and the labels (n, n_targets) of the training and the test part."""

    name: str
    targets: Targets
    train: Labels
    test: Labels


def hide(labels: Labels, targets: Targets, share: float, mechanism: Mechanism, seed: int) -> Labels:
    """Return the labels (n, n_targets) with a share of each target's known cells made unknown.

    Of a target with k known cells exactly round(share · k) are hidden.

    - random: every known cell alike.
    - by class: the odds of being hidden are 9 times as high for cells of the marked classes as for the others. Marked
      are the second, fourth, … most frequent class of a categorical target; of a binary one "present" and, in every
      second target, "absent". At 50 % marked cells are hidden three times as often as the others. Which labels are
      missing then depends on what they would say: they are not missing at random.
    """
    hidden = labels.copy()
    for index, target in enumerate(targets):
        random = np.random.default_rng([seed, index])
        known = np.flatnonzero(labels[:, index] >= 0)
        n_hidden = round(share * len(known))
        if mechanism == "random":
            chosen = random.choice(known, n_hidden, replace=False)
        else:
            is_marked = marked_classes(labels[known, index], target, index)[labels[known, index]]
            marked, others = known[is_marked], known[~is_marked]
            n_marked = marked_share(len(marked), len(others), n_hidden)
            chosen = np.concatenate(
                [
                    random.choice(marked, n_marked, replace=False),
                    random.choice(others, n_hidden - n_marked, replace=False),
                ]
            )
        hidden[chosen, index] = UNKNOWN
    return hidden


def marked_classes(known: Labels, target: Target, index: int) -> NDArray[np.bool_]:
    """Which of a target's classes are hidden more often, (n_classes,)."""
    marked = np.zeros(target.n_classes, dtype=bool)
    if target.kind == "binary":
        marked[(index + 1) % 2] = True
    else:
        marked[np.argsort(-np.bincount(known, minlength=target.n_classes), kind="stable")[1::2]] = True
    return marked


def marked_share(n_marked: int, n_others: int, n_hidden: int) -> int:
    """How many of `n_hidden` cells are marked ones when their odds of being hidden are ODDS times those of the others.

    With m and u hidden of either, m / (n_marked - m) = ODDS · u / (n_others - u) and m + u = n_hidden.
    """
    low, high = max(0, n_hidden - n_others), min(n_marked, n_hidden)
    counts = np.arange(low, high + 1)
    odds = counts * (n_others - n_hidden + counts) - ODDS * (n_hidden - counts) * (n_marked - counts)
    return int(counts[np.argmin(np.abs(odds))])


def fill(labels: Labels, targets: Targets) -> Labels:
    """Return the labels with every unknown cell said to be absent, or of its target's most frequent known class."""
    filled = labels.copy()
    for index, target in enumerate(targets):
        column = filled[:, index]
        counts = np.bincount(column[column >= 0], minlength=target.n_classes)
        column[column == UNKNOWN] = 0 if target.kind == "binary" else counts.argmax()
    return filled


def as_attributes(columns: LabelFile, count: int = 20) -> LabelFile:
    """The most frequent classes of all columns, none of more than half of the images, as binary targets."""
    shares = {
        (index, code): float(np.mean(columns.train[:, index] == code))
        for index, target in enumerate(columns.targets)
        for code in range(target.n_classes)
    }
    places = sorted((place for place in shares if shares[place] <= 0.5), key=lambda place: -shares[place])[:count]
    names = [f"{columns.targets[index].name} {columns.targets[index].classes[code]}" for index, code in places]

    def encode(labels: Labels) -> Labels:
        each = [np.where(labels[:, i] == UNKNOWN, UNKNOWN, labels[:, i] == code) for i, code in places]
        return np.stack(each, axis=1).astype(np.int16)

    targets = Targets(tuple(Target(name, "binary", ("absent", "present")) for name in names))
    return LabelFile("attributes", targets, encode(columns.train), encode(columns.test))


def treat(labels: Labels, targets: Targets, way: str) -> tuple[NDArray[np.intp], Labels]:
    """The rows to train on and their labels, in one of the three ways."""
    rows = np.arange(len(labels))
    if way == "dropped":
        rows = np.flatnonzero((labels >= 0).all(axis=1))
    return rows, fill(labels, targets) if way == "filled" else labels[rows]
