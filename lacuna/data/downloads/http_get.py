"""One request over a connection of its own, to an address that was checked, and never longer than allowed.

Proxies of the environment (HTTP_PROXY and the like) are not used: they would look up the names unchecked.
"""

import contextlib
import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any, cast

from lacuna.data.downloads.limits import DownloadLimits
from lacuna.data.downloads.outcome import DownloadFailedError, StoppedError, TryAgainError
from lacuna.data.downloads.web_address import WebAddress, look_up

BLOCK_BYTES = 1 << 16
REQUEST_HEADERS = {
    "User-Agent": "lacuna",
    "Accept": "image/*, */*;q=0.1",
    "Accept-Encoding": "identity",
    "Connection": "close",
}
_LOOK_UP = 0.5
"""Seconds after which a thread that waits for bytes looks whether the command was stopped."""


@dataclass(frozen=True)
class HttpAnswer:
    """What a server sent. `length`: bytes of the body that are promised, None where that is not said."""

    status: int
    headers: http.client.HTTPMessage
    length: int | None
    _response: http.client.HTTPResponse

    @property
    def said(self) -> str:
        """The status in words: 404 Not Found."""
        known = self.status in {status.value for status in HTTPStatus}
        return f"{self.status} {HTTPStatus(self.status).phrase}" if known else str(self.status)

    def read(self) -> bytes:
        """The next bytes of the body, b"" at its end. Raises TryAgainError when the connection is lost."""
        with _as_outcomes():
            return self._response.read1(BLOCK_BYTES)


class Requests:
    """Makes requests within `limits`, until `stop` is set."""

    def __init__(self, limits: DownloadLimits, stop: threading.Event) -> None:
        self._limits, self._stop = limits, stop

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    @contextlib.contextmanager
    def get(self, address: WebAddress, headers: Mapping[str, str]) -> Iterator[HttpAnswer]:
        """Yield the answer to a request; the connection ends with the block.

        Raises DownloadFailedError at an address that is refused and at a certificate that does not hold, TryAgainError
        when there is no answer, StoppedError.
        """
        ends = time.monotonic() + self._limits.file_timeout
        with contextlib.closing(self._connect(address)) as connected:
            timed = _Timed(connected, self._limits, ends, self._stop)
            kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
            connection = kind(address.host, address.port)
            connection.sock = cast(Any, timed)
            with _as_outcomes():
                connection.request("GET", address.target, headers={**REQUEST_HEADERS, **headers})
                response = connection.getresponse()
            with contextlib.closing(response):
                yield HttpAnswer(response.status, response.headers, response.length, response)

    def _connect(self, address: WebAddress) -> socket.socket:
        places = look_up(address, allow_private=self._limits.allow_private)
        for number, (family, place) in enumerate(places, start=1):
            connected = socket.socket(family, socket.SOCK_STREAM)
            try:
                connected.settimeout(self._limits.timeout)
                with _as_outcomes():
                    connected.connect(place)
                    if address.scheme == "https":
                        return self._tls.wrap_socket(connected, server_hostname=address.host)
                    return connected
            except BaseException as error:
                connected.close()
                if not isinstance(error, TryAgainError) or number == len(places):
                    raise
        raise AssertionError("a host without addresses is refused")


class _Timed:
    """A connection as http.client uses it, whose every wait is bounded, and all of them together."""

    def __init__(self, connected: socket.socket, limits: DownloadLimits, ends: float, stop: threading.Event) -> None:
        self._socket, self._limits, self._ends, self._stop = connected, limits, ends, stop

    def sendall(self, content: bytes) -> None:
        self._socket.settimeout(self._limits.timeout)
        self._socket.sendall(content)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))

    def receive(self, buffer: Any) -> int:
        silent_until = time.monotonic() + self._limits.timeout
        while True:
            if self._stop.is_set():
                raise StoppedError
            now = time.monotonic()
            if now >= self._ends:
                raise TryAgainError(f"longer than {self._limits.file_timeout:g} s for a file (--file-timeout)")
            if now >= silent_until:
                raise TryAgainError(f"no answer for {self._limits.timeout:g} s (--timeout)")
            self._socket.settimeout(min(_LOOK_UP, self._ends - now, silent_until - now))
            with contextlib.suppress(TimeoutError):
                return self._socket.recv_into(buffer)

    def close(self) -> None:
        """Nothing: http.client closes what it reads on from."""


class _Reader(io.RawIOBase):
    def __init__(self, timed: _Timed) -> None:
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._timed.receive(buffer)


@contextlib.contextmanager
def _as_outcomes() -> Iterator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise DownloadFailedError(f"a certificate that does not hold: {error.verify_message}") from None
    except TimeoutError:
        raise TryAgainError("no connection: no answer in time (--timeout)") from None
    except http.client.IncompleteRead:
        raise TryAgainError("cut off before its end") from None
    except http.client.HTTPException as error:
        what = "closed without an answer" if isinstance(error, http.client.RemoteDisconnected) else "no HTTP answer"
        raise TryAgainError(f"no connection: {what}") from None
    except OSError as error:
        raise TryAgainError(f"no connection: {error.strerror or type(error).__name__}"[:120]) from None
