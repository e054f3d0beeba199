"""Images that are small as files and cost minutes or gigabytes to read: each a function of how far it goes.

Tests call them with small numbers: what they have in common with the large ones is what must be refused.
"""

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image

START_OF_SCAN = b"\xff\xda"
SHORT, LONG = 3, 4

Tags = dict[int, tuple[int, list[int] | bytes]]
"""TIFF tags: the type, and the values or, of many, their bytes."""


def ppm_of_comments(n_bytes: int) -> bytes:
    """A PPM whose head is so many bytes of comment lines."""
    return b"P6\n" + b"#\n" * (n_bytes // 2) + b"1 1 255\n\0\0\0"


def jpeg_of_segments(n: int) -> bytes:
    """A JPEG with so many Exif segments of one byte each before its picture."""
    picture = encoded(Image.new("RGB", (8, 8), "red"), "JPEG")
    segment = b"Exif\0\0\0"
    return picture[:2] + (b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment) * n + picture[2:]


def jpeg_of_scans(n: int, side: int) -> bytes:
    """A progressive JPEG that draws its last scan so many times."""
    jpeg = encoded(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    last = jpeg[jpeg.rfind(START_OF_SCAN) : -2]
    return jpeg[:-2] + (n - jpeg.count(START_OF_SCAN)) * last + jpeg[-2:]


def tiff_of_strips(n: int, claimed_width: int = 1) -> bytes:
    """A TIFF of one-row strips, all at the same place."""
    offsets = struct.pack("<H", 8) * n
    return b"II*\0" + struct.pack("<I", 16) + bytes(8) + tiff_directory(
        16, {256: (LONG, [claimed_width]), 257: (LONG, [n]), 258: (SHORT, [8]), 259: (SHORT, [1]), 262: (SHORT, [1]),
             273: (SHORT, offsets), 277: (SHORT, [1]), 278: (LONG, [1]), 279: (SHORT, struct.pack("<H", 1) * n)}
    )  # fmt: skip


def tiff_of_shared_tiles(n: int, n_scans: int, side: int) -> bytes:
    """A TIFF of n x n tiles that are one and the same JPEG of many scans."""
    jpeg = jpeg_of_scans(n_scans, side)
    head = b"II*\0" + struct.pack("<I", 8 + len(jpeg)) + jpeg
    return head + tiff_directory(
        len(head), {256: (LONG, [n * side]), 257: (LONG, [n * side]), 258: (SHORT, [8]), 259: (SHORT, [7]),
                    262: (SHORT, [1]), 277: (SHORT, [1]), 322: (LONG, [side]), 323: (LONG, [side]),
                    324: (LONG, [8] * n * n), 325: (LONG, [len(jpeg)] * n * n)}
    )  # fmt: skip


def tiff_directory(at: int, tags: Tags) -> bytes:
    """An image file directory that stands at byte `at`, with the values of its tags behind it."""
    entries, values = b"", b""
    behind = at + 2 + 12 * len(tags) + 4
    for tag, (kind, given) in tags.items():
        content = given if isinstance(given, bytes) else struct.pack(f"<{len(given)}{'HI'[kind - SHORT]}", *given)
        entries += struct.pack("<HHI", tag, kind, len(content) // (2 * kind - 4))
        if len(content) > 4:
            entries += struct.pack("<I", behind + len(values))
            values += content
        else:
            entries += content.ljust(4, b"\0")
    return struct.pack("<H", len(tags)) + entries + bytes(4) + values


def blank_png(width: int, height: int, bits: int = 8) -> bytes:
    """A transparent PNG of RGBA pixels that are all zero, packed as small as it goes."""
    packer = zlib.compressobj(9)
    row = bytes(1 + width * 4 * bits // 8)
    rows = max(1, 2**24 // len(row))
    block = row * rows
    packed = [packer.compress(block[: len(row) * min(rows, height - at)]) for at in range(0, height, rows)]
    header = struct.pack(">IIBBBBB", width, height, bits, 6, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", header),
            png_chunk(b"IDAT", b"".join(packed) + packer.flush()),
            png_chunk(b"IEND", b""),
        ]
    )


def png_of_chunks(n: int) -> bytes:
    """A PNG with so many chunks of text behind its picture, where they don't count as its head."""
    png = blank_png(8, 8)
    return png[:-12] + png_chunk(b"tEXt", b"a\0b") * n + png[-12:]


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG, with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    """An image as a file."""
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


HOSTILE_IMAGES: dict[str, Callable[[], bytes]] = {
    "PPM of comment lines": lambda: ppm_of_comments(4_000_000),
    "JPEG of tiny Exif segments": lambda: jpeg_of_segments(700_000),
    "JPEG of 92 scans": lambda: jpeg_of_scans(92, 7000),
    "TIFF of one-row strips": lambda: tiff_of_strips(4_700_000),
    "TIFF of 9.5 million offsets": lambda: tiff_of_strips(9_500_000, 30_000),
    "TIFF of 49 tiles, one JPEG of 92 scans": lambda: tiff_of_shared_tiles(7, 92, 1008),
    "PNG of a million chunks behind the picture": lambda: png_of_chunks(1_000_000),
    "PNG of 1 x 50,000,000 RGBA": lambda: blank_png(1, 50_000_000),
    "PNG of 7071 x 7071 RGBA, 16 bits": lambda: blank_png(7071, 7071, 16),
}
