"""Groups of images that belong together: found by union-find from pairs that do, and one image drawn of each."""

import numpy as np
from numpy.typing import NDArray


class DisjointSets:
    """The numbers 0 to n-1, each alone at first, joined pair by pair (Tarjan 1975, path halving).

    >>> sets = DisjointSets(4)
    >>> sets.join(3, 1)
    >>> sets.smallest_members()
    array([0, 1, 2, 1])
    """

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def _root(self, member: int) -> int:
        parent = self._parent
        while parent[member] != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member

    def join(self, one: int, other: int) -> None:
        one, other = self._root(one), self._root(other)
        self._parent[max(one, other)] = min(one, other)

    def joined(self, one: int, other: int) -> bool:
        return self._root(one) == self._root(other)

    def smallest_members(self) -> NDArray[np.int64]:
        """For each number the smallest one of its set, int64 `(n,)`."""
        return np.array([self._root(member) for member in range(len(self._parent))], dtype=np.int64)


def one_of_each(group: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.intp]:
    """The places of one image of each group, drawn at random, in their order."""
    order = generator.permutation(len(group))
    _, first = np.unique(group[order], return_index=True)
    return np.sort(order[first])


def design_effect(group: NDArray[np.int64]) -> float:
    """How many images (n,) count as one independent image, if those of a group are all alike (Kish 1965).

    >>> design_effect(np.array([1, 1, 2, 3]))
    1.5
    """
    sizes = np.unique(group, return_counts=True)[1]
    return float((sizes**2).sum() / sizes.sum())


def independent_sample(group: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.intp]:
    """The places of n / design_effect images of different groups, drawn at random, in their order.

    Unlike one image of each group, large groups are as likely in it as they are among the images.
    """
    order = generator.permutation(len(group))
    _, first = np.unique(group[order], return_index=True)
    wanted = int(len(group) / design_effect(group)) if len(group) else 0
    return np.sort(order[np.sort(first)[:wanted]])


def assign_folds(group: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.intp]:
    """A fold 0 to folds - 1 for each image (n,): random, groups whole, equally many groups in each."""
    names, member = np.unique(group, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    assigned: NDArray[np.intp] = (order % folds)[member]
    return assigned
