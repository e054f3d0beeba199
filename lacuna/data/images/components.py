"""Connected components of images that resemble one another, grown pair by pair."""

import numpy as np
from numpy.typing import NDArray


class Components:
    """Sets of the numbers 0 to n - 1, each alone at first; a set is named by its smallest member.

    One int64 a number: scipy's DisjointSet takes half a kilobyte.

    >>> sets = Components(5)
    >>> sets.join(np.array([4, 2]), np.array([2, 1]))
    >>> sets.names(np.arange(5))
    array([0, 1, 1, 3, 1])
    """

    def __init__(self, n: int) -> None:
        self._smaller = np.arange(n, dtype=np.int64)  # a member of the same set, itself only in the smallest

    def names(self, members: NDArray[np.int64]) -> NDArray[np.int64]:
        """The smallest number in the set of each of `members`, int64 of the same shape."""
        names = self._smaller[members]
        while True:
            smaller = self._smaller[names]
            if np.array_equal(smaller, names):
                self._smaller[members] = names  # a step next time
                return names
            names = smaller

    def join(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> None:
        """Make one set of those of `left[i]` and `right[i]`, for each i."""
        while True:
            names = self.names(np.stack([left, right]))
            apart = names[0] != names[1]
            if not apart.any():
                return
            low, high = np.sort(names[:, apart], axis=0)
            np.minimum.at(self._smaller, high, low)  # of several sets to join, the next turn takes the others
            left, right = left[apart], right[apart]
