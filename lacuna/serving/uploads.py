"""Read a multipart form within limits: bytes are counted as they arrive, files stay in memory, names lose their paths.

Nothing that a client sends may cost more than the limits say, and every mistake of a client is a RefusedError.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from lacuna.serving import refusals
from lacuna.serving.refusals import RefusedError
from lacuna.serving.settings import MEGABYTE, Limits

MAX_FIELDS = 8
MAX_FIELD_BYTES = 10_000
MAX_NAME_LENGTH = 255

MAX_JSON_BYTES = 4 * MEGABYTE
JSON_GROWTH = 16
"""About so many times its bytes may a JSON text of little lists take in memory; one request always finds room."""

Received = TypeVar("Received")


@dataclass(frozen=True)
class Upload:
    """A file of a form: the last component of its name, and its content."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Form:
    """A form that was received: its files, all of one field, and its other fields."""

    files: list[Upload]
    fields: dict[str, str]


class _InMemoryParser(MultiPartParser):
    spool_max_size = 2**62  # the bytes are bounded already, and a container may have no writable /tmp


class Uploads:
    """Receives forms, and bounds what all of them hold in memory together."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    @asynccontextmanager
    async def receive(self, request: Request, field: str, max_files: int) -> AsyncIterator[Form]:
        """Yield the request's form with at least one file in `field`. Its bytes count as held until the block ends.

        Raises RefusedError for a form that is damaged, too large or too slow, and without room for it.
        """
        boundary = _boundary(request)
        async with self._received(request, self._limits.max_upload_bytes) as stream:
            yield await self._in_time(_parse(stream, boundary, field, max_files))

    @asynccontextmanager
    async def receive_json(self, request: Request) -> AsyncIterator[Any]:
        """Yield what the request's JSON says. What it may take in memory counts as held until the block ends.

        Raises RefusedError as `receive` does.
        """
        if not is_json(request) or request.headers.get("content-encoding", "identity") != "identity":
            raise refusals.no_json()
        max_bytes = min(self._limits.max_upload_bytes, MAX_JSON_BYTES)
        async with self._received(request, max_bytes, JSON_GROWTH) as stream:
            yield await self._in_time(_parse_json(stream))

    @contextmanager
    def holding(self) -> Iterator[Callable[[int], None]]:
        """Yield a function that counts further bytes as held until the block ends.

        It raises RefusedError when there is no room for them.
        """
        held = 0

        def hold(n_bytes: int) -> None:
            nonlocal held
            held += n_bytes
            self._held += n_bytes
            if self._held > self._limits.max_held_bytes:
                raise refusals.too_many_uploads()

        try:
            yield hold
        finally:
            self._held -= held

    @asynccontextmanager
    async def _received(
        self, request: Request, max_bytes: int, growth: int = 1
    ) -> AsyncIterator[AsyncGenerator[bytes, None]]:
        """Yield the body, which may be so long, as a stream; it holds `growth` times its bytes until the block ends."""
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > max_bytes:
            raise refusals.upload_too_large(max_bytes)
        with self.holding() as hold:
            yield _counted(request, max_bytes, lambda n_bytes: hold(growth * n_bytes))

    async def _in_time(self, parsing: Awaitable[Received]) -> Received:
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                return await parsing
        except TimeoutError:
            raise refusals.upload_too_slow(self._limits.timeout_s) from None


def is_json(request: Request) -> bool:
    return parse_options_header(request.headers.get("content-type"))[0] == b"application/json"


def last_component(name: str) -> str:
    """A file name without folders, control characters and what is no character; "image" when nothing is left.

    >>> last_component("../../etc/passwd"), last_component("C:\\\\photos\\\\cat.jpg"), last_component("..")
    ('passwd', 'cat.jpg', 'image')
    """
    last = re.split(r"[/\\]", name)[-1]
    printable = "".join(c for c in last if c.isprintable()).strip()[:MAX_NAME_LENGTH]
    return "image" if printable in ("", ".", "..") else printable


def _boundary(request: Request) -> bytes:
    kind, parameters = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or request.headers.get("content-encoding", "identity") != "identity":
        raise refusals.unsupported_media_type()
    if not parameters.get(b"boundary"):
        raise refusals.malformed_form("its Content-Type has no boundary")
    return parameters[b"boundary"]


async def _counted(request: Request, max_bytes: int, hold: Callable[[int], None]) -> AsyncGenerator[bytes, None]:
    n_bytes = 0
    async for chunk in request.stream():
        n_bytes += len(chunk)
        if n_bytes > max_bytes:
            raise refusals.upload_too_large(max_bytes)
        hold(len(chunk))
        yield chunk


async def _parse(stream: AsyncGenerator[bytes, None], boundary: bytes, field: str, max_files: int) -> Form:
    # Without the client's charset: some make the parser raise what it doesn't expect itself.
    headers = Headers(raw=[(b"content-type", b'multipart/form-data; boundary="%s"' % _quoted(boundary))])
    parser = _InMemoryParser(headers, stream, max_files=max_files, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES)
    try:
        form = await parser.parse()
    except (RefusedError, ClientDisconnect, TimeoutError):
        raise
    except MultiPartException as error:
        if error.message.startswith("Too many files"):
            raise refusals.too_many_files(max_files) from None
        raise refusals.malformed_form(error.message.rstrip(".")) from None
    except Exception as error:  # the parser lets through nearly anything on damaged bodies
        raise refusals.malformed_form(type(error).__name__) from None
    items = form.multi_items()
    files = [
        Upload(last_component(value.filename or ""), await value.read())
        for name, value in items
        if name == field and isinstance(value, UploadFile)
    ]
    await form.close()
    if not files:
        raise refusals.no_file(field)
    return Form(files, {name: value for name, value in items if isinstance(value, str)})


async def _parse_json(stream: AsyncGenerator[bytes, None]) -> Any:
    content = b"".join([chunk async for chunk in stream])
    try:
        return await asyncio.to_thread(json.loads, content)
    except (ValueError, RecursionError) as error:
        raise refusals.malformed_json(f"not JSON ({' '.join(str(error).split())[:200]})") from None


def _quoted(value: bytes) -> bytes:
    return value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
