"""One image file to the square RGB array that the network sees.

Ingest and the predictor decode with the same function, so what is trained on and what is predicted from agree.
"""

import hashlib
import io
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lacuna.core.working_image import Origin, Resize
from lacuna.data.images.formats import CAMERA_RAW
from lacuna.data.images.headers import ImageHeader, UnreadableImageError, check_pixels, read_image_header

# Pillow warns of decompression bombs by a global limit; `decode` checks its own, before any pixel is decoded.
Image.MAX_IMAGE_PIXELS = None

ORIENTATION = 0x0112
QUARTER_TURNS = (5, 6, 7, 8)
"""The EXIF tag of the orientation, and its values that swap width and height."""

VALUE_BITS = (8, 12, 16)
"""How many bits the values of a 16-bit file may have: those of an 8-bit image, of
a camera or scanner of 10 or 12 bits, or all."""

REDUCING_GAP = 3
"""Large pictures are first shrunk by whole numbers, to so many times the working size at least."""

STRIP_PIXELS = 2**20
"""Of a large picture so many pixels at a time are brought to RGB: the whole of it is in memory once, as decoded."""

ToRgb = Callable[[Image.Image], Image.Image]


class Decoded(NamedTuple):
    """A working image, uint8 `(size, size, 3)`, and what it was made from.

    `sha256`: of the file's content, or of the pixels in an idx file: what the image is known by whatever its name.
    `value_bits`: how many bits the values of a grey file with 16 bits per pixel use, one of VALUE_BITS; 0 of others.
    """

    pixels: NDArray[np.uint8]
    origin: Origin
    sha256: str
    value_bits: int = 0


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
    return decode_content(content, read_image_header(content), size=size, resize=resize, max_pixels=max_pixels)


