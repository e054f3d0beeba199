"""Which classes of a target a picture shows, so that a hundred and forty of them stay readable."""

from collections.abc import Sequence
from typing import NamedTuple

from lacuna.io.plurals import number_of


class Shown(NamedTuple):
    """Classes by number: `frequent` and `rarest` are shown, both in falling order of their counts; `rest` are named."""

    frequent: tuple[int, ...]
    rarest: tuple[int, ...]
    rest: tuple[int, ...]

    @property
    def all(self) -> tuple[int, ...]:
        return self.frequent + self.rarest


def shown_classes(counts: Sequence[int], most: int) -> Shown:
    """Choose `most` of the classes that have images: two thirds the most frequent ones, the others the rarest.

    >>> shown_classes([5, 0, 9, 1, 7], 3)
    Shown(frequent=(2, 4), rarest=(3,), rest=(0,))
    >>> shown_classes([5, 0, 9], 3)
    Shown(frequent=(2, 0), rarest=(), rest=())
    """
    order = sorted((index for index, n in enumerate(counts) if n), key=lambda index: (-counts[index], index))
    if len(order) <= most:
        return Shown(tuple(order), (), ())
    rare = most // 3
    top, bottom = order[: most - rare], order[len(order) - rare :]
    return Shown(tuple(top), tuple(bottom), tuple(order[most - rare : len(order) - rare]))


def name_rest(names: Sequence[str], most: int) -> str:
    """The classes that are not shown in words of at most so many characters, "" where there are none.

    >>> name_rest(["hat", "boot", "glove"], 9)
    '3 more classes: hat, boot, …'
    """
    if not names:
        return ""
    shown, length = [], 0
    for name in names:
        length += len(name) + 2
        if length > most + 2:
            shown.append("…")
            break
        shown.append(name)
    return f"{number_of(len(names), 'more class', 'more classes')}: {', '.join(shown)}"
