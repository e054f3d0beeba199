"""The bootstrap over groups: how far a metric could be off, where copies of an image are no new evidence."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats

NUMBERS_AT_ONCE = 2_000_000
"""Replicates are worked in chunks of about this many numbers per array, so that memory stays bounded."""


def group_weights(group: NDArray[np.int64], replicates: int, seed: int, chunk: int) -> Iterator[Floats]:
    """Yield how often each image counts in bootstrap replicates, (at most `chunk`, n) at a time.

    Each replicate draws as many groups as there are, with replacement; a group's images count alike. The draws
    depend on the seed alone, not on the chunk. One group yields nothing: it cannot tell how far another one would be.
    """
    generator = np.random.default_rng(seed)
    names, member = np.unique(group, return_inverse=True)
    for first in range(0, replicates, chunk):
        size = min(chunk, replicates - first)
        if len(names) == 1:
            return
        if len(names) == 0:
            yield np.zeros((size, 0))
            continue
        drawn = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=size)
        yield drawn[:, member].astype(np.float64)


def interval(samples: Floats, confidence: float) -> tuple[float, float] | None:
    """The percentile interval of replicates (replicates,), NaN = undefined; None when most are undefined."""
    defined = samples[~np.isnan(samples)]
    if 2 * len(defined) <= len(samples):
        return None
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)
