"""One image file to the square RGB array that the network sees.

Ingest and the predictor decode with the same function, so what is trained on and what is predicted from agree.
"""

import hashlib
import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lacuna.core.working_image import Origin, Resize
from lacuna.data.images.formats import CAMERA_RAW, FORMATS, describe_unread
from lacuna.errors import LacunaError

# Pillow warns of decompression bombs by a global limit; `decode` checks its own, before any pixel is decoded.
Image.MAX_IMAGE_PIXELS = None

ORIENTATION = 0x0112
QUARTER_TURNS = (5, 6, 7, 8)
"""The EXIF tag of the orientation, and its values that swap width and height."""

VALUE_BITS = (8, 12, 16)
"""How many bits the values of a 16-bit file may have: those of an 8-bit image, of
a camera or scanner of 10 or 12 bits, or all."""


class Decoded(NamedTuple):
    """A working image, uint8 `(size, size, 3)`, and what it was made from.

    `sha256`: of the file's content, or of the pixels in an idx file: what the image is known by whatever its name.
    `value_bits`: how many bits the values of a grey file with 16 bits per pixel use, one of VALUE_BITS; 0 of others.
    """

    pixels: NDArray[np.uint8]
    origin: Origin
    sha256: str
    value_bits: int = 0


class UnreadableImageError(LacunaError):
    """This image can't be used; the message is the reason, without the file's name."""


def decode(source: Path | bytes, *, size: int, resize: Resize, max_pixels: int) -> NDArray[np.uint8]:
    """Decode an image file, or its content, to `(size, size, 3)` RGB values from 0 to 255.

    The EXIF orientation is applied, transparency becomes white, every mode (grey, palette, CMYK, 16-bit grey,
    1-bit) becomes RGB; of an animation the first frame is taken. 16-bit grey values are divided by the range that they
    use (`_grey_from_16_bits`). `stretch` ignores the aspect ratio; `pad` keeps it and centres the picture on white.
    Raises UnreadableImageError when the file is missing, empty, damaged, truncated, not an image, or larger than
    `max_pixels` by its header.
    """
    return decode_with_origin(source, size=size, resize=resize, max_pixels=max_pixels).pixels


def decode_with_origin(source: Path | bytes, *, size: int, resize: Resize, max_pixels: int) -> Decoded:
    """The working image that `decode` makes, with what is known of the file it was made from."""
    content = source if isinstance(source, bytes) else read_content(source)
    if not content:
        raise UnreadableImageError("empty file")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise UnreadableImageError(
                    f"too many pixels: {image.width} x {image.height}, at most {max_pixels} are allowed"
                )
            layout = str(image.tile)  # how the bytes lie in the file: Pillow forgets it once it has read them
            origin = Origin(image.format or "", image.mode, *_upright_size(image), len(content))
            # JPEG alone: the decoder itself halves large pictures, which is faster and no coarser than resizing.
            image.draft(None, (2 * size, 2 * size))
            picture, value_bits = _to_rgb(image, layout)
    except UnreadableImageError:
        raise
    except UnidentifiedImageError:
        raise UnreadableImageError(describe_unread(content) or "not an image of a known format") from None
    except Exception as error:  # Pillow's readers raise nearly anything on damaged files
        what = "truncated" if "truncated" in str(error).lower() else "damaged"
        raise UnreadableImageError(f"{what} image: {' '.join(str(error).split())}") from None
    return Decoded(
        np.asarray(_to_square(picture, size, resize)), origin, hashlib.sha256(content).hexdigest(), value_bits
    )


def read_size(content: bytes) -> tuple[int, int]:
    """Width and height in pixels, as one sees it, of a file that `decode` can read: from its head alone."""
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        return _upright_size(image)


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    # Pillow has turned the size of a TIFF file already when it opens it.
    if image.format != "TIFF" and image.getexif().get(ORIENTATION, 1) in QUARTER_TURNS:
        return height, width
    return width, height


def square_from_grey(pixels: NDArray[np.uint8], *, size: int, resize: Resize) -> Decoded:
    """Make of grey values `(height, width)` the working image that `decode` makes of a grey file: `(size, size, 3)`."""
    height, width = pixels.shape
    square = np.asarray(_to_square(Image.fromarray(pixels).convert("RGB"), size, resize))
    return Decoded(square, Origin("IDX", "L", width, height, pixels.size), hashlib.sha256(pixels.tobytes()).hexdigest())


def read_content(path: Path) -> bytes:
    """The bytes of an image file. Raises UnreadableImageError with the reason when they cannot be had."""
    if path.suffix.lower() in CAMERA_RAW.suffixes:
        raise UnreadableImageError(f"{CAMERA_RAW.what}, which is not read: {CAMERA_RAW.advice}")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UnreadableImageError("broken link" if path.is_symlink() else "no such file") from None
    except OSError as error:
        raise UnreadableImageError(f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise UnreadableImageError("no possible file name: it holds a null character") from None


def _to_rgb(opened: Image.Image, layout: str) -> tuple[Image.Image, int]:
    """The picture upright and in RGB, and `Decoded.value_bits`."""
    is_scaled = "'ppm'" in layout  # PPM states its largest value, by which Pillow has scaled to 16 bits
    image = ImageOps.exif_transpose(opened)
    if image.mode.startswith("I;16") or (image.mode == "I" and opened.format in ("PNG", "PPM")):
        grey, value_bits = _grey_from_16_bits(np.asarray(image), 12 if "'I;12'" in layout else 16 if is_scaled else 0)
        return Image.fromarray(grey).convert("RGB"), value_bits
    if image.mode in ("I", "F"):
        raise UnreadableImageError("32-bit pixels: their black and white are not known, expected 8 or 16 bits")
    # Of colours with 16 bits Pillow keeps the upper 8, rounded: 4095 becomes 16.
    is_deep = any(mark in layout for mark in (";16L", ";16B", ";16N"))
    if is_deep and 0 < np.asarray(image.convert("RGB")).max() <= 16:
        raise UnreadableImageError(
            "colours of 16 bits whose values use 12 at most, of which 16 shades would be left: save it with 8 bits"
        )
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        return Image.alpha_composite(white, coloured).convert("RGB"), 0
    return image.convert("RGB"), 0


def _grey_from_16_bits(values: NDArray[Any], declared: int) -> tuple[NDArray[np.uint8], int]:
    """Values from 0 to 65535 as grey from 0 to 255, and how many bits they were taken to have.

    These are the `declared` ones or, if that is 0, the fewest of VALUE_BITS that hold the largest value. Cameras and
    scanners of 12 bits write their values as they are into files of 16, which no header tells. Taken for 16 bits they
    would be 16 shades close to black. (Pillow's own conversion clips values at 255.)
    """
    largest = int(values.max())
    value_bits = declared or next((bits for bits in VALUE_BITS if 0 < largest < 2**bits), 16)
    return (values.astype(np.uint32) * 255 // (2**value_bits - 1)).astype(np.uint8), value_bits


def _to_square(image: Image.Image, size: int, resize: Resize) -> Image.Image:
    if resize == "stretch":
        return image.resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3)
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    square = Image.new("RGB", (size, size), "white")
    picture = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3)
    square.paste(picture, ((size - width) // 2, (size - height) // 2))
    return square
