"""A sample of the images that depends on nothing but their names, their strata and its size."""

import math
from collections import defaultdict
from collections.abc import Sequence
from hashlib import blake2b

from lacuna.errors import LacunaError


def stratified_sample(names: Sequence[str], strata: Sequence[str], n: int) -> list[str]:
    """Return `n` of the `names`, in their order, of each stratum in proportion to its size and at least one.

    Images are taken in the order of their ranks by Sainte-Laguë's method: the k-th of a stratum, by the hash of its
    name, has rank size / (2 k + 1), and the first ones come before all. So a larger sample holds the smaller one.
    Raises LacunaError when there are more strata than `n`.
    """
    if n >= len(names):
        return list(names)
    members: dict[str, list[str]] = defaultdict(list)
    for name, stratum in zip(names, strata, strict=True):
        members[stratum].append(name)
    if n < len(members):
        raise LacunaError(
            f"data.max_images = {n}: expected at least {len(members)}, an image of each class in each split that the "
            "data brings, or 0 for all"
        )
    ranked = sorted(
        (-len(inside) / (2 * place + 1) if place else -math.inf, stratum, name)
        for stratum, inside in members.items()
        for place, name in enumerate(sorted(inside, key=_hash))
    )
    chosen = {name for _, _, name in ranked[:n]}
    return [name for name in names if name in chosen]


def _hash(name: str) -> bytes:
    return blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).digest()
