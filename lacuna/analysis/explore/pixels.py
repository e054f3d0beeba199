"""One pass over the images: intensities per channel, brightness and spread of each image, the mean image per class.

Images are read from the memory map in chunks, every second or third row and column where they are large, so time
grows with the number of images and memory does not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.core.pixels import MeanImages
from lacuna.core.targets import Targets
from lacuna.core.working_image import MOST_SIDE, Resize, content_pixels, measure_light
from lacuna.io.progress import progress

READ_BYTES = 2**22


@dataclass(frozen=True)
class PixelStatistics:
    """Statistics of `n` images; intensities run from 0 to 255. White that pads an image to a square counts nowhere but
    in the means.

    `histogram`: pixels by intensity, int64 `(3, 256)`. `brightness`: as `measure_light` has it, float32 `(n,)`.
    `spread`: the standard deviation of an image's most varied channel, float32 `(n,)`. `means`: per target the mean
    image of each class, float32 `(n_classes, side, side, 3)`, 0 for classes without images. `counts`: per target the
    images behind these.
    """

    histogram: NDArray[np.int64]
    brightness: NDArray[np.float32]
    spread: NDArray[np.float32]
    means: tuple[NDArray[np.float32], ...]
    counts: tuple[NDArray[np.int64], ...]


def measure_pixels(
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    shapes: NDArray[np.int64],
    labels: NDArray[np.int16],
    targets: Targets,
    resize: Resize,
) -> PixelStatistics:
    """Measure the images at `rows` of `images`, uint8 `(n_images, size, size, 3)`.

    shapes: their widths and heights before they were made square `(n, 2)`. labels: class indices `(n, n_targets)`, -1
    unknown.
    """
    histogram = np.zeros((3, 256), np.int64)
    brightness, spread = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.float32)
    by_class = MeanImages(targets, images.shape[1], MOST_SIDE)
    values = np.arange(256)
    for chosen in _chunks(len(rows), images[0].nbytes):
        chunk = images[rows[chosen]]
        for place, picture, (width, height) in zip(chosen.tolist(), chunk, shapes[chosen].tolist(), strict=True):
            pixels = content_pixels(picture, width, height, resize)
            found = np.stack([np.bincount(pixels[:, channel], minlength=256) for channel in range(3)])
            histogram += found
            mean = found @ values / len(pixels)
            brightness[place] = measure_light(picture, width, height, resize).brightness
            spread[place] = np.sqrt(np.maximum(found @ values**2 / len(pixels) - mean**2, 0)).max()
        by_class.add(chunk, labels[chosen])
    return PixelStatistics(histogram, brightness, spread, tuple(by_class.means()), tuple(by_class.counts))


def _chunks(n: int, image_bytes: int) -> Iterator[NDArray[np.int64]]:
    many = max(1, READ_BYTES // image_bytes)
    starts = range(0, n, many)
    for start in progress(starts, total=len(starts), what="look at pixels", unit="chunks"):
        yield np.arange(start, min(start + many, n))
