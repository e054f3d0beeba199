"""Files of annotation tools and public data sets: read in bounded memory, called by what they are, quoted in brief."""

import codecs
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lacuna.data.labels.file_kinds import kind_of_file
from lacuna.data.labels.tables.text_file import CHUNK, unpacked_pieces
from lacuna.errors import LacunaError
from lacuna.io.names import UNPRINTABLE, shortened

MOST_LINE = 16 * CHUNK
"""Characters of a line, in files that are read by lines."""


def find_repeated(names: Iterable[str]) -> str:
    """The first name that stands there before, "" for none."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""


def read_bytes(path: Path, expected: str) -> Iterator[bytes]:
    """The file's content in pieces, unpacked where it is gzipped; `expected` says in messages what it should be.

    Raises LacunaError as `unpacked_pieces` does, and when it is empty or of a kind that is no text.
    """
    pieces = unpacked_pieces(path, expected)
    first = next(pieces, b"")
    if not first.strip(b" \t\r\n\0"):
        raise LacunaError(f"{path}: the file is empty, expected {expected}")
    if kind := kind_of_file(first):
        raise LacunaError(f"{path}: this is {kind}; expected {expected}")
    yield first
    yield from pieces


def read_pieces(path: Path, expected: str) -> Iterator[str]:
    """The file's text in pieces, without a byte order mark. UTF-8, or UTF-16 with its mark.

    Raises LacunaError as `read_bytes` does, and with the line of the first byte that is no text.
    """
    decoder = None
    line = 1
    for piece in read_bytes(path, expected):
        if decoder is None:
            is_utf16 = piece.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            decoder = codecs.getincrementaldecoder("utf-16" if is_utf16 else "utf-8-sig")()
        yield _decode(decoder, piece, path, line, expected)
        line += piece.count(b"\n")
    if decoder is not None:
        yield _decode(decoder, b"", path, line, expected)


def _decode(decoder: codecs.IncrementalDecoder, piece: bytes, path: Path, line: int, expected: str) -> str:
    try:
        text = decoder.decode(piece, final=not piece)
    except UnicodeDecodeError as error:
        line += error.object.count(b"\n", 0, error.start)
        if not piece:
            raise LacunaError(f"{path}:{line}: the file ends in the middle of a character; it is cut off") from None
        raise LacunaError(
            f"{path}:{line}: not UTF-8 text (byte 0x{error.object[error.start]:02x}), expected {expected}; if it is "
            f"Latin-1, as older programs write it, save it as UTF-8: iconv -f LATIN1 -t UTF-8 {path.name} > new"
        ) from None
    if (at := text.find("\0")) >= 0:
        line += text.count("\n", 0, at)
        raise LacunaError(f"{path}:{line}: a zero byte, so this is no text; expected {expected}")
    return text


def read_text_lines(path: Path, expected: str) -> Iterator[str]:
    """The file's lines with their ends, a few at a time in memory.

    Raises LacunaError as `read_pieces` does, and at a line of more than MOST_LINE characters.
    """
    rest, number = "", 1
    for piece in read_pieces(path, expected):
        *whole, rest = (rest + piece).split("\n")
        for line in whole:
            yield line + "\n"
        number += len(whole)
        if len(rest) > MOST_LINE:
            raise LacunaError(f"{path}:{number}: a line of more than {MOST_LINE} characters; expected {expected}")
    if rest:
        yield rest


def read_numbered_lines(path: Path, expected: str) -> Iterator[tuple[int, str]]:
    """As `read_text_lines`: those that are not blank, stripped, with their numbers from 1."""
    for number, line in enumerate(read_text_lines(path, expected), start=1):
        if stripped := line.strip():
            yield number, stripped


def describe_text(start: str) -> str:
    """What a text is by its first characters, for "this is ...".

    >>> describe_text("<annotation><folder>")
    'XML with the root <annotation>'
    """
    start = start.lstrip()
    if start.startswith("{"):
        return "a JSON object"
    if start.startswith("["):
        return "a JSON array"
    if re.match(r"<(!doctype\s+)?html", start, re.IGNORECASE):
        return "an HTML page"
    if start.startswith("<"):
        root = re.search(r"<([A-Za-z_][\w.-]{0,40})", start)
        return f"XML with the root <{root[1]}>" if root else "XML"
    return f"text that begins with {shortened(start.splitlines()[0] if start else '')}"


def describe_value(value: object) -> str:
    """What a JSON value is, for "expected ..., received ...".

    >>> describe_value(3), describe_value("boot"), describe_value(None)
    ('a number', "the text 'boot'", 'null')
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return "a number"
        case str():
            return f"the text {shortened(value)}"
        case list():
            return "a list"
    return "an object"


def as_text(value: object, place: str, what: str) -> str:
    """The value if it is a text that can be written, stripped; it may be empty. Raises LacunaError otherwise."""
    if not isinstance(value, str):
        raise LacunaError(f"{place}: expected a text as {what}, received {describe_value(value)}")
    if not value.isascii() and any(UNPRINTABLE.match(sign) and sign >= "\ud800" for sign in value):
        raise LacunaError(f"{place}: {what} {shortened(value)} holds half a character (a lone surrogate)")
    return value.strip()


def as_word(value: object, place: str, what: str) -> str:
    """As `as_text`, and raises LacunaError when nothing but blanks is in it."""
    word = as_text(value, place, what)
    if not word:
        raise LacunaError(f"{place}: {what} is empty")
    return word


def as_list(value: object, place: str, what: str) -> list[Any]:
    """The value if it is a list. Raises LacunaError otherwise."""
    if not isinstance(value, list):
        raise LacunaError(f"{place}: expected a list as {what}, received {describe_value(value)}")
    return value


def as_object(value: object, place: str, what: str) -> dict[str, Any]:
    """The value if it is an object. Raises LacunaError otherwise."""
    if not isinstance(value, dict):
        raise LacunaError(f"{place}: expected an object as {what}, received {describe_value(value)}")
    return value
