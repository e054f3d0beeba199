"""The check of the Host header.

A page of a stranger can have a browser ask this machine, once the stranger's name leads to 127.0.0.1 (DNS rebinding).
The browser takes the answers for the stranger's own and lets the page read them; but its requests still bring the name.
"""

import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from lacuna.serving.addresses import ANY_HOST, usual_address
from lacuna.serving.refusals import unknown_host
from lacuna.serving.root_path import inner_path

UNCHECKED = "/health"
"""Probes ask by whatever address a container happens to have, and it tells nothing."""

HOST = re.compile(r"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<name>[^\s:/?#@\[\]]+))(?::[0-9]*)?")


class AllowedHosts:
    """Refuses requests for other hosts than those allowed, whatever port they name."""

    def __init__(self, app: ASGIApp, allowed: Sequence[str]) -> None:
        self._app = app
        self._names = frozenset(allowed)
        self._endings = tuple(name[1:] for name in allowed if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and ANY_HOST not in self._names and inner_path(scope) != UNCHECKED:
            given = Headers(scope=scope).get("host", "")
            if not self._is_allowed(given):
                return await unknown_host(given).response()(scope, receive, send)
        return await self._app(scope, receive, send)

    def _is_allowed(self, given: str) -> bool:
        found = HOST.fullmatch(given)
        if found is None:
            return False
        host = usual_address(found["literal"]) if found["literal"] else found["name"].lower().removesuffix(".")
        return host is not None and (host in self._names or host.endswith(self._endings))
