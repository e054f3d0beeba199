"""The augmented views of an image as pictures, without Keras: the numbers that are drawn, carried out by SciPy.

tests/analysis/explore/test_views.py holds them against the layer that trains, `Augmentation`.
"""

import numpy as np
from numpy.typing import NDArray

from lacuna.features.augmentation_draws import CUTOUT_GREY, GREY


def render_view(image: NDArray[np.uint8], change: NDArray[np.float32], cutout: float) -> NDArray[np.uint8]:
    """Apply one row of drawn changes `(CHANGES,)` to an image `(size, size, 3)`: what the network sees of that view."""
    flip_x, flip_y, angle, zoom, brightness, contrast, saturation, centre_x, centre_y = change.astype(np.float64)
    x = _move(image.astype(np.float64), flip_x, flip_y, angle, zoom)
    grey = (x * GREY).sum(axis=-1, keepdims=True)
    x = grey + (x - grey) * saturation
    x = x.mean() + (x - x.mean()) * contrast + brightness
    position = np.linspace(-1, 1, len(image))
    covered = (abs(position - centre_y) < cutout)[:, None] & (abs(position - centre_x) < cutout)[None, :]
    x[covered] = CUTOUT_GREY
    pixels: NDArray[np.uint8] = np.clip(x, 0, 255).round().astype(np.uint8)
    return pixels


def _move(x: NDArray[np.float64], flip_x: float, flip_y: float, angle: float, zoom: float) -> NDArray[np.float64]:
    """Zoom, turn, then flip about the centre; what comes in from outside repeats the nearest edge."""
    from scipy.ndimage import affine_transform  # slow to import

    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    # From output to input pixels, rows first.
    matrix = np.array([[flip_y * cos, flip_y * sin], [-flip_x * sin, flip_x * cos]])
    centre = np.full(2, (len(x) - 1) / 2)
    offset = centre - matrix @ centre
    channels = [affine_transform(x[..., i], matrix, offset, order=1, mode="nearest") for i in range(3)]
    return np.stack(channels, axis=-1)
