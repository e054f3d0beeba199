"""How bright working images are."""

import numpy as np
from numpy.typing import NDArray

from lacuna.metrics import Floats

CHUNK = 256


def brightness(images: NDArray[np.uint8], rows: NDArray[np.int64]) -> Floats:
    """Mean over pixels and channels (len(rows),), 0 to 255."""
    means: Floats = np.zeros(len(rows))
    for start in range(0, len(rows), CHUNK):
        chosen = rows[start : start + CHUNK]
        means[start : start + CHUNK] = images[chosen].mean(axis=(1, 2, 3))
    return means
