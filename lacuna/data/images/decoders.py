"""Decoding within limits: no image takes longer than the deadline, or more memory than set aside.

What an image may take follows from its head (`read_image_header`). Where that bounds the work to a moment, as of most
JPEG and PNG files, the image is decoded here. All others are decoded in processes that can be stopped, and one whose
head lies is found out there.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

from lacuna.core.working_image import Resize
from lacuna.data.images.decode import Decoded, decode_content, read_content
from lacuna.data.images.headers import ImageHeader, TooSlowError, UnreadableImageError, check_pixels, read_image_header
from lacuna.io.killable import KillableProcesses

Said = TypeVar("Said")

DEADLINE_S = 60.0
"""Seconds for an image of a data set. The largest photos take three on a quiet machine; what depends on how busy it is
must not decide what is learned from."""

MEMORY = 2 * 2**30
"""Bytes for all images that are decoded at a time. One that takes more is decoded while no other is."""

MB = 1_000_000
SLACK = 48 * MB
"""Beside the picture: code that a decoder loads, metadata, a strip of the picture in each of its forms, results."""

LIGHT_PIXELS, LIGHT_CHUNKS = 4_000_000, 1024
"""A JPEG of one scan, or a PNG of so few chunks, is passed over once, and gives no more pixels than its head says: so
many take a tenth of a second and 32 MB."""

LIGHT_EXIF_BYTES, LIGHT_EXIF_SEGMENTS = 65_536, 2
"""Pillow makes a Python object of each number in EXIF, and copies what it has for each further segment of a JPEG: 20 MB
took more than a minute. So many bytes are one segment; a file of several pictures has one for each."""

EXIF_SEGMENT, EXIF_AS_TEXT = b"Exif\0\0", b"Raw profile type exif"
"""How EXIF begins in a JPEG, and what the text of a PNG is called, maybe compressed, that Pillow takes for EXIF."""

BYTES_PER_PIXEL = {"JPEG": 8, "PNG": 8, "GIF": 8, "BMP": 8, "PPM": 8, "TIFF": 8, "WEBP": 18, "AVIF": 20, "HEIF": 20}
"""The most that a decoder and Pillow hold at a time: Pillow 4 bytes a pixel, twice where the picture is turned; WebP,
AVIF and HEIF the planes, the colours and a copy of these beside it."""


class Decoders:
    """Decodes images from any number of threads, each that is not light in a process of its own.

    deadline_s: seconds for one image. memory: bytes for all images at a time, counted by what their heads say.
    """

    def __init__(self, deadline_s: float = DEADLINE_S, memory: int = MEMORY) -> None:
        self.memory = memory
        self._processes = KillableProcesses(deadline_s, "lacuna.data.images.decode")
        self._room = _Room(memory)

    def decode(self, source: Path | bytes, forms: Sequence[tuple[int, Resize, int]]) -> list[Decoded]:
        """The working images of a file, or its content, in each of the forms (size, resize, max_pixels).

        Raises UnreadableImageError as `decode_content` does, and for an image that takes longer than the deadline,
        or more memory than its head says.
        """
        content = source if isinstance(source, bytes) else read_content(source)
        header = read_image_header(content)
        for _, _, max_pixels in forms:
            check_pixels(header, max_pixels)
        if is_light(header, content):
            return _decode_all(content, header, forms)
        return self.run(_decode_all, content, header, forms, memory=memory_to_decode(header, len(content)))

    def run(self, function: Callable[..., Said], *arguments: object, memory: int) -> Said:
        """What a function of a module that reads one image returns, in a process that may take `memory` bytes.

        Raises UnreadableImageError when that or the time was not enough, and what the function raises.
        """
        with self._room.taken(memory):
            try:
                return self._processes.run(function, *arguments, memory=memory)
            except TimeoutError:
                raise TooSlowError(f"too slow: not decoded within {self._processes.deadline_s:g} s") from None
            except MemoryError:
                raise UnreadableImageError(
                    f"too much memory: more than the {memory // MB} MB that an image of its size takes"
                ) from None
            except ChildProcessError as error:
                raise UnreadableImageError(f"damaged image: its decoder failed ({error})") from None

    def start(self, count: int) -> None:
        """Start so many processes ahead of the first images."""
        self._processes.start(count)

    def hurry(self, deadline_s: float) -> None:
        """Give every image, those that are being decoded too, no more than so many seconds."""
        self._processes.deadline_s = min(deadline_s, self._processes.deadline_s)

    def close(self) -> None:
        """Stop all decoding at once."""
        self._processes.close()


@cache
def decoders() -> Decoders:
    """Those for data sets and predictions. They start with the first image and end with this process."""
    return Decoders()


if hasattr(os, "register_at_fork"):  # not on Windows, where no process is a copy of another
    os.register_at_fork(after_in_child=decoders.cache_clear)


def is_light(header: ImageHeader, content: bytes) -> bool:
    """Whether decoding an image file is over in a moment, by its head and what follows it."""
    if header.width * header.height > LIGHT_PIXELS:
        return False
    if header.format == "JPEG":
        return header.scans == 1 and content.count(EXIF_SEGMENT) <= LIGHT_EXIF_SEGMENTS
    return header.format == "PNG" and EXIF_AS_TEXT not in content and _has_light_chunks(content)


def _has_light_chunks(png: bytes) -> bool:
    at, n = 8, 0  # behind the signature
    while at < len(png) and n <= LIGHT_CHUNKS:
        length, kind = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
        if kind == b"eXIf" and length > LIGHT_EXIF_BYTES:
            return False
        at, n = at + 12 + length, n + 1
    return n <= LIGHT_CHUNKS


def memory_to_decode(header: ImageHeader, n_bytes: int) -> int:
    """How many bytes of memory it takes to decode an image with this head, whose file has n_bytes."""
    n_pixels = header.width * header.height
    coefficients = 2 * header.channels * n_pixels if header.scans > 1 else 0
    strip = header.decoded_bytes if header.format == "TIFF" else 0  # which may be the whole picture
    return SLACK + 2 * n_bytes + n_pixels * BYTES_PER_PIXEL[header.format] + coefficients + strip


def _decode_all(content: bytes, header: ImageHeader, forms: Sequence[tuple[int, Resize, int]]) -> list[Decoded]:
    return [
        decode_content(content, header, size=size, resize=resize, max_pixels=max_pixels)
        for size, resize, max_pixels in forms
    ]


class _Room:
    """So many bytes for all; whoever finds too little room waits, and is not overtaken."""

    def __init__(self, n_bytes: int) -> None:
        self._n_bytes, self._held = n_bytes, 0
        self._turn, self._freed = threading.Lock(), threading.Condition()

    @contextmanager
    def taken(self, n_bytes: int) -> Iterator[None]:
        with self._turn, self._freed:
            self._freed.wait_for(lambda: self._held == 0 or self._held + n_bytes <= self._n_bytes)
            self._held += n_bytes
        try:
            yield
        finally:
            with self._freed:
                self._held -= n_bytes
                self._freed.notify()
