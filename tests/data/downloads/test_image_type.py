"""What a file is by its first bytes: as Pillow writes them, and what is no image."""

import io

import numpy as np
import pytest
from PIL import Image

from lacuna.data.downloads.image_type import find_suffix
from lacuna.data.images.formats import FORMATS, IMAGE_SUFFIXES, MARK_BYTES
from tests.heic_picture import TURNED_HEIC

SUFFIXES = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "GIF": ".gif",
    "BMP": ".bmp",
    "TIFF": ".tif",
    "AVIF": ".avif",
    "HEIF": ".heic",
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_format_that_is_read_is_known(name: str, mode: str) -> None:
    content = io.BytesIO(TURNED_HEIC)
    if name != "HEIF":
        Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).convert(mode).save(content, name)
    suffix, instead = find_suffix(content.getvalue()[:MARK_BYTES], "", "")
    assert (suffix, instead) == (SUFFIXES.get(name, ".pgm" if mode == "L" else ".ppm"), "")
    assert suffix in IMAGE_SUFFIXES


@pytest.mark.parametrize(
    ("start", "url_suffix", "said"),
    [
        (b"<!DOCTYPE html><html>", ".jpg", "no image, but text/html"),
        (b'{"error": "gone"}', ".jpg", "no image, but text/html"),
        (b"BM is how this text begins, which is no bitmap", ".bmp", "no image, but text/html"),
        (b"", ".jpg", "no image, but text/html"),
        (b"%PDF-1.7", ".jpg", "a drawing or document, which is not read: export the pictures inside to PNG"),
        (b"\xff\x0a", ".jpg", "a JPEG XL picture, which is not read: convert to JPEG or PNG"),
        (b"II*\0\x08\0\0\0", ".nef", "a camera's raw file, which is not read: develop to JPEG or PNG"),
    ],
)
def test_what_is_no_image_is_told(start: bytes, url_suffix: str, said: str) -> None:
    assert find_suffix(start, url_suffix, "text/html; charset=utf-8") == ("", said)


@pytest.mark.parametrize("content_type", ["image/jpeg", "", "x" * 1000, "text/html\x1b[31m" * 99])
def test_a_server_cannot_put_words_into_the_message(content_type: str) -> None:
    assert find_suffix(b"no", ".jpg", content_type)[1] in ("no image by its first bytes", "no image, but text/html")
