"""Features in few dimensions, without a look at any label: what the audit's linear probes stand on."""

from collections.abc import Iterator

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from lacuna.core.scores import Floats

COMPONENTS = 128
"""On three data sets 64 lose accuracy and 256 gain none that would be worth twice the time."""

CHUNK_IMAGES = 2048


def project(features: NDArray[np.float32], rows: NDArray[np.int64]) -> Floats:
    """Principal components of the clean view of the images at `rows`, (len(rows), at most COMPONENTS), mean variance 1.

    features: (n_images, views, n_columns), may be memory-mapped. No other image takes part. Columns are brought to
    variance 1 first: those of one feature map are a hundred times those of another. A component of variance v is
    divided by the fourth root of v: between leaving it as it is, where a penalty on the weights drowns the weak ones,
    and making all alike, where noise counts as much as they do.
    """
    mean = _total(features, rows) / len(rows)
    spread = np.zeros((features.shape[2],) * 2)
    for batch in _batches(features, rows):
        spread += (batch - mean).T @ (batch - mean)
    spread /= len(rows)
    deviation = np.sqrt(spread.diagonal())
    scale = np.where(deviation > 1e-6 * np.abs(mean), deviation, np.inf)  # float32 holds no smaller differences
    first = max(len(scale) - COMPONENTS, 0)
    variances, axes = scipy.linalg.eigh(spread / np.outer(scale, scale), subset_by_index=[first, len(scale) - 1])
    kept = variances > 1e-9 * max(variances.max(), 1e-30)
    if not kept.any():  # all images have the same features
        return np.zeros((len(rows), 1))
    onto = (axes[:, kept] / variances[kept] ** 0.25 / scale[:, None])[:, ::-1]
    projected = np.concatenate([(batch - mean) @ onto for batch in _batches(features, rows)])
    scaled: Floats = projected / np.sqrt((projected**2).mean())
    return scaled


def _batches(features: NDArray[np.float32], rows: NDArray[np.int64]) -> Iterator[Floats]:
    for start in range(0, len(rows), CHUNK_IMAGES):
        yield np.asarray(features[rows[start : start + CHUNK_IMAGES], 0], dtype=np.float64)


def _total(features: NDArray[np.float32], rows: NDArray[np.int64]) -> Floats:
    total = np.zeros(features.shape[2])
    for batch in _batches(features, rows):
        total += batch.sum(axis=0)
    return total
