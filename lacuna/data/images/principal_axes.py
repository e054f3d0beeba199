"""Thumbnails on their leading principal axes: a few numbers that tell most pairs of images apart.

An orthogonal projection never lengthens a difference. Two images that are far apart on any such axes are far apart,
so whatever the axes, no near pair is lost; good axes leave fewer pairs to compare.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.io.atomic import create_array

THUMBNAIL_AXES = 32
SAMPLED_THUMBNAILS = 512
PROJECTED_AT_ONCE = 512


def project_thumbnails(thumbnails: NDArray[np.uint8], rows: NDArray[np.int64], folder: Path) -> np.memmap[Any, Any]:
    """The thumbnails `(n, ...)` of these `rows` on their leading axes, in grey levels (0 to 255).

    float32 `(len(rows), THUMBNAIL_AXES)`, in a file in `folder`. Distances between them exceed those of the thumbnails
    by the rounding to float32 only. Axes come from a sample of rows, evenly spaced, the same for the same images.
    """
    sample = rows[np.linspace(0, len(rows) - 1, min(len(rows), SAMPLED_THUMBNAILS)).astype(np.int64)]
    mean, axes = _principal_axes(thumbnails[sample].reshape(len(sample), -1).astype(np.float64))
    projected = create_array(folder / "projected.npy", (len(rows), THUMBNAIL_AXES), np.float32)
    for start in range(0, len(rows), PROJECTED_AT_ONCE):
        block = thumbnails[rows[start : start + PROJECTED_AT_ONCE]]
        projected[start : start + len(block)] = (block.reshape(len(block), -1) - mean) @ axes
    return projected


def _principal_axes(sample: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean (d,) of a sample (n, d), and orthonormal axes (d, THUMBNAIL_AXES), leading first; zeros beyond n."""
    mean = sample.mean(axis=0)
    centred = sample - mean
    # By way of the n x n products, as n is below d. QR makes the axes orthonormal where the sample varies in fewer.
    weights = np.linalg.eigh(centred @ centred.T)[1][:, ::-1][:, :THUMBNAIL_AXES]
    axes = np.zeros((sample.shape[1], THUMBNAIL_AXES))
    axes[:, : weights.shape[1]] = np.linalg.qr(centred.T @ weights)[0]
    return mean, axes
