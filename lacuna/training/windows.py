"""Random order for rows that no memory holds: runs of neighbours are drawn into windows, and mixed there.

A file gives rows that follow each other several times faster than rows here and there (docs/scale.md). So an epoch is
cut into runs; as many as fill a window are read from front to back, and what was read is permuted. Each window has runs
from everywhere, one at random of as many neighbours as there are windows: so it holds what all rows hold, even where
images that lie together are alike, as they are when names begin with the class. What fits one window is permuted as a
whole.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

RowNumbers = NDArray[np.int64]

Given = TypeVar("Given")
Read = TypeVar("Read")

Share = Callable[[int], RowNumbers]
"""Of a batch of n images, the positions of those that this process computes, and -1 where there is none left."""

Batch = tuple[RowNumbers, RowNumbers]
"""The rows of a batch, and those of them that this process computes."""

WINDOW_BYTES = 2**29
"""So much of a window lies in memory at most, and the next one beside it, which is read meanwhile."""

RUN_BYTES = 2**20


def every_image(n: int) -> RowNumbers:
    """The share of a process that computes all of a batch."""
    return np.arange(n)


def draw_windows(n: int, row_bytes: int, batch_size: int, random: np.random.Generator) -> list[RowNumbers]:
    """Each number below n once, in random order: the windows of an epoch, all but the last of whole batches.

    row_bytes: what is read of a row. A window holds a batch at least, however large its rows are.
    """
    fits = max(WINDOW_BYTES // row_bytes // batch_size, 1) * batch_size
    n_windows = max(math.ceil(n / fits), 1)  # alike in size, so that the last one mixes as many runs as the others
    order = np.arange(n)
    if n_windows > 1:
        run = max(RUN_BYTES // row_bytes, 1)
        neighbours = np.arange(math.ceil(n / run / n_windows) * n_windows).reshape(-1, n_windows)
        runs = random.permuted(neighbours, axis=1).T.reshape(-1, 1)  # of neighbours, each window has one
        order = (runs * run + np.arange(run)).ravel()
        order = order[order < n]
    size = math.ceil(n / n_windows / batch_size) * batch_size
    return [random.permutation(order[start : start + size]) for start in range(0, n, max(size, 1))]


def read_batches(
    windows: Sequence[RowNumbers], batch_size: int, share: Share, read: Callable[[RowNumbers], list[NDArray[Any]]]
) -> Iterator[tuple[RowNumbers, list[NDArray[Any]]]]:
    """Yield (the rows of a batch, the arrays that `read` gives for this process's share of them), in order.

    read: is given the rows that are needed of a window, each once, ascending; it runs in another thread.
    """

    def cut(window: RowNumbers) -> list[Batch]:  # in this thread: what Keras knows of devices is the thread's own
        batches = [window[start : start + batch_size] for start in range(0, len(window), batch_size)]
        return [(batch, batch[share(len(batch))]) for batch in batches]

    def read_window(batches: list[Batch]) -> tuple[list[Batch], RowNumbers, list[NDArray[Any]]]:
        needed = np.unique(np.concatenate([own for _, own in batches]))
        return batches, needed, read(needed)

    for batches, needed, arrays in _one_ahead(read_window, map(cut, windows)):
        for batch, own in batches:
            places = np.searchsorted(needed, own)
            yield batch, [array[places] for array in arrays]


def _one_ahead(read: Callable[[Given], Read], pieces: Iterable[Given]) -> Iterator[Read]:
    """What `read` gives for each piece; the next one is read while the last one that was yielded is used."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        coming: Future[Read] | None = None
        for piece in pieces:
            ready, coming = coming, reader.submit(read, piece)
            if ready is not None:
                yield ready.result()
        if coming is not None:
            yield coming.result()
