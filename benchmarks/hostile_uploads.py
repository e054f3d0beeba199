"""Uploads that mean harm, the same ones every time: what a service must survive with nothing but 4xx and flat memory.

Damaged bytes may still make an image that can be read, and then 200 is the right answer.
"""

import gzip
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from PIL import Image

BOUNDARY = b"hostile"
FORM = {"content-type": "multipart/form-data; boundary=hostile"}
FUZZED_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "PPM")
SIDE = 30_000
LARGE_BYTES = 100_000_000
LARGE_EVERY = 50


@dataclass(frozen=True)
class Hostile:
    """One request. `body` gives its parts, so that a large one is never in memory as a whole."""

    kind: str
    body: Callable[[], Iterator[bytes]]
    headers: dict[str, str] = field(default_factory=lambda: FORM)
    path: str = "/predict"


def hostile_uploads(n: int, seed: int = 0) -> Iterator[Hostile]:
    """`n` uploads of all kinds in turn; every LARGE_EVERYth is one of 100 MB."""
    rng = random.Random(seed)
    kinds = [_fuzzed, _bomb, _huge_header, _no_image, _name, _wrong_type, _fuzzed, _form, _batch, _fuzzed]
    for place in range(n):
        yield _large(rng) if place % LARGE_EVERY == LARGE_EVERY - 1 else kinds[place % len(kinds)](rng)


def part(content: bytes, name: bytes = b"image.jpg", fieldname: bytes = b"file") -> bytes:
    """A file in a form, but for the form's end."""
    head = b'--%s\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n' % (BOUNDARY, fieldname, name)
    return head + content + b"\r\n"


END = b"--" + BOUNDARY + b"--\r\n"


def _upload(kind: str, content: bytes, name: bytes = b"image.jpg", headers: dict[str, str] = FORM) -> Hostile:
    return Hostile(kind, lambda: iter([part(content, name) + END]), headers)


def _image(rng: random.Random, file_format: str) -> bytes:
    noise = Image.frombytes("RGB", (48, 40), rng.randbytes(48 * 40 * 3))
    file = io.BytesIO()
    if file_format in ("GIF", "WEBP"):
        noise.save(file, file_format, save_all=True, append_images=[noise.rotate(90)] * 3)
    else:
        noise.save(file, file_format)
    return file.getvalue()


