"""Groups of images that belong together: samples with one image of each, folds that keep them whole."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def distinct(values: NDArray[np.integer]) -> NDArray[Any]:
    """The whole numbers that occur (n,), rising. `np.unique` hashes them, which takes many times as long as sorting.

    >>> distinct(np.array([3, 1, 3])).tolist()
    [1, 3]
    """
    rising = np.sort(values)
    occurring: NDArray[Any] = rising[np.diff(rising, prepend=rising[:1] - 1) != 0]
    return occurring


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
