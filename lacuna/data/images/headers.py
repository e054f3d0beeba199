"""The head of an image file, read in a bounded number of steps: format, size and depth, before any decoder sees it.

A decoder's own reading of a head is not bounded: it collects all metadata before it tells the size. What is refused
here was made by no common encoder.
"""

import re
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lacuna.data.images.formats import describe_unread
from lacuna.errors import LacunaError

MAX_SIDE = 65_535
"""Pixels along the longer side: the most that a JPEG can have."""

MAX_STEPS = 4096
"""Segments, chunks, boxes or blocks before the picture. A camera writes fifty at most, a profile in pieces 255."""

MAX_STRAY_BYTES = 65_536
"""Of a head that is text, and of bytes between the segments of a JPEG that belong to none."""

MAX_TIFF_VALUES = 2 * MAX_SIDE + MAX_STEPS
"""Numbers in the tags of a TIFF: a place and a length for each row, and some."""

MAX_SCANS_OF_LARGEST = 12
"""How many scans a JPEG of the most pixels allowed may have; a smaller one may have more. Common encoders make 10."""


class UnreadableImageError(LacunaError):
    """This image can't be used; the message is the reason, without the file's name."""


class TooSlowError(UnreadableImageError):
    """This image was not decoded in time."""


class ImageHeader(NamedTuple):
    """What the head of an image file says.

    format: as Pillow calls it, with JPEG for a file of several (MPO). width, height: in pixels as they are stored,
    before any turn. channels: 1 to 4, and those of a palette's entry for a picture with one. bits: of the deepest
    channel. scans: of a JPEG, how often it passes over all pixels; 1 of others.
    """

    format: str
    width: int
    height: int
    channels: int
    bits: int
    scans: int = 1

    @property
    def decoded_bytes(self) -> int:
        """Width x height x channels x depth."""
        return self.width * self.height * self.channels * max(1, -(-self.bits // 8))


def read_image_header(content: bytes) -> ImageHeader:
    """Read the head of an image file's content, in steps whose number does not depend on the content's length.

    Raises UnreadableImageError for another format, a damaged head, more metadata before the picture than any encoder
    writes, and a side above MAX_SIDE.
    """
    reader = next((reader for mark, reader in _READERS if mark.match(content)), None)
    if not content:
        raise UnreadableImageError("empty file")
    if reader is None:
        raise UnreadableImageError(describe_unread(content) or "not an image of a known format")
    try:
        header = reader(content)
    except (struct.error, IndexError):
        raise UnreadableImageError("truncated image: it ends within its head") from None
    if min(header.width, header.height) < 1:
        raise UnreadableImageError(f"damaged image: its head says {header.width} x {header.height} pixels")
    if max(header.width, header.height) > MAX_SIDE:
        raise UnreadableImageError(
            f"a side too long: {header.width} x {header.height} pixels, at most {MAX_SIDE} are allowed"
        )
    return header


def is_known_format(start: bytes) -> bool:
    """Whether a file that begins with these bytes, 32 at least, is of a format that is read."""
    return any(mark.match(start) for mark, _ in _READERS)


def check_pixels(header: ImageHeader, max_pixels: int) -> None:
    """Raise UnreadableImageError for an image of too many pixels, or of more passes over them than encoders make.

    Each scan of a progressive JPEG costs a pass over all pixels and may be 75 bytes long.
    """
    n_pixels = header.width * header.height
    if n_pixels > max_pixels:
        raise UnreadableImageError(
            f"too many pixels: {header.width} x {header.height}, at most {max_pixels} are allowed"
        )
    if n_pixels * header.scans > MAX_SCANS_OF_LARGEST * max_pixels:
        raise UnreadableImageError(f"too many scans: {header.scans} over {header.width} x {header.height} pixels")


def _steps() -> Iterator[None]:
    """As many turns as a head may take."""
    yield from (None for _ in range(MAX_STEPS))
    raise UnreadableImageError(f"too much before the picture: more than {MAX_STEPS} pieces of metadata")


def _read_jpeg(content: bytes) -> ImageHeader:
    at, strayed, found = 2, 0, None
    for _ in _steps():
        start = content.find(b"\xff", at, at + MAX_STRAY_BYTES)
        strayed += max(start - at, 0)
        if start < 0 and at + MAX_STRAY_BYTES > len(content):
            raise IndexError
        if start < 0 or strayed > MAX_STRAY_BYTES:
            raise UnreadableImageError("damaged image: no segment of a JPEG where one should be")
        marker, at = content[start + 1], start + 2
        if marker == 0xDA and found is not None:
            return found._replace(scans=content.count(b"\xff\xda", start))  # in data, a byte ff is followed by 00
        if marker in (0xD9, 0xDA):
            raise UnreadableImageError("damaged image: a JPEG without a size before its picture")
        if marker in (0xFF, 0x00, 0x01) or 0xD0 <= marker <= 0xD8:  # padding, and marks without content
            at -= marker == 0xFF
            continue
        (length,) = struct.unpack_from(">H", content, at)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            bits, height, width, channels = struct.unpack_from(">BHHB", content, at + 2)
            found = ImageHeader("JPEG", width, height, channels, bits)
        at += max(length, 2)
    raise AssertionError


def _read_png(content: bytes) -> ImageHeader:
    width, height, bits, colours = struct.unpack_from(">II2B", content, 16)
    at = 8
    for _ in _steps():
        length, kind = struct.unpack_from(">I4s", content, at)
        if (kind == b"IHDR") != (at == 8):  # Pillow takes the last size that is stated
            raise UnreadableImageError("damaged image: a PNG whose size is not stated first, and once")
        if kind == b"IDAT":
            break
        at += 12 + length
    channels = {0: 1, 2: 3, 3: 4, 4: 2, 6: 4}.get(colours, 4)
    return ImageHeader("PNG", width, height, channels, bits)


def _read_webp(content: bytes) -> ImageHeader:
    kind = content[12:16]
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(content[at : at + 3], "little") for at in (24, 27))
        return ImageHeader("WEBP", width, height, 4 if content[20] & 0x10 else 3, 8)
    if kind == b"VP8L":
        (packed,) = struct.unpack_from("<I", content, 21)
        return ImageHeader("WEBP", 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF), 4 if packed >> 28 & 1 else 3, 8)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return ImageHeader("WEBP", width & 0x3FFF, height & 0x3FFF, 3, 8)
    raise UnreadableImageError("damaged image: a WebP without a picture")