def _fuzzed(rng: random.Random) -> Hostile:
    """An image with bytes changed, cut out, doubled or cut off, mostly near its start, where the structure is."""
    file_format = rng.choice(FUZZED_FORMATS)
    content = bytearray(_image(rng, file_format))
    for _ in range(rng.randint(1, 12)):
        place = int(len(content) * rng.random() ** 3)
        change = rng.choice(["byte", "extreme", "cut", "double"])
        if change == "byte":
            content[place : place + 1] = rng.randbytes(1)
        elif change == "extreme":
            content[place : place + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"])
        elif change == "cut":
            del content[place : place + rng.randint(1, 64)]
        else:
            content[place:place] = content[place : place + rng.randint(1, 256)]
    if rng.random() < 0.3:
        del content[rng.randrange(len(content)) :]
    return _upload(f"fuzzed {file_format}", bytes(content))


def _bomb(rng: random.Random) -> Hostile:
    """Few bytes that unfold to many."""
    what = rng.choice(["png", "text chunk", "zip", "gzip", "scans", "gif"])
    if what == "png":
        rows = zlib.compress(b"\0" * ((8000 // 8 + 1) * 20_000), 9)
        content = _png(8000, 20_000, rows, bits=1)
    elif what == "text chunk":
        text = _chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 50_000_000))
        content = _png(1, 1, zlib.compress(b"\0\0\0\0"), extra=text)
    elif what == "zip":
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("image.jpg", b"\0" * 50_000_000)
        content = file.getvalue()
    elif what == "gzip":
        whole = gzip.compress(part(b"\0" * 10_000_000) + END)
        return Hostile("bomb gzip", lambda: iter([whole]), {**FORM, "content-encoding": "gzip"})
    elif what == "scans":
        file = io.BytesIO()
        Image.new("L", (4000, 4000), 128).save(file, "JPEG", progressive=True)
        jpeg = file.getvalue()
        content = jpeg[:-2] + 2000 * jpeg[jpeg.rfind(b"\xff\xda") : -2] + jpeg[-2:]
    else:
        file = io.BytesIO()
        first, *others = [Image.new("P", (2000, 2000), colour) for colour in range(20)]
        first.save(file, "GIF", save_all=True, append_images=others)
        content = file.getvalue()
    return _upload(f"bomb {what}", content)


def _huge_header(rng: random.Random) -> Hostile:
    """An image that says it had 30,000 x 30,000 pixels."""
    kind = rng.choice(["PNG", "GIF", "BMP", "JPEG", "PPM", "WEBP", "TIFF"])
    short, whole = struct.pack("<H", SIDE), struct.pack("<I", SIDE)
    sides = 2 * short[::-1]
    components = b"\3\1\x11\0\2\x11\1\3\x11\1"
    tags = b"".join(struct.pack("<HHII", *tag) for tag in ((256, 4, 1, SIDE), (257, 4, 1, SIDE), (258, 3, 1, 8)))
    content = {
        "PNG": _png(SIDE, SIDE, zlib.compress(b"\0" * 1000)),
        "GIF": b"GIF89a" + 2 * short + b"\x80\0\0" + b"\0" * 6 + b",\0\0\0\0" + 2 * short + b"\0\2\2L\1\0;",
        "BMP": b"BM" + b"\0" * 8 + b"\x36\0\0\0\x28\0\0\0" + 2 * whole + b"\1\0\x18\0" + b"\0" * 24,
        "JPEG": b"\xff\xd8\xff\xc0\0\x11\x08" + sides + components + b"\xff\xda\0\x0c\3\1\0\2\x11\3\x11\0\x3f\0",
        "PPM": b"P6 %d %d 255\n" % (SIDE, SIDE),
        "WEBP": b"RIFF\x30\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + 2 * whole[:3] + b"VP8L" + b"\0" * 16,
        "TIFF": b"II*\0\x08\0\0\0\3\0" + tags + b"\0" * 4,
    }[kind]
    return _upload(f"30,000 pixels {kind}", content)


def _no_image(rng: random.Random) -> Hostile:
    contents = {
        "empty": b"",
        "text": b"hello " * 1000,
        "SVG": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "XML entities": b'<!DOCTYPE a [<!ENTITY b "' + b"c" * 1000 + b'">]><svg>' + b"&b;" * 10_000 + b"</svg>",
        "HTML": b"<html><script>alert(1)</script></html>",
        "PDF": b"%PDF-1.7\n" + rng.randbytes(1000),
        "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9999 9999\n",
        "random": rng.randbytes(rng.randint(1, 100_000)),
        "zeros": b"\0" * 1_000_000,
    }
    kind = rng.choice(list(contents))
    return _upload(f"no image {kind}", contents[kind])


def _name(rng: random.Random) -> Hostile:
    names = [
        b"../../../../etc/passwd",
        b"C:\\windows\\system32\\cat.jpg",
        b"a\0b.jpg",
        b"cat.jpg\x1b[2J",
        "🐶🏳️‍🌈\u202egnp".encode(),
        b"\xff\xfe\xfd",
        b"x" * 3000,
        b"%00%0d%0aSet-Cookie: a=b",
        b"'; DROP TABLE images; --",
        b"<script>alert(1)</script>.jpg",
        b'\\"',
    ]
    return _upload("name", _image(rng, "PNG"), rng.choice(names))


def _wrong_type(rng: random.Random) -> Hostile:
    kinds = [
        "application/json",
        "image/jpeg",
        "application/x-www-form-urlencoded",
        "text/plain; charset=utf-7",
        "multipart/form-data",
        "multipart/mixed; boundary=hostile",
        "multipart/form-data; boundary=" + "x" * 1000,
        "multipart/form-data; boundary=other",
        "",
        ";;;=;",
    ]
    return _upload("wrong type", _image(rng, "JPEG"), headers={"content-type": rng.choice(kinds)})


def _form(rng: random.Random) -> Hostile:
    """A form whose structure is the attack."""
    field_part = b'--hostile\r\nContent-Disposition: form-data; name="top_k"\r\n\r\n%s\r\n'
    bodies = {
        "no end": part(_image(rng, "PNG"))[:-2],
        "no parts": END,
        "many fields": field_part % b"1" * 5000 + END,
        "many files": part(b"x") * 500 + END,
        "large field": field_part % (b"9" * 1_000_000) + END,
        "large header": b"--hostile\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n",
        "many headers": b"--hostile\r\n" + b"X: y\r\n" * 50_000 + b"\r\n\r\n",
        "no name": b"--hostile\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + END,
        "random": rng.randbytes(10_000),
        "nested": part(part(b"x") + END) + END,
        "bad top_k": field_part % rng.choice([b"-1", b"0", b"1e9", b"\xff", b"9" * 5000]) + part(b"x") + END,
    }
    kind = rng.choice(list(bodies))
    return Hostile(f"form {kind}", lambda: iter([bodies[kind]]))


def _batch(rng: random.Random) -> Hostile:
    """A full batch in which no file can be read."""
    files = [part(rng.randbytes(200), fieldname=b"files") for _ in range(rng.choice([1, 64, 65, 200]))]
    return Hostile("batch", lambda: iter([*files, END]), path="/predict/batch")


def _large(rng: random.Random) -> Hostile:
    def body() -> Iterator[bytes]:
        yield part(b"")[:-2]
        for _ in range(LARGE_BYTES // 1_000_000):
            yield b"\0" * 1_000_000

    if rng.random() < 0.5:
        return Hostile("100 MB", body)
    return Hostile("100 MB announced", body, {**FORM, "content-length": str(LARGE_BYTES + len(part(b"")) - 2)})


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(width: int, height: int, rows: bytes, bits: int = 8, extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, 0 if bits == 1 else 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")
