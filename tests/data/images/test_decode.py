"""What `decode` makes of every kind of image file, and which it refuses."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.data.images.decode import decode, decode_with_origin
from lacuna.data.images.headers import UnreadableImageError


def encoded(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def decoded(content: bytes | Path, size: int = 32, resize: str = "stretch", max_pixels: int = 10_000) -> np.ndarray:
    return decode(content, size=size, resize=resize, max_pixels=max_pixels)


def test_colours_keep_their_places() -> None:
    image = Image.new("RGB", (64, 64), (200, 30, 90))
    image.paste((10, 220, 40), (32, 0, 64, 64))
    pixels = decoded(encoded(image))
    assert pixels.shape == (32, 32, 3)
    assert pixels.dtype == np.uint8
    assert pixels[5, 5].tolist() == [200, 30, 90]
    assert pixels[5, 28].tolist() == [10, 220, 40]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("L", (32, 32), 77), (77, 77, 77)),
        (Image.new("1", (32, 32), 1), (255, 255, 255)),
        (Image.new("RGBA", (32, 32), (255, 0, 0, 0)), (255, 255, 255)),
        (Image.new("RGBA", (32, 32), (255, 0, 0, 51)), (255, 204, 204)),
        (Image.new("LA", (32, 32), (0, 51)), (204, 204, 204)),
        (Image.new("RGB", (32, 32), (9, 90, 200)).convert("P", palette=Image.Palette.ADAPTIVE), (9, 90, 200)),
        (Image.fromarray(np.full((32, 32), 32768, np.uint16)), (127, 127, 127)),
        (Image.fromarray(np.full((32, 32), 65535, np.uint16)), (255, 255, 255)),
    ],
    ids=["grey", "1-bit", "transparent", "one fifth opaque", "grey with alpha", "palette", "16-bit", "16-bit white"],
)
def test_every_mode_becomes_rgb_on_white(image: Image.Image, expected: tuple[int, int, int]) -> None:
    assert np.abs(decoded(encoded(image)).astype(int) - expected).max() <= 1


def test_a_transparent_palette_entry_is_white() -> None:
    image = Image.new("P", (32, 32), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    assert decoded(encoded(image, transparency=0)).min() == 255


@pytest.mark.parametrize("file_format", ["TIFF", "PPM"])
def test_sixteen_bit_grey_in_other_formats(file_format: str) -> None:
    ramp = np.linspace(0, 65535, 32).astype(np.uint16)
    pixels = decoded(encoded(Image.fromarray(np.tile(ramp, (32, 1))), file_format))
    assert np.abs(pixels[0, :, 0].astype(int) - ramp // 257).max() <= 1


def test_cmyk_jpeg() -> None:
    content = encoded(Image.new("CMYK", (64, 64), (0, 255, 255, 0)), "JPEG", quality=100)
    assert np.abs(decoded(content)[16, 16].astype(int) - (255, 0, 0)).max() <= 3


@pytest.mark.parametrize(("file_format", "mode"), [("JPEG", "RGB"), ("PNG", "RGBA"), ("WEBP", "RGB"), ("TIFF", "L")])
@pytest.mark.parametrize(("orientation", "corner"), [(1, (4, 4)), (3, (28, 28)), (6, (4, 28)), (8, (28, 4))])
def test_exif_orientation_is_applied(file_format: str, mode: str, orientation: int, corner: tuple[int, int]) -> None:
    image = Image.new(mode, (64, 64), "black")
    image.paste("white", (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = decoded(encoded(image, file_format, exif=exif.tobytes()))
    bright = [(y, x) for y, x in ((4, 4), (4, 28), (28, 4), (28, 28)) if pixels[y, x].mean() > 200]
    assert bright == [corner]


def test_pad_keeps_the_aspect_and_stretch_does_not() -> None:
    content = encoded(Image.new("RGB", (64, 16), "black"))
    padded = decoded(content, resize="pad")
    assert (padded[:12] == 255).all()
    assert (padded[12:20] == 0).all()
    assert (padded[20:] == 255).all()
    assert (decoded(content, resize="stretch") == 0).all()


def test_pad_keeps_a_hair_line_visible() -> None:
    assert (decoded(encoded(Image.new("RGB", (1, 2000), "black")), resize="pad") == 0).any()


def test_a_large_jpeg_is_as_good_as_its_full_decoding() -> None:
    x, y = np.meshgrid(np.arange(640), np.arange(640))
    smooth = np.stack([x / 2.6, y / 2.6, (x + y) / 5.2], axis=2).astype(np.uint8)
    content = encoded(Image.fromarray(smooth), "JPEG", quality=95)
    full = Image.open(io.BytesIO(content)).resize((32, 32), Image.Resampling.BOX)
    difference = decoded(content, max_pixels=10**6).astype(int) - np.asarray(full)
    assert np.abs(difference).max() <= 4


@pytest.mark.parametrize(("file_format", "mode"), [("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "LA"), ("WEBP", "RGB")])
@pytest.mark.parametrize(("orientation", "width", "height"), [(1, 400, 90), (3, 400, 90), (6, 90, 400), (8, 90, 400)])
def test_the_origin_is_the_file_and_not_the_working_image(
    tmp_path: Path, file_format: str, mode: str, orientation: int, width: int, height: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(Image.new(mode, (400, 90)), file_format, exif=exif.tobytes()))
    origin = decode_with_origin(path, size=32, resize="pad", max_pixels=10**6).origin
    assert origin == (file_format, mode, width, height, path.stat().st_size)


def test_path_and_content_decode_alike(tmp_path: Path) -> None:
    content = encoded(Image.new("RGB", (20, 30), "teal"), "WEBP")
    path = tmp_path / "picture.jpg"  # the suffix is wrong, as it often is
    path.write_bytes(content)
    assert (decoded(path) == decoded(content)).all()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"\0")) + png_chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"Dear diary, this is no image.", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "not an image"),
        (encoded(Image.new("RGB", (90, 90), "red"), "JPEG")[:-300], "truncated"),
        (encoded(Image.effect_noise((90, 90), 50), "PNG")[:3000], "truncated"),
        (png_header(40_000, 40_000), "too many pixels: 40000 x 40000, at most 10000"),
        (encoded(Image.new("F", (9, 9), 0.5), "TIFF"), "32-bit"),
        (encoded(Image.new("I", (9, 9), 5), "TIFF"), "32-bit"),
    ],
    ids=["empty", "text", "postscript", "truncated JPEG", "truncated PNG", "bomb", "float", "32-bit integers"],
)
def test_what_cannot_be_used_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableImageError, match=reason):
        decoded(content)


def test_one_pixel_too_many() -> None:
    content = encoded(Image.new("L", (10, 11)))
    decoded(content, max_pixels=110)
    with pytest.raises(UnreadableImageError, match="at most 109"):
        decoded(content, max_pixels=109)


def test_missing_file_and_broken_link(tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(UnreadableImageError, match="no such file"):
        decoded(tmp_path / "nothing.png")
    with pytest.raises(UnreadableImageError, match="broken link"):
        decoded(tmp_path / "link.png")
    with pytest.raises(UnreadableImageError, match="cannot be read: Is a directory"):
        decoded(tmp_path)


def grey_file(largest: int, file_format: str = "PNG") -> bytes:
    """A ramp from 0 to `largest` in 16 bits."""
    ramp = np.linspace(0, largest, 32).astype(np.uint16)
    return encoded(Image.fromarray(np.tile(ramp, (32, 1))), file_format)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "PPM"])
@pytest.mark.parametrize(
    ("largest", "bits"), [(255, 8), (256, 12), (1023, 12), (4095, 12), (4096, 16), (16383, 16), (65535, 16)]
)
def test_16_bit_files_are_divided_by_the_range_that_their_values_use(file_format: str, largest: int, bits: int) -> None:
    found = decode_with_origin(grey_file(largest, file_format), size=32, resize="stretch", max_pixels=10_000)
    assert found.value_bits == bits
    assert found.pixels[0, -1].tolist() == [largest * 255 // (2**bits - 1)] * 3
    assert len(np.unique(found.pixels)) >= 16  # a ramp of 32 steps; by 16 bits 4095 would leave 16, 1023 but 4


def test_values_of_12_bits_keep_their_differences() -> None:
    """Two pictures that by 16 bits would be the same 16 shades."""
    bright, dark = (decoded(grey_file(largest)).astype(int) for largest in (4095, 3000))
    assert (bright.max(), dark.max()) == (255, 3000 * 255 // 4095)
    assert np.sqrt(((bright - dark) ** 2).mean()) > 30


def test_a_range_that_the_file_states_is_kept() -> None:
    """PGM states its largest value: a dark picture of 4095 is one."""
    values = np.full((8, 8), 100, ">u2")
    found = decode_with_origin(b"P5 8 8 4095\n" + values.tobytes(), size=8, resize="stretch", max_pixels=100)
    assert found.pixels[0, 0, 0] == 100 * 255 // 4095
    assert found.value_bits == 16


def test_a_black_16_bit_image_and_8_bit_ones_need_no_range() -> None:
    black = decode_with_origin(grey_file(0), size=32, resize="stretch", max_pixels=10_000)
    assert (black.pixels.max(), black.value_bits) == (0, 16)
    eight = decode_with_origin(encoded(Image.new("L", (9, 9), 3)), size=32, resize="stretch", max_pixels=10_000)
    assert (eight.pixels.max(), eight.value_bits) == (3, 0)


def deep_colours(value: int, colour_type: int = 2) -> bytes:
    """A PNG of 16 bits per channel, as Pillow cannot write: all channels of `value`, but an opaque alpha."""
    pixel = np.full(3, value, ">u2").tobytes() + (b"\xff\xff" if colour_type == 6 else b"")
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, colour_type, 0, 0, 0))
    rows = zlib.compress((b"\0" + 8 * pixel) * 8)
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("colour_type", [2, 6], ids=["RGB", "RGBA"])
def test_16_bit_colours_of_12_bits_are_refused_because_16_shades_would_be_left(colour_type: int) -> None:
    with pytest.raises(UnreadableImageError, match="colours of 16 bits whose values use 12 at most"):
        decoded(deep_colours(4095, colour_type))
    assert decoded(deep_colours(5000, colour_type)).max() == 19  # 5000 * 255 / 65535 = 19.5, or 5000 // 256
    assert decoded(deep_colours(0, colour_type)).max() == 0


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("mode", ["RGB", "L", "I;16"])
@pytest.mark.parametrize(("orientation", "width", "height"), [(1, 60, 20), (3, 60, 20), (6, 20, 60), (8, 20, 60)])
def test_the_size_of_a_turned_tiff_is_that_of_the_picture_one_sees(
    mode: str, compression: str | None, orientation: int, width: int, height: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.new(mode, (60, 20)), "TIFF", exif=exif.tobytes(), compression=compression)
    found = decode_with_origin(content, size=60, resize="pad", max_pixels=10_000)
    assert (found.origin.width, found.origin.height) == (width, height)
    dark = np.argwhere(found.pixels[:, :, 0] < 128)
    assert (np.ptp(dark, axis=0) + 1).tolist() == [height, width]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\x0a" + bytes(30), "a JPEG XL picture"),
        (bytes(128) + b"DICM" + bytes(30), "a DICOM file, which is not read: export to PNG"),
        (b"%PDF-1.7\n", "a drawing or document, which is not read: export the pictures inside to PNG"),
        (b"PK\3\4" + bytes(30), "an archive, which is not read: unpack first"),
    ],
)
def test_what_is_known_by_its_first_bytes_is_named_with_what_to_do(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableImageError, match=reason):
        decoded(content)


def test_a_camera_raw_file_is_not_taken_for_the_thumbnail_inside(tmp_path: Path) -> None:
    path = tmp_path / "DSC1.NEF"
    Image.new("RGB", (16, 12), "red").save(path, "TIFF")
    with pytest.raises(UnreadableImageError, match="a camera's raw file, which is not read: develop to JPEG or PNG"):
        decoded(path)
