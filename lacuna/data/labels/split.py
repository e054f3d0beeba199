"""Group-aware, stratified and lasting split of partly labelled images.

A group's part follows from a hash of what identifies it, so that it does not depend on which other images there are.
Then the cells {each class, unknown} of every target that a part holds too few or too many of are repaired, with few
moves. A part that was decided before is kept: who adds images must not find yesterday's test images in training.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from lacuna.config.blocks import Split
from lacuna.core.manifest import PARTS

TRAIN, VAL, TEST = (PARTS.index(part) for part in ("train", "val", "test"))
NOT_GIVEN = -1

MOST_KEPT = (TEST, VAL, TRAIN)
"""Which part wins where groups of several parts have become one: what was scored on stays unseen."""

HASHED_AT_ONCE, SUMMED_AT_ONCE = 10_000, 50_000

Identity: TypeAlias = pa.Table
"""What images are known by: `named`, a text that begins with folder or group, null where there is none; then `sha256`
counts, the 32 bytes of its content's hash."""

TOLERANCE = 0.1
"""A part may hold a tenth more or less of a cell than its share, or one group."""


def deal(
    labels: NDArray[np.int16],
    group: NDArray[np.int64],
    identity: Identity,
    shares: Sequence[float] | NDArray[np.float64],
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
    if n_groups < len(group):
        identity = _least_of_groups(identity, group)
    else:  # each image is a group: its own row tells all of it
        group = np.arange(n_groups)
    ranks = _ranks(seed, identity)

    bounds = np.cumsum([shares[TEST], shares[VAL]])
    part = np.array([TEST, VAL, TRAIN], dtype=np.int8)[np.searchsorted(bounds, ranks, side="right")]
    fixed = np.zeros(n_groups, dtype=bool)
    for place in reversed(MOST_KEPT) if former is not None else ():
        if shares[place]:
            kept = group[former == place]
            part[kept], fixed[kept] = place, True
    _repair(part, ~fixed, _count_cells(labels, group), np.asarray(shares, dtype=float), ranks)
    return part[group]


def _least_of_groups(identity: Identity, group: NDArray[np.int64]) -> Identity:
    """What each group is known by, `(n_groups,)`: the hash of a content sorts behind all other texts."""
    of_groups = identity.append_column("group", pa.array(group)).group_by("group", use_threads=False)
    least = of_groups.aggregate([("named", "min"), ("sha256", "min")]).sort_by("group")
    return least.select(["named_min", "sha256_min"]).rename_columns(identity.column_names)


def _ranks(seed: int, identity: Identity) -> NDArray[np.float64]:
    """For each a number from 0 to 1 that depends on nothing else, `(n,)`."""
    ranks = np.empty(len(identity))
    for start in range(0, len(identity), HASHED_AT_ONCE):
        piece = identity.slice(start, HASHED_AT_ONCE)
        named, sha256 = piece["named"].to_pylist(), piece["sha256"].to_pylist()
        known = [f"{seed} {a or f'image {b.hex()}'}".encode() for a, b in zip(named, sha256, strict=True)]
        digests = b"".join(blake2b(text, digest_size=8).digest() for text in known)
        ranks[start : start + len(known)] = np.frombuffer(digests, dtype=">u8") / 2**64
    return ranks


def _count_cells(labels: NDArray[np.int16], group: NDArray[np.int64]) -> csr_array:
    """How many images of each cell are in each group: (n_groups, 1 + cells). The first cell is all images."""
    n_classes = labels.max(axis=0).astype(np.int64) + 2
    shape = len(labels), 1 + labels.shape[1]
    cells = np.zeros(shape, dtype=np.int32 if np.prod(shape) < 2**31 else np.int64)
    cells[:, 1:] = labels
    cells[:, 1:] += 2 + np.concatenate([[0], np.cumsum(n_classes)[:-1]]).astype(np.int32)
    ends = np.cumsum(np.bincount(group)) * cells.shape[1]
    if len(ends) < len(group):
        cells = cells[np.argsort(group, kind="stable")]
    ones = np.ones(cells.size, dtype=np.int32)
    starts = np.append(0, ends).astype(cells.dtype)  # of another type than the cells, SciPy would copy these
    count = csr_array((ones, cells.ravel(), starts), shape=(len(ends), 1 + int(n_classes.sum())))
    count.sum_duplicates()
    return count


def _sum_cells(count: csr_array, part: NDArray[np.int8], n_parts: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many images of each cell are in each part, `(n_parts, n_cells)`, and in how many groups, `(n_cells,)`.

    Piece by piece, because SciPy sums and counts in copies of the whole.
    """
    images = np.zeros((n_parts, count.shape[1]), dtype=np.int64)
    groups = np.zeros(count.shape[1], dtype=np.int64)
    for start in range(0, count.shape[0], SUMMED_AT_ONCE):
        piece, here = count[start : start + SUMMED_AT_ONCE], part[start : start + SUMMED_AT_ONCE]
        images += np.stack([(here == place).astype(np.int64) @ piece for place in range(n_parts)])
        groups += piece.count_nonzero(axis=0)
    return images, groups


def _wanted_and_tolerated(
    n: NDArray[np.int64], n_groups: NDArray[np.int64], shares: NDArray[np.float64]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """How many images of each cell each part should hold, and how far it may be off: (parts, cells) both.

    `n`, `n_groups`: images and groups of each cell, `(n_cells,)`.
    """
    wanted = np.outer(shares, n)
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
    held_by_parts, n_groups = _sum_cells(count, part, len(shares))
    n = held_by_parts.sum(axis=0)
    wanted, tolerated = _wanted_and_tolerated(n, n_groups, shares)
    weight = 1 / np.maximum(n, 1)
    surplus = held_by_parts - wanted
    given_up = np.broadcast_to(shares == 0, surplus.T.shape).T.copy()
    has_moved = False
    by_cell: csc_array | None = None
    while True:
        excess = np.where(given_up, 0, np.abs(surplus) - tolerated) * weight
        place, cell = divmod(int(np.argmax(excess)), excess.shape[1])
        if excess[place, cell] <= 1e-9:
            if not has_moved:
                return
            given_up[shares > 0] = has_moved = False  # what could not be helped before may be helped now
            continue
        if by_cell is None:  # which most splits don't need
            by_cell = count.tocsc()
        holders = by_cell.indices[by_cell.indptr[cell] : by_cell.indptr[cell + 1]]
        moves: list[tuple[float, int, int, int]] = []
        for other in np.flatnonzero(shares).tolist():
            source, goal = (place, other) if surplus[place, cell] > 0 else (other, place)
            movable = holders[(part[holders] == source) & is_free[holders]]
            if source == goal or not len(movable):
                continue
            # Of the sum of squares (source - k)^2 + (goal + k)^2 of a move, what depends on k.
            held = count[movable].astype(np.float64)
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
    identity: Identity,
    split: Split,
    former: NDArray[np.int8],
) -> NDArray[np.int8]:
    """Fill in a split that the data set brings: `given` is the part of each image or NOT_GIVEN, `(n,)`.

    What is given is kept. An image without a part follows its group where that has one; the others keep their `former`
    part where that is val or test, or are dealt into the parts that are not given (`deal`). When no image is given
    as val, val is cut from the images given as train, groups whole; so is test when every image is given a part and
    none is test.
    """
    part = given.copy()
    whole = np.zeros(len(PARTS))
    whole[[TRAIN, VAL, TEST]] = 1 - split.val - split.test, split.val, split.test

    def deal_into(here: NDArray[np.bool_], places: list[int]) -> None:
        shares = np.where(np.isin(range(len(PARTS)), places), whole, 0)
        shares /= shares.sum()
        if here.all():  # mostly, and nothing is copied
            part[:] = deal(labels, group, identity, shares, split.seed, former)
        else:
            known = identity.filter(pa.array(here))
            part[here] = deal(labels[here], group[here], known, shares, split.seed, former[here])

    pool = given == TRAIN
    lacking = [VAL] * (not (given == VAL).any()) + [TEST] * (not np.isin(given, [TEST, NOT_GIVEN]).any())
    if pool.any() and lacking:
        deal_into(pool, [TRAIN, *lacking])
    for place in (TEST, VAL, TRAIN):  # in a group that is spread over parts already, train wins
        part[(given == NOT_GIVEN) & np.isin(group, group[part == place])] = place
    rest = part == NOT_GIVEN
    for place in (VAL, TEST):
        if (given == place).any():
            part[rest & np.isin(group, group[rest & (former == place)])] = place
    rest = part == NOT_GIVEN
    deal_into(rest, [TRAIN] + [place for place in (VAL, TEST) if not (given == place).any()])
    return part
