"""One image file to the square RGB array that the network sees.

Ingest and the predictor decode with the same function, so what is trained on and what is predicted from agree.
"""

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lacuna.core.working_image import Origin, Resize
from lacuna.errors import LacunaError

# Pillow warns of decompression bombs by a global limit; `decode` checks its own, before any pixel is decoded.
Image.MAX_IMAGE_PIXELS = None

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
"""The formats that are opened. Others that Pillow knows (EPS runs Ghostscript) are refused by their first bytes."""

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .gif .bmp .dib .tif .tiff .ppm .pgm .pbm .pnm .avif".split()  # noqa: SIM905
)
"""The file names that count as images, in lower case. What is inside decides the format, not the suffix."""

ORIENTATION = 0x0112
QUARTER_TURNS = (5, 6, 7, 8)
"""The EXIF tag of the orientation, and its values that swap width and height."""


class Decoded(NamedTuple):
    """A working image, uint8 `(size, size, 3)`, and what it was made from."""

    pixels: NDArray[np.uint8]
    origin: Origin


class UnreadableImageError(LacunaError):
    """This image can't be used; the message is the reason, without the file's name."""


def decode(source: Path | bytes, *, size: int, resize: Resize, max_pixels: int) -> NDArray[np.uint8]:
    """Decode an image file, or its content, to `(size, size, 3)` RGB values from 0 to 255.

    The EXIF orientation is applied, transparency becomes white, every mode (grey, palette, CMYK, 16-bit grey,
    1-bit) becomes RGB; of an animation the first frame is taken. `stretch` ignores the aspect ratio; `pad` keeps it
    and centres the picture on white. Raises UnreadableImageError when the file is missing, empty, damaged, truncated,
    not an image, or larger than `max_pixels` by its header.
    """
    return decode_with_origin(source, size=size, resize=resize, max_pixels=max_pixels).pixels


def decode_with_origin(source: Path | bytes, *, size: int, resize: Resize, max_pixels: int) -> Decoded:
    """As `decode`, with what the file is beside the pixels."""
    content = source if isinstance(source, bytes) else _read(source)
    if not content:
        raise UnreadableImageError("empty file")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise UnreadableImageError(
                    f"too many pixels: {image.width} x {image.height}, at most {max_pixels} are allowed"
                )
            width, height = image.size
            if image.getexif().get(ORIENTATION, 1) in QUARTER_TURNS:
                width, height = height, width
            origin = Origin(image.format or "", image.mode, width, height, len(content))
            # JPEG alone: the decoder itself halves large pictures, which is faster and no coarser than resizing.
            image.draft(None, (2 * size, 2 * size))
            picture = _to_rgb(ImageOps.exif_transpose(image), image.format)
    except UnreadableImageError:
        raise
    except UnidentifiedImageError:
        raise UnreadableImageError("not an image of a known format") from None
    except Exception as error:  # Pillow's readers raise nearly anything on damaged files
        what = "truncated" if "truncated" in str(error).lower() else "damaged"
        raise UnreadableImageError(f"{what} image: {' '.join(str(error).split())}") from None
    return Decoded(np.asarray(_to_square(picture, size, resize)), origin)


def square_from_grey(pixels: NDArray[np.uint8], *, size: int, resize: Resize) -> Decoded:
    """Make of grey values `(height, width)` the working image that `decode` makes of a grey file: `(size, size, 3)`."""
    height, width = pixels.shape
    square = np.asarray(_to_square(Image.fromarray(pixels).convert("RGB"), size, resize))
    return Decoded(square, Origin("IDX", "L", width, height, pixels.size))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UnreadableImageError("broken link" if path.is_symlink() else "no such file") from None
    except OSError as error:
        raise UnreadableImageError(f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise UnreadableImageError("no possible file name: it holds a null character") from None


def _to_rgb(image: Image.Image, file_format: str | None) -> Image.Image:
    if image.mode.startswith("I;16") or (image.mode == "I" and file_format in ("PNG", "PPM")):
        # Pillow clips 16-bit values at 255 when it converts them.
        return Image.fromarray(_high_byte(np.asarray(image))).convert("RGB")
    if image.mode in ("I", "F"):
        raise UnreadableImageError("32-bit pixels: their black and white are not known, expected 8 or 16 bits")
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        return Image.alpha_composite(white, coloured).convert("RGB")
    return image.convert("RGB")


def _high_byte(values: NDArray[Any]) -> NDArray[np.uint8]:
    return (values.astype(np.uint32) * 255 // 65535).astype(np.uint8)


def _to_square(image: Image.Image, size: int, resize: Resize) -> Image.Image:
    if resize == "stretch":
        return image.resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3)
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    square = Image.new("RGB", (size, size), "white")
    picture = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3)
    square.paste(picture, ((size - width) // 2, (size - height) // 2))
    return square
