"""Images of one label and almost one logit, counted together: replicates of many images cost no more than of few.

What is fitted to a binary target, and the thresholds to choose from, depend on smooth sums over its images. Replicates
are there to show noise; which of two images next to each other a threshold lies at, or that the logits in a cell differ
by a thousandth of all images, is far below it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats, Labels, sum_by

BINS = 256
"""A bin of neighbouring logits ends where it holds a share of 1 / BINS of the images of some label."""

MOST_UNDIVIDED = 2000
"""So many images are no more than their cells would be, and stay as they are."""


@dataclass(frozen=True)
class ScoreCells:
    """Rows that stand for images: logits (m, 1), labels (m,), block (m,). Those of a bin have one logit, its mean.

    place (n,): the row of each image.
    """

    logits: Floats
    labels: Labels
    block: NDArray[np.integer]
    place: NDArray[np.intp]

    def sums(self, weights: Floats) -> Floats:
        """The weights (replicates, n) of images, summed in each cell (replicates, m)."""
        return sum_by(self.place, weights, len(self.labels))

    def sums_without(self, fold: NDArray[np.intp], n_folds: int, weights: Floats) -> Floats:
        """`sums` without the images of each fold (n_folds, replicates, m), by the fold (n,) of each image."""
        apart = sum_by(self.place * n_folds + fold, weights, len(self.labels) * n_folds)
        without = apart.reshape(len(weights), -1, n_folds) @ (1 - np.eye(n_folds))
        return np.ascontiguousarray(without.transpose(2, 0, 1))


def divide(logits: NDArray[np.floating], labels: Labels, block: NDArray[np.integer], bins: int = BINS) -> ScoreCells:
    """Cells of images with logits (n, 1), labels (n,) and the block (n,) that a bin must not leave, n > 0.

    Images with equal logits share a bin, and no bin has much more than 1 / bins of a block's images with one label.
    """
    order = np.lexsort((logits[:, 0], block))
    scores, kept, block = logits[order, 0].astype(np.float64), labels[order], np.asarray(block)[order]
    ends = np.concatenate([(scores[1:] != scores[:-1]) | (block[1:] != block[:-1]), [True]])
    last = np.flatnonzero(ends)  # of each run of equal logits
    fullness = [block[last]]
    for label in np.unique(kept):
        upto = np.cumsum(kept == label)
        before, total = _of_block(upto, block)
        fullness.append((np.maximum((upto - before) * bins - 1, 0) // np.maximum(total, 1))[last])
    filled = np.stack(fullness)
    first_of_bin = np.concatenate([[True], (filled[:, 1:] != filled[:, :-1]).any(axis=0)])
    bin_of_run = np.cumsum(first_of_bin) - 1
    bin_of = np.repeat(bin_of_run, np.diff(last, prepend=-1))
    mean = np.bincount(bin_of, scores) / np.bincount(bin_of)
    by_cell = np.lexsort((kept, bin_of))
    bin_of, kept, block = bin_of[by_cell], kept[by_cell], block[by_cell]
    begins = np.concatenate([[True], (bin_of[1:] != bin_of[:-1]) | (kept[1:] != kept[:-1])])
    start, place = np.flatnonzero(begins), np.empty(len(order), np.intp)
    place[order[by_cell]] = np.cumsum(begins) - 1
    return ScoreCells(mean[bin_of[start]][:, None], kept[start], block[start], place)


def _of_block(upto: NDArray[np.intp], block: NDArray[np.integer]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each image, how much of `upto`, a running sum (n,), lies before its block, and how much inside it."""
    starts = np.flatnonzero(np.concatenate([[True], block[1:] != block[:-1]]))
    lengths = np.diff(starts, append=len(block))
    before = np.concatenate([[0], upto])[starts]
    total = upto[starts + lengths - 1] - before
    return np.repeat(before, lengths), np.repeat(total, lengths)
