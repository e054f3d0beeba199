"""What a file is by its first bytes, and the suffix that goes with it. Nothing is decoded."""

import re

from lacuna.data.images.formats import CAMERA_RAW, describe_unread

_MARKS = (
    (re.compile(rb"\xff\xd8\xff"), ".jpg"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), ".png"),
    (re.compile(rb"RIFF....WEBP", re.S), ".webp"),
    (re.compile(rb"GIF8[79]a"), ".gif"),
    (re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.S), ".bmp"),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), ".tif"),
    (re.compile(rb"P[14]\s"), ".pbm"),
    (re.compile(rb"P[25]\s"), ".pgm"),
    (re.compile(rb"P[36]\s"), ".ppm"),
    (re.compile(rb"....ftypavi[fs]|....ftypm[is][if]1.{0,112}avi[fs]", re.S), ".avif"),
    (re.compile(rb"....ftyp(?:hei[cxms]|hev[cxms]|m[is][if]1)", re.S), ".heic"),
)


def find_suffix(start: bytes, url_suffix: str, content_type: str) -> tuple[str, str]:
    """The suffix of an image that begins with these bytes, and ""; or "", and what came instead.

    start: the first MARK_BYTES. url_suffix: that of the URL's path, in lower case, which tells a camera's raw file from
    a TIFF. content_type: what the server called it, for the message alone.

    >>> find_suffix(b"<html>no such image", ".jpg", "text/html; charset=utf-8")
    ('', 'no image, but text/html')
    """
    suffix = next((suffix for mark, suffix in _MARKS if mark.match(start)), "")
    if suffix == ".tif" and url_suffix in CAMERA_RAW.suffixes:
        return "", f"{CAMERA_RAW.what}, which is not read: {CAMERA_RAW.advice}"
    if suffix:
        return suffix, ""
    if unread := describe_unread(start):
        return "", unread
    called = re.match(r"[\w.+-]{1,40}/[\w.+-]{1,60}", content_type)
    if called and not called[0].startswith("image/"):
        return "", f"no image, but {called[0]}"
    return "", "no image by its first bytes"
