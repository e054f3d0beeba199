"""The working image: how a picture stands in the square that ingest makes of it."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Resize = Literal["stretch", "pad"]


def content_box(width: int, height: int, size: int, resize: Resize) -> tuple[int, int, int, int]:
    """Where in the working image the picture itself stands: top, left, bottom, right. The inverse of `images.decode`.

    >>> content_box(200, 100, 32, "pad")
    (8, 0, 24, 32)
    """
    if resize == "stretch":
        return 0, 0, size, size
    scale = size / max(width, height)
    across, down = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (size - across) // 2, (size - down) // 2
    return top, left, top + down, left + across


def inside(box: tuple[int, int, int, int], size: int) -> NDArray[np.bool_]:
    """Which pixels (size, size) of a working image lie in a `content_box`; all others pad it."""
    top, left, bottom, right = box
    mask = np.zeros((size, size), dtype=np.bool_)
    mask[top:bottom, left:right] = True
    return mask


class Origin(NamedTuple):
    """What an image was before it became a working image.

    `format` and `mode` are Pillow's names (JPEG, RGBA), `width` and `height` pixels as one sees them, after the EXIF
    turn, `bytes` the size of the file. An image inside an idx file has format IDX and a byte per pixel.
    """

    format: str
    mode: str
    width: int
    height: int
    bytes: int


class Light(NamedTuple):
    """How light an image is: the mean of its grey values (0 to 255), their standard deviation, and how far its channels
    lie apart in the mean."""

    brightness: float
    contrast: float
    colour: float


MOST_SIDE = 64
"""Images are looked at with no more rows and columns than this."""


def content_pixels(picture: NDArray[np.uint8], width: int, height: int, resize: Resize) -> NDArray[np.uint8]:
    """Pixels (n, 3) of a working image (size, size, 3) without the white that pads it, every second or third row and
    column where it has more than MOST_SIDE of them. Width and height: of the image before it was made square."""
    step = -(-len(picture) // MOST_SIDE)
    top, left, bottom, right = content_box(width, height, len(picture), resize)
    return picture[top:bottom:step, left:right:step].reshape(-1, 3)


def measure_light(picture: NDArray[np.uint8], width: int, height: int, resize: Resize) -> Light:
    """Brightness, contrast and colour of a working image (size, size, 3), without the white that pads it.

    Width and height are those of the image before it was made square.

    >>> black_and_red = np.array([[[0, 0, 0], [255, 0, 0]]] * 2, np.uint8)
    >>> measure_light(black_and_red, 2, 2, "pad")
    Light(brightness=42.5, contrast=42.5, colour=127.5)
    """
    pixels = content_pixels(picture, width, height, resize)
    grey = pixels.mean(axis=1)
    colour = (pixels.max(axis=1) - pixels.min(axis=1)).mean()
    return Light(float(grey.mean()), float(grey.std()), float(colour))
