"""Pooled features: the mean over positions of a network's last feature map, what its head sees of an image."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lacuna.progress import progress

BATCH_SIZE = 32


def pool(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean (n, channels) of feature maps (n, h, w, channels)."""
    pooled: NDArray[np.float32] = features.mean(axis=(1, 2))
    return pooled


def pool_images(
    body: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    what: str,
) -> NDArray[np.float32]:
    """Pooled features (len(rows), channels) of the images at `rows` of `images` (n_images, size, size, 3).

    `body` makes feature maps (n, h, w, channels) of a batch; `what` names the images in the progress bar.
    """
    starts = range(0, len(rows), BATCH_SIZE)
    batches = [
        pool(body(np.asarray(images[rows[start : start + BATCH_SIZE]])))
        for start in progress(starts, total=len(starts), what=what, unit="batches")
    ]
    return np.concatenate(batches) if batches else np.zeros((0, 0), np.float32)
