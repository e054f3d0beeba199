"""Images unlike the others, for a person to look at: in shape, in brightness, or of nearly one colour."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ONE_COLOUR = 5
"""An image is nearly of one colour when no channel's standard deviation reaches this many of 255."""

FAR_OUT = 3
"""Brightness is odd when it lies so many interquartile ranges outside of the quartiles (Tukey 1977: "far out")."""

NARROWEST = 5
"""Of 255: the interquartile range taken where the images' brightness hardly varies."""


class OddImage(NamedTuple):
    """An image, its row in the pixels and what is odd about it."""

    image: str
    row: int
    reason: str


def find_odd_images(
    names: Sequence[str],
    rows: NDArray[np.int64],
    shapes: NDArray[np.int64],
    brightness: NDArray[np.float32],
    spread: NDArray[np.float32],
    longest: float,
) -> list[OddImage]:
    """List images whose longer side is `longest` times the shorter one or more, and odd ones by their pixels.

    Columns are aligned. shapes: width and height `(n, 2)`. brightness, spread: as `pixels.PixelStatistics` has them.
    """
    ratio = shapes.max(axis=1) / np.maximum(shapes.min(axis=1), 1)
    low, high = np.percentile(brightness, [25, 75]) if len(brightness) else (0.0, 0.0)
    reach = FAR_OUT * max(high - low, NARROWEST)
    usual = f"half of the images {low / 255:.2f} to {high / 255:.2f}"
    found = []
    for name, row, (width, height), sides, level, width_of_values in zip(
        names, rows.tolist(), shapes.tolist(), ratio.tolist(), brightness.tolist(), spread.tolist(), strict=True
    ):
        reasons = []
        if sides >= longest:
            reasons.append(f"aspect ratio {width} : {height}")
        if width_of_values < ONE_COLOUR:
            reasons.append("nearly one colour")
        if level < low - reach:
            reasons.append(f"dark: brightness {level / 255:.2f}, {usual}")
        if level > high + reach:
            reasons.append(f"bright: brightness {level / 255:.2f}, {usual}")
        if reasons:
            found.append(OddImage(name, row, "; ".join(reasons)))
    return found
