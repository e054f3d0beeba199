"""JSON files of any size: the items of their arrays one after another, so that one of them is in memory at a time."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from lacuna.data.labels.annotations.annotation_files import describe_text, find_repeated, read_pieces
from lacuna.errors import LacunaError
from lacuna.io.names import shortened

MOST_KEY = 40
"""Characters of a key that stands in a message without quotes."""

MOST_ITEM = 16 << 20
"""Characters of one item: what Python makes of them takes up to twenty times as many bytes."""

_LOOKAHEAD = 64
"""An error so far from the end of what was read is one, whatever follows."""

_WORDS = ("-1", "-Infinity", "true", "false", "null", "NaN", "Infinity")
"""What a value may begin with that is neither text, number, list nor object."""

_BLANKS = re.compile(r"[ \t\n\r]*")


class JsonItem(NamedTuple):
    """An item of the array at `key` of the document, "" for an array that is the document; `number` counts from 1.

    `number` is 0 for a value at `key` that is no array, and for an array without items, whose value is []. `line` is
    where it begins.
    """

    key: str
    number: int
    line: int
    value: Any

    def place(self, path: Path) -> str:
        """Where it stands, for messages."""
        name = self.key if self.key.isidentifier() and len(self.key) < MOST_KEY else shortened(self.key)
        item = f" item {self.number}" if self.number else ""
        return f"{path}:{self.line}: {name}{item}" if self.key else f"{path}:{self.line}:{item}"


def read_json_items(path: Path, expected: str) -> Iterator[JsonItem]:
    """The items of a JSON array, or of the arrays in a JSON object and its other values.

    `expected` says in messages what the file should be. Raises LacunaError with the line where it is no JSON, cut off,
    nested too deep, where a key stands twice in one object, and at NaN and Infinity, which JSON does not have.
    """
    text = _Text(path, expected)
    match text.peek():
        case "[":
            yield from _read_array(text, "")
        case "{":
            yield from _read_object(text)
        case _:
            raise LacunaError(f"{path}: this is {describe_text(text.start())}; expected {expected}")
    if text.peek():
        text.fail("text behind the end of the document; is it JSON Lines or several files in one?")


def decode_json(text: str, place: str) -> Any:
    """The one value that `text` is. Raises LacunaError at `place` as `read_json_items` does."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise LacunaError(f"{place}: not valid JSON: {error.msg} (character {error.pos + 1}); is it cut off?") from None
    except RecursionError:
        raise LacunaError(f"{place}: lists or objects are nested too deep") from None
    except _RefusedError as error:
        raise LacunaError(f"{place}: {error}") from None
    except ValueError:
        raise LacunaError(f"{place}: a number of too many digits") from None


def _read_object(text: "_Text") -> Iterator[JsonItem]:
    keys: set[str] = set()
    text.take("{")
    while text.peek() != "}" or keys:
        if (sign := text.peek()) != '"':
            text.fail("expected a key in double quotes" if sign else "the file ends within an object; it is cut off")
        key = text.value()
        if key in keys:
            text.fail(f"the key {shortened(key)} stands twice in one object")
        keys.add(key)
        text.take(":")
        if text.peek() == "[":
            yield from _read_array(text, key)
        else:
            yield JsonItem(key, 0, text.line(), text.value())
        if text.peek() != ",":
            break
        text.take(",")
    text.take("}")


def _read_array(text: "_Text", key: str) -> Iterator[JsonItem]:
    text.take("[")
    if text.peek() == "]":
        yield JsonItem(key, 0, text.line(), [])
    else:
        number = 1
        text.peek()
        yield JsonItem(key, number, text.line(), text.value())
        while text.peek() == ",":
            text.take(",")
            number += 1
            text.peek()
            yield JsonItem(key, number, text.line(), text.value())
    text.take("]")


class _Text:
    """A window on the file's text: what was read of it and is not used up yet."""

    def __init__(self, path: Path, expected: str) -> None:
        self.path = path
        self._pieces = read_pieces(path, expected)
        self._text = ""
        self._at = 0
        self._line = 1
        self._counted = 0

    def start(self) -> str:
        return self._text[self._at : self._at + 1000]

    def line(self) -> int:
        """Where the window's place is in the file."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def peek(self) -> str:
        """The next character that is no blank, "" at the end of the file."""
        while True:
            blanks = _BLANKS.match(self._text, self._at)
            self._at = blanks.end() if blanks else self._at
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def take(self, expected: str) -> None:
        found = self.peek()
        if not found:
            self.fail(f"the file ends where {shortened(expected)} should follow; it is cut off")
        if found != expected:
            self.fail(f"not valid JSON: expected {shortened(expected)}, received {shortened(found)}")
        self._at += 1

    def value(self) -> Any:
        """The value that begins at the window's place."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                self._read_on(error)
            except RecursionError:
                self.fail("lists or objects are nested too deep")
            except _RefusedError as error:
                self.fail(str(error))
            except ValueError:
                self.fail("a number of too many digits")
            else:
                if end + _LOOKAHEAD < len(self._text) or not self._more():
                    self._at = end
                    return value

    def fail(self, what: str, at: int | None = None) -> NoReturn:
        line = self.line() + (0 if at is None else self._text.count("\n", self._at, at))
        raise LacunaError(f"{self.path}:{line}: {what}")

    def _read_on(self, error: json.JSONDecodeError) -> None:
        """Read more of the file where the value may go on in it, fail where it cannot."""
        is_cut = error.msg.startswith("Unterminated string") or error.pos + _LOOKAHEAD >= len(self._text)
        if is_cut and len(self._text) - self._at > MOST_ITEM:
            self.fail(f"one item takes more than {MOST_ITEM >> 20} million characters, or a quote is never closed")
        if is_cut and self._more():
            return
        rest = self._text[error.pos :].strip()
        if error.msg.startswith("Unterminated string") or any(word.startswith(rest) for word in _WORDS):
            self.fail(f"the file ends within a value; it is cut off ({error.msg})", error.pos)
        self.fail(f"not valid JSON: {error.msg}", error.pos)

    def _more(self) -> bool:
        """Read at least as much again as is left, so that a long item is decoded a few times only."""
        self.line()
        rest = self._text[self._at :]
        pieces: list[str] = []
        wanted = max(len(rest), 1)
        while wanted > 0 and (piece := next(self._pieces, None)) is not None:
            pieces.append(piece)
            wanted -= len(piece)
        if not any(pieces):
            return False
        self._text = rest + "".join(pieces)
        self._at = self._counted = 0
        return True


class _RefusedError(Exception):
    """What Python's decoder would take and JSON does not mean."""


def _only_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = find_repeated(key for key, _ in pairs)
        raise _RefusedError(f"the key {shortened(twice)} stands twice in one object")
    return found


def _refuse(constant: str) -> NoReturn:
    raise _RefusedError(f"{constant} is no JSON value; expected a number, null or a text")


_DECODER = json.JSONDecoder(object_pairs_hook=_only_once, parse_constant=_refuse)
