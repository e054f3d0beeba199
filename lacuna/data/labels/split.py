"""Group-aware stratified split of partly labelled images.

Iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011, algorithm 1) over groups instead of single images, and
over the cells {each class, unknown} of every target.
"""

import numpy as np
from numpy.typing import NDArray

from lacuna.core.manifest import PARTS

TRAIN, VAL, TEST = (PARTS.index(part) for part in ("train", "val", "test"))
NOT_GIVEN = -1


def stratified_split(
    labels: NDArray[np.int16], group: NDArray[np.int64], shares: tuple[float, ...], seed: int
) -> NDArray[np.int8]:
    """Return the number of each image's part, int8 `(n,)`, for parts of the given `shares` (sum 1).

    `labels`: class indices `(n, n_targets)`, -1 unknown. `group`: images of equal number stay together, `(n,)`.

    The cell with the fewest images left comes first; each of its groups, large ones first, goes to the part that lacks
    that cell most among those with room. A part exceeds its share by less than the largest group. A class or gap that
    occurs in at least as many groups as there are parts is wanted by each of them, however small its share.
    Deterministic; takes time in proportion to the cells of all images.
    """
    n, n_targets = labels.shape
    n_parts = len(shares)
    if n == 0:
        return np.zeros(0, dtype=np.int8)
    cells = labels.astype(np.int64) + 1
    cells += np.concatenate([[0], np.cumsum(cells.max(axis=0) + 1)[:-1]]).astype(np.int64)
    n_cells = int(cells.max()) + 1

    _, group = np.unique(group, return_inverse=True)
    n_groups = int(group.max()) + 1
    size = np.bincount(group)
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(size)[:-1])
    pairs = np.unique(np.stack([cells.ravel(), np.repeat(group, n_targets)], axis=1), axis=0)
    generator = np.random.default_rng(seed)
    tie = generator.permutation(n_groups)
    # Groups of each cell, large ones first, equal ones shuffled.
    pairs = pairs[np.lexsort((tie[pairs[:, 1]], -size[pairs[:, 1]], pairs[:, 0]))]
    n_groups_with = np.bincount(pairs[:, 0], minlength=n_cells)
    groups_with = np.split(pairs[:, 1], np.cumsum(n_groups_with)[:-1])

    left = np.bincount(cells.ravel(), minlength=n_cells)
    wanted = np.outer(shares, left)
    enough = n_groups_with >= n_parts
    least = left[enough] / n_groups_with[enough]
    wanted[1:, enough] = np.maximum(wanted[1:, enough], least)
    wanted[0, enough] = left[enough] - wanted[1:, enough].sum(axis=0)
    room = np.array(shares) * n

    part = np.full(n_groups, NOT_GIVEN, dtype=np.int8)
    preference = generator.random((n_groups, n_parts))
    while left.any():
        cell = int(np.argmin(np.where(left > 0, left, n + 1)))
        for g in groups_with[cell].tolist():
            if part[g] != NOT_GIVEN:
                continue
            fits = room >= size[g] - 1e-9
            lack = np.where(fits, wanted[:, cell], -np.inf) if fits.any() else room
            part[g] = np.lexsort((preference[g], room, lack))[-1]
            room[part[g]] -= size[g]
            held = cells[members[g]].ravel()
            np.subtract.at(wanted[part[g]], held, 1)
            np.subtract.at(left, held, 1)
    return part[group]


def completed_split(
    given: NDArray[np.int8], labels: NDArray[np.int16], group: NDArray[np.int64], *, val: float, test: float, seed: int
) -> NDArray[np.int8]:
    """Fill in a split that the data set brings: `given` is the part of each image or NOT_GIVEN, `(n,)`.

    What is given is kept. An image without a part follows its group where that has one, and a stratified split
    otherwise, into the parts that are not given. When no image is given as val, val is cut from the images given as
    train, groups whole; so is test when every image is given a part and none is test.
    """
    part = given.copy()
    pool = given == TRAIN
    lacking = [VAL] * (not (given == VAL).any()) + [TEST] * (not np.isin(given, [TEST, NOT_GIVEN]).any())
    if pool.any() and lacking:
        shares = np.array([1 - val - test, *({VAL: val, TEST: test}[place] for place in lacking)])
        cut = stratified_split(labels[pool], group[pool], tuple(shares / shares.sum()), seed)
        part[pool] = np.array([TRAIN, *lacking], dtype=np.int8)[cut]
    for place in (TEST, VAL, TRAIN):  # in a group that is spread over parts already, train wins
        part[(given == NOT_GIVEN) & np.isin(group, group[part == place])] = place
    rest = (part == NOT_GIVEN) & (given == NOT_GIVEN)
    wanted = np.array([1 - val - test, val, test])
    wanted[[VAL, TEST]] *= [not (given == VAL).any(), not (given == TEST).any()]
    part[rest] = stratified_split(labels[rest], group[rest], tuple(wanted / wanted.sum()), seed)
    return part
