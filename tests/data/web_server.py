"""A server of images on this machine that misbehaves as it is told, and notes what it is asked for."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

Page = Callable[[BaseHTTPRequestHandler], None]


def png(seed: int, size: int = 8) -> bytes:
    """A picture of noise, which no other seed gives."""
    content = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(content, "png")
    return content.getvalue()


class WebServer:
    """`pages`: what answers each path; others are 404. `asked`: path and headers of each request. `release`: ends what
    stalls."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.release = threading.Event()
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                served.asked.append((self.path, dict(self.headers)))
                served.pages.get(self.path, status(404))(self)

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """Clients that go away are what some tests are about."""

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def in_turn(self, path: str, *pages: Page) -> None:
        """Answer by the first page at first, and so on, by the last from then on."""
        waiting = list(pages)
        self.pages[path] = lambda handler: (waiting.pop(0) if len(waiting) > 1 else waiting[0])(handler)

    def stalling(self, content: bytes, n_bytes: int, **headers: str) -> Page:
        """So many bytes of the content, then nothing."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            send(handler, 200, {"Content-Length": str(len(content)), **headers}, content[:n_bytes])
            handler.wfile.flush()
            self.release.wait(60)

        return answer


@contextmanager
def web_server() -> Iterator[WebServer]:
    server = WebServer()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.release.set()
        server.http.shutdown()
        thread.join()
        server.http.server_close()


def send(handler: BaseHTTPRequestHandler, code: int, headers: dict[str, str], body: bytes) -> None:
    handler.send_response(code)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def whole(content: bytes, kind: str = "image/png") -> Page:
    return lambda handler: send(handler, 200, {"Content-Length": str(len(content)), "Content-Type": kind}, content)


def without_length(content: bytes) -> Page:
    return lambda handler: send(handler, 200, {}, content)


def status(code: int, **headers: str) -> Page:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: send(handler, code, {"Content-Length": "0", **named}, b"")


def cut_off(content: bytes, n_bytes: int, **headers: str) -> Page:
    """The promise of all, and so many bytes."""
    return lambda handler: send(handler, 200, {"Content-Length": str(len(content)), **headers}, content[:n_bytes])


def in_ranges(content: bytes, etag: str) -> Page:
    """As servers do that can go on: from the byte that is asked for, if the version is still this one."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        first = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        goes_on = first > 0 and handler.headers.get("If-Range") == etag
        rest = content[first:] if goes_on else content
        headers = {"ETag": etag, "Content-Length": str(len(rest))}
        if goes_on:
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        send(handler, 206 if goes_on else 200, headers, rest)

    return answer
