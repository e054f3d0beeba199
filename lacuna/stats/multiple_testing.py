"""Many tests at once: some come out small by luck."""

from collections.abc import Sequence

import numpy as np

from lacuna.core.scores import Floats

SAME_SCORE = 1e-9
"""Standardised statistics that are equal but for rounding differ by less."""


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values: where they stay below alpha, so does the chance of even one false claim (Holm 1979).

    >>> [round(adjusted, 6) for adjusted in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    stepped = np.asarray(p, dtype=np.float64)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return [float(value) for value in adjusted]


def westfall_young(statistics: Floats) -> list[float]:
    """Adjusted p-values of permutation tests, with the promise of `holm`, from few permutations of each.

    statistics (n_tests, 1 + permutations): of each test the observed value first, then those of permuted data; high
    values speak against chance. Each row is standardised by its own mean and deviation; a test's adjusted p is the
    share of columns whose highest value reaches the observed one (maxT, Westfall and Young 1993, step-down: the tests
    with higher observed values no longer count). The smallest possible is 1 / (1 + permutations) for any number of
    tests, where Holm's correction would multiply it by that number and ask for as many more permutations.

    The highest values are of tests that are permuted independently, or together. Where tests depend on each other in
    another way, the chance of a false claim is still bounded by the sum of theirs, which at small levels is the same.

    >>> westfall_young(np.array([[5.0, 1, 0, 1], [1.0, 1, 0, 0]]))
    [0.25, 0.5]
    """
    centred = statistics - statistics.mean(axis=1, keepdims=True)
    deviation = centred.std(axis=1, keepdims=True)
    scores = np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > SAME_SCORE)
    ascending = np.argsort(scores[:, 0], kind="stable")
    highest = np.maximum.accumulate(scores[ascending], axis=0)
    p = (highest >= scores[ascending, :1] - SAME_SCORE).mean(axis=1)
    adjusted = np.empty(len(p))
    adjusted[ascending[::-1]] = np.maximum.accumulate(p[::-1])
    return [float(value) for value in adjusted]