def _read_gif(content: bytes) -> ImageHeader:
    """The size of the screen, or of the first picture where that is larger."""
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    at, steps = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0), _steps()
    for _ in steps:
        block = content[at]
        if block == 0x3B:
            raise UnreadableImageError("damaged image: a GIF without a picture")
        if block == 0x2C:
            left, top, across, down = struct.unpack_from("<4H", content, at + 1)
            return ImageHeader("GIF", max(width, left + across), max(height, top + down), 4, 8)
        at += 1
        if block == 0x21:
            at += 1
            while content[at] != 0:
                next(steps)
                at += 1 + content[at]
            at += 1
    raise AssertionError


def _read_bmp(content: bytes) -> ImageHeader:
    (size,) = struct.unpack_from("<I", content, 14)
    width, height, _, bits = struct.unpack_from("<HHHH" if size == 12 else "<iiHH", content, 18)
    return ImageHeader("BMP", abs(width), abs(height), 4 if bits in (1, 4, 8, 32) else 3, 8)


def _read_ppm(content: bytes) -> ImageHeader:
    """The words of the head: magic number, width, height and, but for pictures of one bit, the largest value."""
    head = re.sub(rb"#[^\r\n]*", b"", content[:MAX_STRAY_BYTES])
    words = head.split(None, 4)[:4]
    kind, numbers = words[0], words[1 : 3 if words[0] in (b"P1", b"P4") else 4]
    if len(numbers) < 2 or not all(word.isdigit() and len(word) <= 10 for word in numbers):
        raise UnreadableImageError(
            f"damaged image: no width and height within the first {min(len(content), MAX_STRAY_BYTES)} bytes of a PPM"
        )
    width, height, *largest = map(int, numbers)
    return ImageHeader(
        "PPM", width, height, 3 if kind in (b"P3", b"P6") else 1, 16 if largest and largest[0] > 255 else 8
    )


SAMPLES_PER_PIXEL, BITS_PER_SAMPLE, IMAGE_WIDTH, IMAGE_LENGTH, PHOTOMETRIC, PALETTE = 277, 258, 256, 257, 262, 3
TIFF_NUMBERS = {3: "H", 4: "I", 16: "Q"}
TIFF_BYTES = (1, 2, 6, 7)
"""The types of numbers that sizes are written in, and those that are bytes."""


