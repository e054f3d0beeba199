"""When a connection is closed, so that no client loses an answer by it."""

import asyncio
import contextlib
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGER_S = 2.0


class Connections:
    """Closes a connection after an answer that came before the request's body, and after every answer while `draining`.

    An unread body is discarded for a moment first: closing at once would reset the connection, by which the client may
    lose the answer, and never closing would let it send for ever. nginx calls this a lingering close. While the service
    drains, `Connection: close` tells clients not to send the next request over a connection that is about to end.
    """

    def __init__(self, app: ASGIApp, draining: Callable[[], bool]) -> None:
        self._app, self._draining = app, draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        unread = _has_body(Headers(scope=scope))

        async def receiving() -> Message:
            nonlocal unread
            message = await receive()
            unread = message.get("more_body", False)
            return message

        async def discard() -> None:
            while unread:
                await receiving()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and (unread or self._draining()):
                message["headers"] = [*message.get("headers", []), (b"connection", b"close")]
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if not (unread and last):
                return await send(message)
            await send({**message, "more_body": True})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(discard(), LINGER_S)
            return await send({"type": "http.response.body", "body": b"", "more_body": False})

        return await self._app(scope, receiving, sending)


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
