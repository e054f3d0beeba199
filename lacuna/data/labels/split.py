"""Group-aware, stratified and lasting split of partly labelled images.

A group's part follows from a hash of what identifies it, so that it does not depend on which other images there are.
Then the cells {each class, unknown} of every target that a part holds too few or too many of are repaired, with few
moves. A part that was decided before is kept: who adds images must not find yesterday's test images in training.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from lacuna.config.blocks import Split
from lacuna.core.manifest import PARTS

TRAIN, VAL, TEST = (PARTS.index(part) for part in ("train", "val", "test"))
NOT_GIVEN = -1

MOST_KEPT = (TEST, VAL, TRAIN)
"""Which part wins where groups of several parts have become one: what was scored on stays unseen."""

TOLERANCE = 0.1
"""A part may hold a tenth more or less of a cell than its share, or one group."""


def deal(
    labels: NDArray[np.int16],
    group: NDArray[np.int64],
    identity: Sequence[str],
    shares: Sequence[float],
    seed: int,
    former: NDArray[np.int8] | None = None,
) -> NDArray[np.int8]:
    """Return the number of each image's part, int8 `(n,)`, for parts of the given `shares` (sum 1).

    `labels`: class indices `(n, n_targets)`, -1 unknown. `group`: images of equal number stay together, `(n,)`.
    `identity`: what an image is known by whatever else there is, `(n,)`; a group is known by the least of its images.
    `former`: the part of an earlier split or NOT_GIVEN, `(n,)`; it is kept where its share is not 0.

    Neither the order of the images nor the numbers of the groups matter. A part holds of all images, and of each class
    or gap, its share within TOLERANCE or one group, as far as former parts and the groups allow; a class or gap of at
    least as many groups as there are parts is in each of them.
    """
    if not len(labels):
        return np.zeros(0, dtype=np.int8)
    _, group = np.unique(group, return_inverse=True)
    n_groups = int(group.max()) + 1
    known_by: dict[int, str] = {}
    for g, name in zip(group.tolist(), identity, strict=True):
        known_by[g] = min(name, known_by.get(g, name))
    ranks = np.array([_rank(seed, known_by[g]) for g in range(n_groups)])

    bounds = np.cumsum([shares[TEST], shares[VAL]])
    part = np.array([TEST, VAL, TRAIN], dtype=np.int8)[np.searchsorted(bounds, ranks, side="right")]
    fixed = np.zeros(n_groups, dtype=bool)
    for place in reversed(MOST_KEPT) if former is not None else ():
        if shares[place]:
            kept = group[former == place]
            part[kept], fixed[kept] = place, True
    _repair(part, ~fixed, _count_cells(labels, group), np.asarray(shares, dtype=float), ranks)
    return part[group]


def _rank(seed: int, identity: str) -> float:
    """A number from 0 to 1 that depends on nothing else."""
    digest = blake2b(f"{seed} {identity}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _count_cells(labels: NDArray[np.int16], group: NDArray[np.int64]) -> csr_array:
    """How many images of each cell are in each group: (n_groups, 1 + cells). The first cell is all images."""
    cells = labels.astype(np.int64) + 1
    starts = 1 + np.concatenate([[0], np.cumsum(cells.max(axis=0) + 1)[:-1]]).astype(np.int64)
    cells = np.column_stack([np.zeros(len(labels), np.int64), cells + starts])
    of_group = np.repeat(group, cells.shape[1])
    return csr_array((np.ones(cells.size), (of_group, cells.ravel())))


def _wanted_and_tolerated(count: csr_array, shares: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """How many images of each cell each part should hold, and how far it may be off: (parts, cells) both."""
    n = count.sum(axis=0)
    wanted = np.outer(shares, n)
    n_groups = count.count_nonzero(axis=0)
    share = n / np.maximum(n_groups, 1)  # images of a group
    is_split = (n_groups >= np.count_nonzero(shares)) & (shares > 0)[:, None]
    wanted = np.where(is_split, np.maximum(wanted, share), wanted)
    largest = int(np.argmax(shares))
    wanted[largest] = n - (wanted.sum(axis=0) - wanted[largest])
    smallest = shares[shares > 0].min()
    tolerated = np.maximum(TOLERANCE * smallest * n, share)
    # Not even one group off where that would leave a part without the cell.
    return wanted, np.minimum(tolerated, np.where(is_split, wanted - share / 2, np.inf).clip(min=0))


def _repair(
    part: NDArray[np.int8],
    is_free: NDArray[np.bool_],
    count: csr_array,
    shares: NDArray[np.float64],
    ranks: NDArray[Any],
) -> None:
    """Move free groups, in place, until each part holds its share of each cell or no move brings it nearer.

    One group at a time, for the cell that is furthest from what is tolerated; of the groups that could be moved, the
    one whose move brings all cells together nearest to their shares.
    """
    wanted, tolerated = _wanted_and_tolerated(count, shares)
    weight = 1 / np.maximum(count.sum(axis=0), 1)
    surplus = np.stack([count[part == place].sum(axis=0) for place in range(len(shares))]) - wanted
    given_up = np.broadcast_to(shares == 0, surplus.T.shape).T.copy()
    has_moved = False
    by_cell = count.tocsc()
    while True:
        excess = np.where(given_up, 0, np.abs(surplus) - tolerated) * weight
        place, cell = divmod(int(np.argmax(excess)), excess.shape[1])
        if excess[place, cell] <= 1e-9:
            if not has_moved:
                return
            given_up[shares > 0] = has_moved = False  # what could not be helped before may be helped now
            continue
        holders = by_cell.indices[by_cell.indptr[cell] : by_cell.indptr[cell + 1]]
        moves: list[tuple[float, int, int, int]] = []
        for other in np.flatnonzero(shares).tolist():
            source, goal = (place, other) if surplus[place, cell] > 0 else (other, place)
            movable = holders[(part[holders] == source) & is_free[holders]]
            if source == goal or not len(movable):
                continue
            # Of the sum of squares (source - k)^2 + (goal + k)^2 of a move, what depends on k.
            held = count[movable]
            change = (held.power(2) @ weight + held @ (weight * (surplus[goal] - surplus[source]))).round(9)
            best = np.lexsort((ranks[movable], change))[0]
            moves.append((float(change[best]), source, goal, int(movable[best])))
        gain, source, goal, chosen = min(moves, default=(0.0, 0, 0, 0))
        if gain >= 0:
            given_up[place, cell] = True
            continue
        part[chosen], has_moved = goal, True
        row = count[[chosen]].toarray()[0]
        surplus[source] -= row
        surplus[goal] += row


def completed_split(
    given: NDArray[np.int8],
    labels: NDArray[np.int16],
    group: NDArray[np.int64],
    identity: Sequence[str],
    split: Split,
    former: NDArray[np.int8],
) -> NDArray[np.int8]:
    """Fill in a split that the data set brings: `given` is the part of each image or NOT_GIVEN, `(n,)`.

    What is given is kept. An image without a part follows its group where that has one; the others are dealt into the
    parts that are not given, and keep their `former` part (`deal`) where that is one of these. When no image is given
    as val, val is cut from the images given as train, groups whole; so is test when every image is given a part and
    none is test.
    """
    part = given.copy()
    whole = np.zeros(len(PARTS))
    whole[[TRAIN, VAL, TEST]] = 1 - split.val - split.test, split.val, split.test

    def deal_into(here: NDArray[np.bool_], places: list[int]) -> None:
        shares = np.where(np.isin(range(len(PARTS)), places), whole, 0)
        names = [name for name, is_here in zip(identity, here, strict=True) if is_here]
        part[here] = deal(labels[here], group[here], names, shares / shares.sum(), split.seed, former[here])

    pool = given == TRAIN
    lacking = [VAL] * (not (given == VAL).any()) + [TEST] * (not np.isin(given, [TEST, NOT_GIVEN]).any())
    if pool.any() and lacking:
        deal_into(pool, [TRAIN, *lacking])
    for place in (TEST, VAL, TRAIN):  # in a group that is spread over parts already, train wins
        part[(given == NOT_GIVEN) & np.isin(group, group[part == place])] = place
    rest = (part == NOT_GIVEN) & (given == NOT_GIVEN)
    deal_into(rest, [TRAIN] + [place for place in (VAL, TEST) if not (given == place).any()])
    return part
