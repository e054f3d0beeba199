"""Rows of a logistic regression in blocks, and their products with weights: what a fit spends its time on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from lacuna.core.scores import Floats

Rows = NDArray[np.float32]

BLOCK_ROWS = 1024
"""Rows of a block: 12 MB of 3,000 columns, and the logits of 250 columns fit into the processor's cache."""


@dataclass(frozen=True)
class RowBlock:
    """Rows m of one fold: their labels as shares of the classes that have a logit (m, 1, k), weights (m, 1, 1), and
    which fits learn from them. `rows` is None of the average row."""

    rows: slice | None
    wanted: NDArray[np.float32]
    weight: NDArray[np.float32]
    fold: int
    fits: NDArray[np.intp]


def cut_blocks(
    labels: NDArray[np.integer],
    n_logits: int,
    weight: Floats,
    smoothing: float,
    folds: NDArray[np.integer],
    n_fits: int,
) -> list[RowBlock]:
    """Blocks of rows sorted by fold, the average row as the last. With one fit alone it learns from all."""
    every = np.arange(n_fits)
    shares = smoothed_classes(n_logits, smoothing)
    blocks = []
    for fold in range(n_fits):
        start, end = np.searchsorted(folds, [fold, fold + 1]).tolist()
        fits = every[every != fold] if n_fits > 1 else every
        for first in range(start, end, BLOCK_ROWS):
            rows = slice(first, min(first + BLOCK_ROWS, end))
            wanted = shares[labels[rows]][:, None]
            blocks.append(RowBlock(rows, wanted, weight[rows, None, None].astype(np.float32), fold, fits))
    even = np.full((1, 1, n_logits), 1 / len(shares), np.float32)
    return [*blocks, RowBlock(None, even, np.ones((1, 1, 1), np.float32), -1, every)]


def smoothed_classes(n_logits: int, smoothing: float) -> NDArray[np.float32]:
    """What a label of each class says, as shares of the classes that have a logit: (n_classes, n_logits)."""
    n_classes = max(n_logits, 2)
    shares = np.eye(n_classes, dtype=np.float32) * np.float32(1 - smoothing) + np.float32(smoothing / n_classes)
    return shares[:, n_classes - n_logits :]


@dataclass(frozen=True)
class Products:
    """Products with rows, of which `known` take part (None: all): with coordinates along the axes if `basis` is None,
    else with the rows as they are, in the precision of `basis`.

    Coordinates are (r + 1, fits, k): of each logit, one for each axis and the bias.
    """

    rows: Rows
    known: NDArray[np.intp] | None
    basis: NDArray[Any] | None

    def logits(self, blocks: Sequence[RowBlock], there: Floats) -> list[NDArray[Any]]:
        """The logits (m, fits of the block, k) of each block."""
        inner = self._whole(there[:-1])
        bias = there[-1].astype(inner.dtype)
        found = []
        for block in blocks:
            shape = (len(block.wanted), len(block.fits), there.shape[2])
            if block.rows is None:
                found.append(np.broadcast_to(bias[block.fits], shape))
            else:
                columns = inner[:, block.fits].reshape(len(inner), -1)
                found.append((self._take(block.rows) @ columns).reshape(shape) + bias[block.fits])
        return found

    def back(self, blocks: Sequence[RowBlock], cells: Iterable[NDArray[Any]], shape: tuple[int, ...]) -> Floats:
        """The sum over rows of coordinates times cells (m, fits of the block, k): float64, of `shape`."""
        columns = self.rows.shape[1]
        inner, bias = np.zeros((columns, *shape[1:])), np.zeros(shape[1:])
        for block, values in zip(blocks, cells, strict=True):
            bias[block.fits] += values.sum(axis=0, dtype=np.float64)
            if block.rows is not None:
                found = self._take(block.rows).T @ values.reshape(len(values), -1)
                inner[:, block.fits] += found.reshape(columns, *values.shape[1:])
        if self.basis is not None:
            inner = (self.basis.T @ inner.reshape(columns, -1).astype(self.basis.dtype)).reshape(-1, *shape[1:])
        return np.concatenate([inner, bias[None]])

    def squared(self, there: Floats) -> Floats:
        """Half the slope of the sum of squared weights. In 32 bits the axes' angles are right, in 64 they are not."""
        found = there.copy()
        found[-1] = 0
        if self.basis is not None and self.basis.dtype == np.float64:
            flat = there[:-1].reshape(len(there) - 1, -1)
            found[:-1] = (self.basis.T @ (self.basis @ flat)).reshape(found[:-1].shape)
        return found

    def _whole(self, there: Floats) -> NDArray[Any]:
        if self.basis is None:
            return there.astype(np.float32)
        flat = there.reshape(len(there), -1).astype(self.basis.dtype)
        whole: NDArray[Any] = (self.basis @ flat).reshape(-1, *there.shape[1:])
        return whole

    def _take(self, rows: slice) -> NDArray[Any]:
        taken = self.rows[rows] if self.known is None else self.rows[self.known[rows]]
        return taken if self.basis is None else taken.astype(self.basis.dtype, copy=False)


def class_probabilities(logits: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The probabilities (m, fits, k) of the classes that have a logit, and log of what they were divided by (m, fits).

    A single logit is the log-odds of class 1 against class 0.
    """
    if logits.shape[2] == 1:
        return expit(logits), np.logaddexp(0, logits[..., 0])
    highest = logits.max(axis=2, keepdims=True)
    powers = np.exp(logits - highest)
    total = powers.sum(axis=2, keepdims=True)
    return powers / total, (highest + np.log(total))[..., 0]
