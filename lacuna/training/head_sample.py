"""Samples of a target's rows by class, so that rare classes are in them, and how noisy they are."""

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats


def draw_sample(
    labels: NDArray[np.integer], group: NDArray[np.int64], size: int, seed: int
) -> tuple[NDArray[np.intp], Floats]:
    """`size` of n rows, n being more: their places in order, and for how many rows of its class each stands.

    labels (n,): classes, of which each has an equal share of the sample or, if there are fewer, all its rows (Fithian
    & Hastie 2014). Groups come in random order; no more than one of each class is cut apart.
    """
    names, member = np.unique(group, return_inverse=True)
    order = np.argsort(np.random.default_rng(seed).permutation(len(names))[member], kind="stable")
    counts = np.bincount(labels)
    quotas = equal_shares(counts, size)
    drawn = [order[labels[order] == index][:quota] for index, quota in enumerate(quotas)]
    places = np.sort(np.concatenate(drawn))
    return places, (counts / np.maximum(quotas, 1))[labels[places]]


def equal_shares(counts: NDArray[np.integer], total: int) -> NDArray[np.int64]:
    """`total` shared out among classes that have so many each, no more than `counts` together: equally, as far as each
    has as many.

    >>> equal_shares(np.array([2, 100, 100]), 101)
    array([ 2, 49, 50])
    """
    shares = np.zeros(len(counts), np.int64)
    left = total
    for done, index in enumerate(np.argsort(counts, kind="stable")):
        shares[index] = min(int(counts[index]), left // (len(counts) - done))
        left -= int(shares[index])
    return shares


def relative_noise(
    labels: NDArray[np.integer], weight: Floats, all_labels: NDArray[np.integer], all_weight: Floats
) -> float:
    """How many times the variance of the loss's slope is in a sample what it is in all rows, both weighted.

    As many times as strong must a penalty be to hold back as much of it: of equal weights n / n_sample. Slopes are
    those of the class shares, which is where a head begins; of a single class there are none, and 1 is returned.
    """
    noise = _noise(all_labels, all_weight)
    return _noise(labels, weight) / noise if noise > 0 else 1.0


def _noise(labels: NDArray[np.integer], weight: Floats) -> float:
    """The variance of the mean slope in the logits, over n rows."""
    of_class, squares = np.bincount(labels, weight), np.bincount(labels, weight**2)
    shares = of_class / of_class.sum()
    away = 1 - 2 * shares + (shares**2).sum()  # from a row of that class to the shares, squared
    return float(squares @ away / of_class.sum() ** 2)
