"""The API key: read from its file, again on SIGHUP, and asked for before a route is even found."""

import base64
import hmac
import ipaddress
import logging
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from lacuna.errors import LacunaError
from lacuna.serving.refusals import KEY_HEADER, too_many_wrong_keys, wrong_api_key
from lacuna.serving.root_path import inner_path
from lacuna.serving.settings import Settings, read_api_key

PUBLIC = frozenset({"/", "/health", "/docs", "/redoc", "/openapi.json"})
"""Paths that need no key, besides the page's files: they tell nothing about the models and do no work."""

MOST_WRONG_KEYS = 10
WINDOW_S = 60.0
MOST_ADDRESSES = 1024
IPV6_NETWORK = 64
"""So many bits of an IPv6 address are the network's, which one client may have all addresses of."""

logger = logging.getLogger(__name__)


class CurrentKey:
    """The key that requests must bring. `value`: None when the service asks for none."""

    def __init__(self, settings: Settings) -> None:
        self.value, self._file = settings.api_key, settings.api_key_file

    def read_again(self) -> None:
        """Take up what the file says now. When it is gone or has no good key the former one stays, and the log says
        why."""
        if self._file is None:
            return
        try:
            key = read_api_key(self._file)
        except LacunaError as error:
            logger.error("error: %s; the API key stays the former one", error)
        else:
            if key != self.value:
                logger.info("another API key from %s", self._file)
            self.value = key


class ApiKey:
    """Refuses requests without the key in KEY_HEADER or as the password of basic authentication. The comparison takes
    the same time however much of a key is right."""

    def __init__(self, app: ASGIApp, key: CurrentKey) -> None:
        self._app, self._key, self._wrong_keys = app, key, WrongKeys(time.monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = self._key.value
        if key is None or scope["type"] != "http" or _is_public(inner_path(scope)):
            return await self._app(scope, receive, send)
        given = _given_key(Headers(scope=scope))
        if hmac.compare_digest(given, key.encode()):
            return await self._app(scope, receive, send)
        refusal = wrong_api_key()
        if given:  # without one nobody guesses: the page asks so before it asks its user
            seconds = self._wrong_keys.add(scope["client"][0] if scope.get("client") else "")
            refusal = too_many_wrong_keys(seconds) if seconds else refusal
        return await refusal.response()(scope, receive, send)


class WrongKeys:
    """Counts each address's wrong keys in windows of WINDOW_S from the first one on. The log has the first of a window
    and the one that is too many, so that a stranger cannot fill it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._windows: dict[str, tuple[float, int]] = {}  # by network: its start, and how many; the oldest first

    def add(self, address: str) -> int:
        """Count a wrong key; the seconds to wait where there have been more than MOST_WRONG_KEYS, else 0."""
        network, now = _network(address), self._now()
        start, n_before = self._windows.get(network, (now, 0))
        if now - start >= WINDOW_S:
            start, n_before = now, 0
        if n_before == 0:
            self._windows.pop(network, None)
            logger.warning("a wrong API key from %s", network)
        elif n_before == MOST_WRONG_KEYS:
            logger.warning("more than %d wrong API keys in a minute from %s", MOST_WRONG_KEYS, network)
        self._windows[network] = start, n_before + 1
        if len(self._windows) > MOST_ADDRESSES:
            del self._windows[next(iter(self._windows))]
        return int(start + WINDOW_S - now) + 1 if n_before >= MOST_WRONG_KEYS else 0


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "an unknown address"
    if found.version == 6 and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, IPV6_NETWORK), strict=False))


def _given_key(headers: Headers) -> bytes:
    """The key that a request brings. Label Studio has no way to send a header, but a user's name and password."""
    if KEY_HEADER in headers:
        return headers[KEY_HEADER].encode()
    scheme, _, credentials = headers.get("Authorization", "").partition(" ")
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2] if scheme.lower() == "basic" else b""
    except ValueError:
        return b""


def _is_public(path: str) -> bool:
    return path in PUBLIC or path.startswith("/static/")
