"""A sample of the images that depends on nothing but their names, their strata and its size."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence
from hashlib import blake2b

from lacuna.errors import LacunaError


def stratified_sample(names: Sequence[str], strata: Sequence[str], n: int) -> list[str]:
    """Return `n` of the `names`, in their order, of each stratum in proportion to its size and at least one.

    Seats are given out by Sainte-Laguë's method and filled by the order of the names' hashes: a larger sample holds
    the smaller one. Raises LacunaError when there are more strata than `n`.
    """
    if n >= len(names):
        return list(names)
    size = Counter(strata)
    if n < len(size):
        raise LacunaError(
            f"data.max_images = {n}: expected at least {len(size)}, an image of each class in each split that the data "
            "brings, or 0 for all"
        )
    seats = dict.fromkeys(size, 1)
    waiting = [(-size[stratum] / 3, stratum) for stratum in size if size[stratum] > 1]
    heapq.heapify(waiting)
    for _ in range(n - len(size)):
        _, stratum = heapq.heappop(waiting)
        seats[stratum] += 1
        if seats[stratum] < size[stratum]:
            heapq.heappush(waiting, (-size[stratum] / (2 * seats[stratum] + 1), stratum))
    members: dict[str, list[str]] = defaultdict(list)
    for name, stratum in zip(names, strata, strict=True):
        members[stratum].append(name)
    chosen = {name for stratum in members for name in sorted(members[stratum], key=_hash)[: seats[stratum]]}
    return [name for name in names if name in chosen]


def _hash(name: str) -> bytes:
    return blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).digest()