def decode_content(content: bytes, header: ImageHeader, *, size: int, resize: Resize, max_pixels: int) -> Decoded:
    """As `decode_with_origin`, of content whose header was read already."""
    check_pixels(header, max_pixels)
    _make_ready(header.format)
    try:
        with Image.open(io.BytesIO(content), formats=(header.format,)) as image:
            if image.width * image.height > max_pixels:  # of what the head does not say as Pillow reads it
                raise UnreadableImageError(
                    f"too many pixels: {image.width} x {image.height}, at most {max_pixels} are allowed"
                )
            layout = str(image.tile)  # how the bytes lie in the file: Pillow forgets it once it has read them
            origin = Origin(image.format or "", image.mode, *_upright_size(image), len(content))
            # JPEG alone: the decoder itself halves large pictures, which is faster and no coarser than resizing.
            image.draft(None, (2 * size, 2 * size))
            ImageOps.exif_transpose(image, in_place=True)
            to_rgb, value_bits = _find_rgb(image, layout)
            square = _to_square(image, size, resize, to_rgb)
    except (UnreadableImageError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise UnreadableImageError(f"damaged image: no {header.format} that can be read") from None
    except Exception as error:  # Pillow's readers raise nearly anything on damaged files
        what = "truncated" if "truncated" in str(error).lower() else "damaged"
        raise UnreadableImageError(f"{what} image: {' '.join(str(error).split())}") from None
    return Decoded(np.asarray(square), origin, hashlib.sha256(content).hexdigest(), value_bits)


def _make_ready(file_format: str) -> None:
    """One thread a decoder: each takes memory by itself, and there are as many images at a time as cores."""
    if file_format == "AVIF":
        from PIL import AvifImagePlugin

        AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    elif file_format == "HEIF":
        import pi_heif

        pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    # Pillow has turned the size of a TIFF file already when it opens it.
    if image.format != "TIFF" and image.getexif().get(ORIENTATION, 1) in QUARTER_TURNS:
        return height, width
    return width, height


def square_from_grey(pixels: NDArray[np.uint8], *, size: int, resize: Resize) -> Decoded:
    """Make of grey values `(height, width)` the working image that `decode` makes of a grey file: `(size, size, 3)`."""
    height, width = pixels.shape
    square = _to_square(Image.fromarray(pixels), size, resize, lambda grey: grey.convert("RGB"))
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    return Decoded(np.asarray(square), Origin("IDX", "L", width, height, pixels.size), digest)


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


def _find_rgb(image: Image.Image, layout: str) -> tuple[ToRgb, int]:
    """What makes RGB of any part of a picture, and `Decoded.value_bits`."""
    is_scaled = "'ppm'" in layout  # PPM states its largest value, by which Pillow has scaled to 16 bits
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        declared = 12 if "'I;12'" in layout else 16 if is_scaled else 0
        value_bits = declared or _bits_of(max(int(np.asarray(strip).max()) for strip in _strips(image)))
        return partial(_grey_from_16_bits, value_bits=value_bits), value_bits
    if image.mode in ("I", "F"):
        raise UnreadableImageError("32-bit pixels: their black and white are not known, expected 8 or 16 bits")
    # Of colours with 16 bits Pillow keeps the upper 8, rounded: 4095 becomes 16.
    is_deep = any(mark in layout for mark in (";16L", ";16B", ";16N"))
    if is_deep and 0 < max(int(np.asarray(strip.convert("RGB")).max()) for strip in _strips(image)) <= 16:
        raise UnreadableImageError(
            "colours of 16 bits whose values use 12 at most, of which 16 shades would be left: save it with 8 bits"
        )
    return _on_white if image.has_transparency_data else _to_rgb, 0


def _to_rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")  # which would copy the whole picture


def _on_white(image: Image.Image) -> Image.Image:
    coloured = image.convert("RGBA")
    white = Image.new("RGBA", coloured.size, "white")
    return Image.alpha_composite(white, coloured).convert("RGB")


def _bits_of(largest: int) -> int:
    """How many bits values up to this one are taken to have: the fewest of VALUE_BITS that hold it.

    Cameras and scanners of 12 bits write their values as they are into files of 16, which no header tells. Taken for 16
    bits they would be 16 shades close to black.
    """
    return next((bits for bits in VALUE_BITS if 0 < largest < 2**bits), 16)


def _grey_from_16_bits(image: Image.Image, value_bits: int) -> Image.Image:
    """Values of so many bits as grey from 0 to 255. (Pillow's own conversion clips values at 255.)"""
    grey = np.asarray(image).astype(np.uint32) * 255 // (2**value_bits - 1)
    return Image.fromarray(grey.astype(np.uint8)).convert("RGB")


def _strips(image: Image.Image, of_rows: int = 1) -> Iterator[Image.Image]:
    """A picture in pieces over its whole width, whose rows are multiples of `of_rows` but for the last one's."""
    rows = of_rows * max(1, STRIP_PIXELS // (image.width * of_rows))
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))


def _to_square(image: Image.Image, size: int, resize: Resize, to_rgb: ToRgb) -> Image.Image:
    if resize == "stretch":
        return _shrink(image, (size, size), to_rgb)
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    square = Image.new("RGB", (size, size), "white")
    square.paste(_shrink(image, (width, height), to_rgb), ((size - width) // 2, (size - height) // 2))
    return square


def _shrink(image: Image.Image, size: tuple[int, int], to_rgb: ToRgb) -> Image.Image:
    """What Pillow's `resize` with this `reducing_gap` makes of the picture in RGB, without the whole picture in RGB."""
    across, down = (max(1, int(side / wanted / REDUCING_GAP)) for side, wanted in zip(image.size, size, strict=True))
    if across == down == 1:
        return to_rgb(image).resize(size, Image.Resampling.BICUBIC)
    reduced = Image.new("RGB", (-(-image.width // across), -(-image.height // down)))
    top = 0
    for strip in _strips(image, down):
        reduced.paste(to_rgb(strip).reduce((across, down)), (0, top))
        top += -(-strip.height // down)
    return reduced.resize(size, Image.Resampling.BICUBIC, box=(0, 0, image.width / across, image.height / down))
