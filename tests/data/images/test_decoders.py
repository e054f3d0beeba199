"""Images that are small as files and costly to read: refused with the reason, and the next one is decoded."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import hostile_images as hostile
from lacuna.data.images.decode import decode
from lacuna.data.images.decoders import Decoders, decoders, memory_to_decode
from lacuna.data.images.headers import UnreadableImageError, read_image_header
from lacuna.data.images.readers import FolderReader, WorkingForm
from lacuna.io.file_digests import open_digests
from tests.heic_picture import TURNED_HEIC

FORM = (32, "stretch", 10_000_000)
PHOTO = hostile.encoded(Image.new("RGB", (60, 40), (200, 30, 90)), "PNG")
DRAWING = hostile.encoded(Image.new("RGB", (60, 40), (200, 30, 90)), "BMP")  # never light: decoded in a process


def refusal(content: bytes, by: Decoders | None = None) -> str:
    with pytest.raises(UnreadableImageError) as refused:
        (by or decoders()).decode(content, [FORM])
    return str(refused.value)


def test_pixels_are_those_that_this_process_would_make_in_each_form():
    forms = [FORM, (48, "pad", 10_000)]
    for found, (size, resize, max_pixels) in zip(decoders().decode(DRAWING, forms), forms, strict=True):
        assert (found.pixels == decode(DRAWING, size=size, resize=resize, max_pixels=max_pixels)).all()
    assert found.origin == ("BMP", "RGB", 60, 40, len(DRAWING))


@pytest.mark.parametrize(
    ("light", "size", "file_format", "options"),
    [
        (True, (2000, 2000), "PNG", {}),
        (True, (2000, 2000), "JPEG", {}),
        (False, (2001, 2000), "JPEG", {}),
        (False, (60, 40), "JPEG", {"progressive": True}),
        (False, (60, 40), "WEBP", {}),
        (False, (60, 40), "GIF", {}),
        (False, (60, 40), "TIFF", {}),
    ],
)
def test_only_what_is_small_and_passes_over_its_pixels_once_is_decoded_in_this_process(
    light, size, file_format, options
):
    assert needs_a_process(hostile.encoded(Image.new("RGB", size), file_format, **options)) != light


def test_a_png_of_many_chunks_is_not_decoded_in_this_process():
    assert not needs_a_process(hostile.png_of_chunks(1000))
    assert needs_a_process(hostile.png_of_chunks(1030))


def in_png(kind: bytes, content: bytes) -> bytes:
    """A PNG with this chunk before its picture."""
    return PHOTO[:33] + hostile.png_chunk(kind, content) + PHOTO[33:]


def in_jpeg(*exif: bytes) -> bytes:
    """A JPEG with each of these as a segment of EXIF."""
    segments = (b"\xff\xe1" + struct.pack(">H", 8 + len(part)) + b"Exif\0\0" + part for part in exif)
    return b"\xff\xd8" + b"".join(segments) + hostile.encoded(Image.new("RGB", (60, 40)), "JPEG")[2:]


def test_what_has_much_exif_is_not_decoded_in_this_process():
    """Pillow would be at it for minutes, and nothing could stop it here."""
    exif = Image.Exif().tobytes().removeprefix(b"Exif\0\0")
    assert not needs_a_process(in_png(b"eXIf", exif.ljust(65_536, b"\0")))
    assert needs_a_process(in_png(b"eXIf", exif.ljust(65_537, b"\0")))
    assert needs_a_process(in_png(b"zTXt", b"Raw profile type exif\0\0..."))
    assert not needs_a_process(in_jpeg(exif.ljust(65_000, b"\0"), b"of the second picture"))
    assert needs_a_process(in_jpeg(b"one", b"two", b"three"))


def needs_a_process(content: bytes) -> bool:
    closed = Decoders()
    closed.close()
    try:
        (found,) = closed.decode(content, [FORM])
    except UnreadableImageError:
        return True
    assert found.pixels.shape == (32, 32, 3)
    return False


def test_a_heic_is_upright():
    (found,) = decoders().decode(TURNED_HEIC, [(64, "pad", 10_000)])
    assert found.origin[:4] == ("HEIF", "RGB", 48, 64)
    red, green, _ = found.pixels[:, 8:56].astype(int).transpose(2, 0, 1)
    assert red[-4:].mean() > red[:4].mean() + 100  # what grew to the right grows downwards
    assert green[:, :4].mean() > green[:, -4:].mean() + 100


def test_of_a_jpeg_with_several_pictures_the_first_is_decoded():
    first, second = Image.new("RGB", (60, 40), (200, 30, 90)), Image.new("RGB", (60, 40), "white")
    (found,) = decoders().decode(hostile.encoded(first, "MPO", save_all=True, append_images=[second]), [FORM])
    assert np.abs(found.pixels.astype(int) - (200, 30, 90)).max() <= 3


def test_what_takes_too_long_is_ended_and_the_next_image_is_decoded():
    slow = hostile.tiff_of_shared_tiles(7, 92, 1008)  # 1.2 % of a megabyte, seconds of a processor
    impatient = Decoders(deadline_s=0.5)
    impatient.start(1)
    with pytest.raises(UnreadableImageError, match=r"too slow: not decoded within 0\.5 s"):
        impatient.decode(slow, [(32, "stretch", 50_000_000)])
    assert decoders().decode(DRAWING, [FORM])[0].pixels[0, 0].tolist() == [200, 30, 90]
    impatient.close()


def test_a_head_that_says_less_than_there_is_gets_no_more_memory():
    """An AVIF of 6000 x 4000 pixels whose head says 64 x 64."""
    content = bytearray(hostile.encoded(Image.new("RGB", (6000, 4000), "red"), "AVIF", speed=10))
    at = content.index(b"ispe") + 8
    content[at : at + 8] = struct.pack(">II", 64, 64)
    assert read_image_header(bytes(content))[1:3] == (64, 64)
    assert refusal(bytes(content)).startswith(("too much memory", "damaged"))
    assert decoders().decode(DRAWING, [FORM])[0].pixels[0, 0].tolist() == [200, 30, 90]


@pytest.mark.parametrize(
    "content",
    [
        hostile.ppm_of_comments(70_000),
        hostile.jpeg_of_segments(5000),
        hostile.jpeg_of_scans(200, 1000),
        hostile.tiff_of_strips(200_000),
        hostile.tiff_of_strips(20_000, 30_000),
        hostile.blank_png(1, 70_000),
    ],
    ids=["PPM of comments", "JPEG of segments", "JPEG of scans", "TIFF of strips", "TIFF of offsets", "tall PNG"],
)
def test_what_its_head_gives_away_is_refused_before_a_decoder_sees_it(content: bytes):
    assert refusal(content).startswith(("too m", "a side too long", "damaged image: no width"))


def test_a_large_deep_picture_is_decoded_in_the_memory_that_its_head_asks_for():
    content = hostile.blank_png(2400, 2400, 16)
    assert memory_to_decode(read_image_header(content), len(content)) < 150_000_000
    (found,) = decoders().decode(content, [FORM])
    assert found.pixels.min() == 255


@pytest.mark.parametrize(
    ("file_format", "mode", "options"),
    [
        ("JPEG", "CMYK", {"progressive": True}),
        ("PNG", "RGBA", {}),
        ("WEBP", "RGBA", {}),
        ("GIF", "P", {}),
        ("BMP", "RGB", {}),
        ("TIFF", "RGBA", {"compression": "tiff_lzw"}),
        ("PPM", "RGB", {}),
        ("AVIF", "RGBA", {"speed": 10, "subsampling": "4:4:4"}),
    ],
)
def test_an_honest_image_of_each_format_needs_no_more_than_its_head_says(file_format, mode, options):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned: twice in memory for a moment
    smooth = Image.linear_gradient("L").resize((2400, 1600))
    turned = {} if file_format in ("GIF", "BMP", "PPM") else {"exif": exif.tobytes()}
    content = hostile.encoded(smooth.convert("RGB").convert(mode), file_format, **options, **turned)
    (found,) = decoders().decode(content, [FORM])
    assert (found.origin.width, found.origin.height) == ((1600, 2400) if turned else (2400, 1600))


def test_ingest_rejects_a_hostile_image_with_the_reason_and_goes_on(tmp_path: Path):
    (tmp_path / "1.ppm").write_bytes(hostile.ppm_of_comments(70_000))
    (tmp_path / "2.png").write_bytes(PHOTO)
    reader, names = FolderReader(tmp_path), ["1.ppm", "2.png"]
    with open_digests(tmp_path / "digests.sqlite") as known:
        digests = dict(zip(names, reader.digests(names, known), strict=True))
    hostile_one, photo = reader.pictures(digests, WorkingForm(*FORM))
    assert "no width and height within the first 65536 bytes of a PPM" in str(hostile_one)
    assert photo.pixels[0, 0].tolist() == [200, 30, 90]


def test_a_large_picture_in_strips_is_what_it_is_as_a_whole():
    turned = Image.fromarray(np.random.default_rng(1).integers(0, 256, (1201, 1303, 4), np.uint8))
    content = hostile.encoded(turned, "PNG")
    white = Image.new("RGBA", turned.size, "white")
    whole = Image.alpha_composite(white, Image.open(io.BytesIO(content))).convert("RGB")
    expected = whole.resize((32, 32), Image.Resampling.BICUBIC, reducing_gap=3)
    assert (decode(content, size=32, resize="stretch", max_pixels=10**7) == np.asarray(expected)).all()
