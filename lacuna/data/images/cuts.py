"""Where a list of names is cut into shards: by the names themselves, so that a few names more change few shards.

A shard ends behind a name whose hash says so, as files are cut by content for deduplication (Muthitacharoen et al.
2001, LBFS). Behind a change the cuts are the former ones from the next such name on.
"""

from collections.abc import Sequence
from hashlib import blake2b

FEWEST, MOST = 256, 2048
"""How many names a shard has, the last one apart, which may have fewer."""

ENDS = 512
"""One of so many names may end a shard: shards of 740 names in the mean."""


def cut_names(names: Sequence[str]) -> list[slice]:
    """The shards of one or more names, in order, as slices of them: without gaps, none empty.

    >>> cut_names([f"{number}.png" for number in range(3000)])[0]
    slice(0, 1378, None)
    """
    shards, start = [], 0
    for end, name in enumerate(names, start=1):
        n = end - start
        if n == MOST or (n >= FEWEST and _may_end(name)):
            shards.append(slice(start, end))
            start = end
    return [*shards, slice(start, len(names))] if start < len(names) else shards


def _may_end(name: str) -> bool:
    digest = blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % ENDS == 0
