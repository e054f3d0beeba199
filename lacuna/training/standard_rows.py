"""Features standardized by the training images: mean and scale, and rows in one array or block by block."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats
from lacuna.errors import LacunaError

SMALLEST_DEVIATION = 1e-6
"""A column whose standard deviation is no larger, absolutely or against its mean, is constant but for rounding."""

READ_AT_ONCE = 2048


@dataclass(frozen=True)
class StandardRows:
    """View 0 of the training images `rows` (n,) of `features` (n_images, views, d), less the mean, by the scale (d,):
    read and standardized when asked for, the same values whatever else is asked for."""

    features: NDArray[np.float32]
    rows: NDArray[np.integer]
    mean: Floats
    scale: Floats

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def columns(self) -> int:
        """d."""
        return len(self.mean)

    def take(self, places: NDArray[np.integer] | slice) -> NDArray[np.float32]:
        """Those at `places` among the training images, in one array."""
        return standardize(self.features, self.rows[places], self.mean, self.scale)


def training_scale(features: NDArray[np.float32], rows: NDArray[np.integer]) -> tuple[Floats, Floats]:
    """Mean and standard deviation (d,) of view 0 of the rows; the deviation of constant columns counts as 1.

    Raises LacunaError for values that are not finite, and without a row.
    """
    n, d = len(rows), features.shape[2]
    if n == 0:
        raise LacunaError("no training images; expected at least one")
    mean, squares = np.zeros(d), np.zeros(d)
    for block in _blocks(features, rows):
        mean += block.sum(axis=0) / n
    if not np.isfinite(mean).all():
        raise LacunaError("features of training images are not finite; run dvc repro featurize")
    for block in _blocks(features, rows):
        squares += ((block - mean) ** 2).sum(axis=0) / n
    scale = np.sqrt(squares)
    scale[scale <= SMALLEST_DEVIATION * np.maximum(np.abs(mean), 1)] = 1
    return mean, scale


def standardize(
    features: NDArray[np.float32], rows: NDArray[np.integer], mean: Floats, scale: Floats
) -> NDArray[np.float32]:
    """View 0 of the rows (n, d) less the mean, by the scale; constant columns are 0."""
    standardized = np.empty((len(rows), features.shape[2]), np.float32)
    for start, block in enumerate(_blocks(features, rows)):
        standardized[start * READ_AT_ONCE : (start + 1) * READ_AT_ONCE] = (block - mean) / scale
    return standardized


def _blocks(features: NDArray[np.float32], rows: NDArray[np.integer]) -> Iterator[Floats]:
    for start in range(0, len(rows), READ_AT_ONCE):
        yield np.asarray(features[rows[start : start + READ_AT_ONCE], 0], np.float64)