def _read_tiff(content: bytes) -> ImageHeader:
    order, is_big = "<" if content[:2] == b"II" else ">", 43 in content[2:4]
    (at,) = struct.unpack_from(f"{order}{'8xQ' if is_big else '4xI'}", content)
    count_form, entry_form = (f"{order}Q", f"{order}HHQ8s") if is_big else (f"{order}H", f"{order}HHI4s")
    (n,) = struct.unpack_from(count_form, content, at)
    if n > MAX_STEPS:
        raise UnreadableImageError(f"too much before the picture: {n} tags of a TIFF, at most {MAX_STEPS}")
    at += struct.calcsize(count_form)
    found, n_values = {SAMPLES_PER_PIXEL: [1], BITS_PER_SAMPLE: [1]}, 0
    for entry in range(n):
        tag, kind, count, value = struct.unpack_from(entry_form, content, at + entry * struct.calcsize(entry_form))
        n_values += 0 if kind in TIFF_BYTES else count
        if n_values > MAX_TIFF_VALUES:
            raise UnreadableImageError(f"too much before the picture: more than {MAX_TIFF_VALUES} values of a TIFF")
        if kind in TIFF_NUMBERS and 0 < count <= MAX_STEPS:
            form = f"{order}{count}{TIFF_NUMBERS[kind]}"
            (place,) = struct.unpack(f"{order}{'Q' if is_big else 'I'}", value)
            inline = struct.calcsize(form) <= len(value)
            found[tag] = list(struct.unpack_from(form, value if inline else content, 0 if inline else place))
    if IMAGE_WIDTH not in found or IMAGE_LENGTH not in found:
        raise UnreadableImageError("damaged image: a TIFF without width and height")
    channels = 4 if found.get(PHOTOMETRIC) == [PALETTE] else min(found[SAMPLES_PER_PIXEL][0], 64)
    return ImageHeader("TIFF", found[IMAGE_WIDTH][0], found[IMAGE_LENGTH][0], channels, max(found[BITS_PER_SAMPLE]))


def _read_heif(content: bytes) -> ImageHeader:
    """Of AVIF and HEIF the largest of the pictures inside: others are its tiles and its thumbnail."""
    is_avif = re.match(rb"avi[fs]|m[is][if]1.{4}.{0,100}avi[fs]", content[8:120], re.S)
    sizes, channels, bits, steps = [(0, 0)], 3, 8, _steps()
    properties = [
        (kind, at)
        for top, at, end in _boxes(content, 0, len(content), steps)
        if top == b"meta"
        for middle, at, end in _boxes(content, at + 4, end, steps)
        if middle == b"iprp"
        for inner, at, end in _boxes(content, at, end, steps)
        if inner == b"ipco"
        for kind, at, end in _boxes(content, at, end, steps)
    ]
    for kind, at in properties:
        if kind == b"ispe":
            sizes.append(struct.unpack_from(">II", content, at + 4))
        elif kind == b"auxC":
            channels = 4
        elif kind == b"pixi":
            bits = max([bits, *content[at + 5 : at + 5 + min(content[at + 4], 4)]])
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return ImageHeader("AVIF" if is_avif else "HEIF", width, height, channels, bits)


def _boxes(content: bytes, at: int, end: int, steps: Iterator[None]) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each box between two places, and where its content begins and ends."""
    for _ in steps:
        if at + 8 > end:
            return
        length, kind = struct.unpack_from(">I4s", content, at)
        begin = at + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", content, begin)
            begin += 8
        after = end if length == 0 else at + length
        if after < begin:
            raise UnreadableImageError("damaged image: a box shorter than its head")
        yield kind, begin, min(after, end)
        at = after


_READERS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], ImageHeader]], ...] = (
    (re.compile(rb"\xff\xd8\xff"), _read_jpeg),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), _read_png),
    (re.compile(rb"RIFF....WEBP", re.S), _read_webp),
    (re.compile(rb"GIF8[79]a"), _read_gif),
    (re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.S), _read_bmp),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), _read_tiff),
    (re.compile(rb"P[1-6]\s"), _read_ppm),
    (re.compile(rb"....ftyp(?:avi[fs]|hei[cxsm]|hev[cxms]|m[is][if]1)", re.S), _read_heif),
)
"""The formats that are read, by the first bytes."""
