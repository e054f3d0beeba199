"""The head of an image file: what it says is what Pillow finds, and reading it takes a bounded number of steps."""

import io
import struct
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmarks import hostile_images as hostile
from lacuna.data.images import headers
from lacuna.data.images.headers import ImageHeader, UnreadableImageError, check_pixels, read_image_header
from tests.heic_picture import TURNED_HEIC

WRITTEN = [
    ("JPEG", "RGB", {}),
    ("JPEG", "L", {"progressive": True}),
    ("JPEG", "CMYK", {}),
    ("PNG", "RGBA", {}),
    ("PNG", "1", {}),
    ("PNG", "I;16", {}),
    ("PNG", "P", {"transparency": 0}),
    ("WEBP", "RGB", {}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("GIF", "P", {"comment": "of a camera " * 50}),
    ("GIF", "L", {"save_all": True, "append_images": [Image.new("L", (3, 2), 9)]}),
    ("BMP", "RGB", {}),
    ("BMP", "P", {}),
    ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ("TIFF", "I;16", {}),
    ("TIFF", "L", {"big_tiff": True}),
    ("PPM", "RGB", {}),
    ("PPM", "1", {}),
    ("AVIF", "RGB", {"speed": 10}),
    ("AVIF", "RGBA", {"speed": 10}),
]


def written(kind: int, width: int, height: int) -> bytes:
    file_format, mode, options = WRITTEN[kind]
    grey = np.arange(width * height).reshape(height, width) % 251
    image = Image.fromarray(grey.astype(np.uint16)) if mode == "I;16" else Image.fromarray(grey.astype(np.uint8))
    return hostile.encoded(image if mode == "I;16" else image.convert(mode), file_format, **options)


def opened(content: bytes, file_format: str) -> tuple[int, int] | None:
    """The size as Pillow reads it, None where it reads nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=(file_format,)) as image:
                return image.size
    except Exception:
        return None


@settings(max_examples=60)
@given(kind=st.integers(0, len(WRITTEN) - 1), width=st.integers(1, 80), height=st.integers(1, 40))
def test_format_size_and_depth_are_those_that_were_written(kind, width, height):
    file_format, mode, _ = WRITTEN[kind]
    content = written(kind, width, height)
    header = read_image_header(content)
    assert header[:3] == (file_format, width, height)
    with Image.open(io.BytesIO(content)) as image:
        assert header.channels >= len(image.getbands())
    assert (header.bits > 8) == (mode == "I;16")


FUZZED = {kind: written(kind, 20, 12) for kind in range(len(WRITTEN))}


@given(
    kind=st.sampled_from(sorted(FUZZED)),
    changes=st.lists(st.tuples(st.integers(0, 120), st.binary(min_size=1, max_size=4)), min_size=1, max_size=3),
    cut=st.integers(0, 4000),
)
def test_of_a_damaged_head_either_nothing_is_said_or_what_pillow_finds(kind, changes, cut):
    content = bytearray(FUZZED[kind])
    for at, piece in changes:
        content[at : at + len(piece)] = piece
    damaged = bytes(content[: cut or None])
    try:
        header = read_image_header(damaged)
    except UnreadableImageError:
        return
    size = opened(damaged, header.format)
    if size is not None and header.format not in ("AVIF", "HEIF"):  # theirs is an upper bound
        assert sorted(size) == sorted((header.width, header.height))


def test_a_turned_heic_is_known():
    header = read_image_header(TURNED_HEIC)
    assert header.format == "HEIF"
    assert (header.width, header.height) >= (64, 48)


def test_scans_of_a_jpeg_are_counted():
    assert read_image_header(hostile.jpeg_of_scans(40, 16)).scans == 40
    assert read_image_header(hostile.encoded(Image.new("RGB", (16, 16)), "JPEG")).scans == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (hostile.ppm_of_comments(70_000), "no width and height within the first 65536 bytes of a PPM"),
        (hostile.jpeg_of_segments(5000), "too much before the picture: more than 4096 pieces"),
        (b"\xff\xd8\xff" + bytes(200_000), "no segment of a JPEG where one should be"),
        (hostile.tiff_of_strips(200_000), "too much before the picture: more than 135166 values of a TIFF"),
        (hostile.tiff_of_strips(66_000), "a side too long: 1 x 66000 pixels, at most 65535"),
        (hostile.blank_png(1, 70_000), "a side too long: 1 x 70000 pixels"),
        (b"II*\0\x08\0\0\0\xff\xff", "65535 tags of a TIFF, at most 4096"),
        (b"GIF89a" + bytes(7) + b"!\xfe" + b"\1x" * 5000, "too much before the picture"),
        (b"\0\0\0\x10ftypavif" + bytes(4) + b"\0\0\0\x08free" * 5000, "too much before the picture"),
        (b"\0\0\0\x10ftypavif" + bytes(4) + b"\0\0\0\x02free" + bytes(8), "a box shorter than its head"),
    ],
    ids=["comments", "segments", "no segments", "values", "tall TIFF", "tall PNG", "tags", "blocks", "boxes", "box"],
)
def test_more_than_an_encoder_writes_is_refused(content, reason):
    with pytest.raises(UnreadableImageError, match=reason):
        read_image_header(content)


def test_chunks_before_the_picture_are_counted():
    png = hostile.blank_png(2, 2)
    crowded = png[:33] + hostile.png_chunk(b"tEXt", b"a\0b") * 5000 + png[33:]
    with pytest.raises(UnreadableImageError, match="too much before the picture"):
        read_image_header(crowded)


@pytest.mark.parametrize("before", [b"IHDR", b"tEXt"])
def test_a_png_states_its_size_first_and_once(before):
    """Pillow takes the last size that is stated, whatever the first was."""
    png, stated = hostile.blank_png(20, 10), struct.pack(">II5B", 1, 1, 8, 2, 0, 0, 0)
    twofold = png[:8] + hostile.png_chunk(before, stated) + png[8:]
    assert opened(twofold, "PNG") == (20, 10)
    with pytest.raises(UnreadableImageError, match="whose size is not stated first, and once"):
        read_image_header(twofold)


def test_a_picture_larger_than_the_screen_of_its_gif_counts():
    gif = bytearray(hostile.encoded(Image.new("L", (30, 20)), "GIF"))
    gif[6:10] = struct.pack("<HH", 1, 1)
    assert read_image_header(bytes(gif))[1:3] == (30, 20) == opened(bytes(gif), "GIF")


def test_pixels_and_passes_over_them_are_bounded_by_the_users_limit():
    check_pixels(ImageHeader("JPEG", 10, 11, 3, 8, scans=12), max_pixels=110)
    with pytest.raises(UnreadableImageError, match="too many pixels: 10 x 11, at most 109"):
        check_pixels(ImageHeader("JPEG", 10, 11, 3, 8), max_pixels=109)
    with pytest.raises(UnreadableImageError, match="too many scans: 13 over 10 x 11 pixels"):
        check_pixels(ImageHeader("JPEG", 10, 11, 3, 8, scans=13), max_pixels=110)


def test_the_budget_counts_decoded_bytes():
    assert ImageHeader("PNG", 7071, 7071, 4, 16).decoded_bytes == 7071 * 7071 * 8
    assert ImageHeader("PNG", 8, 8, 1, 1).decoded_bytes == 64
    assert headers.read_image_header(hostile.blank_png(30, 20, 16)).decoded_bytes == 30 * 20 * 8
