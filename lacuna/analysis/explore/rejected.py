"""Thumbnails of images that ingest rejected, as far as anything of them can be decoded."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps

from lacuna.data.images.decoders import BYTES_PER_PIXEL, SLACK, decoders
from lacuna.data.images.formats import FORMATS
from lacuna.data.images.headers import UnreadableImageError


def peek(path: Path, side: int, max_pixels: int) -> NDArray[np.uint8] | None:
    """What can be seen of a rejected image, uint8 `(side, side, 3)` on white, or None.

    Of a truncated file it is what comes before the cut; grey values of unknown range are spread over all of it. Images
    of too many pixels are shown where the JPEG decoder itself makes them small. What takes too long is not shown.
    """
    try:
        memory = SLACK + max(BYTES_PER_PIXEL.values()) * max_pixels
        return decoders().run(_peek, path, side, max_pixels, memory=memory)
    except UnreadableImageError:
        return None


def _peek(path: Path, side: int, max_pixels: int) -> NDArray[np.uint8] | None:
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        with Image.open(io.BytesIO(path.read_bytes()), formats=FORMATS) as image:
            image.draft(None, (side, side))
            if image.width * image.height > max_pixels:
                return None
            return _on_white(image, side)
    except Exception:  # Pillow's readers raise nearly anything on damaged files
        return None
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _on_white(image: Image.Image, side: int) -> NDArray[np.uint8]:
    if image.mode in ("I", "F"):
        values = np.nan_to_num(np.asarray(image, np.float64))
        reach = max(float(np.ptp(values)), 1e-9)
        image = Image.fromarray(((values - values.min()) / reach * 255).astype(np.uint8))
    small = ImageOps.contain(image.convert("RGB"), (side, side))
    square = Image.new("RGB", (side, side), "white")
    square.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
    return np.asarray(square)
