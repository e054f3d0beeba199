"""HTTP connections within limits: how many there are, and how long the head of a request and the reading of an answer
may take.

A client that is silent, or slow, costs a connection for some seconds, and none when others want one: where all are
taken, the one that has waited longest for a request makes room. Who has a request under way is never cut off for that.
"""

import asyncio
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from lacuna.serving.refusals import RefusedError, malformed_http, too_many_connections

HEAD_S = 10.0
"""How long the head of a request may take, from the connection or the former answer on. uvicorn closes a connection on
which nothing comes for 5 s after an answer."""

READ_S = 30.0
"""How long a client may take to read an answer, or as much of it as lets the next part be written."""


@dataclass(eq=False)
class Room:
    """Room for `limit` connections. `waiting`: those without a request under way, the longest first."""

    limit: int
    waiting: "dict[BoundedProtocol, None]" = field(default_factory=dict)


class BoundedProtocol(H11Protocol):
    """uvicorn's connection, within a room. Errors of HTTP itself are JSON, as all others."""

    def __init__(self, room: Room, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._room = room
        self._turned_away = False
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= self._room.limit and not self._make_room():
            self._turned_away = True
            transport.write(_answer(too_many_connections(self._room.limit)))
            transport.close()
            self.loop.call_later(1, transport.abort)
            return
        super().connection_made(transport)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._room.waiting.pop(self, None)
        for timer in self._timers.values():
            timer.cancel()
        if not self._turned_away:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._turned_away:
            super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        self._watch_head()

    def on_response_complete(self) -> None:
        self._watch_reading()
        super().on_response_complete()
        self._watch_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reading()

    def send_400_response(self, msg: str) -> None:
        self.transport.write(_answer(malformed_http()))
        self.transport.close()

    def _make_room(self) -> bool:
        """Cut off who has waited longest for a request, if anybody does."""
        longest = next(iter(self._room.waiting), None)
        if longest is None:
            return False
        self._room.waiting.pop(longest)
        self.connections.discard(longest)
        longest.transport.abort()
        return True

    def _watch_head(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._room.waiting.pop(self, None)
            self._cancel("head")
        elif self not in self._room.waiting and not self.transport.is_closing():
            self._room.waiting[self] = None
            self._start("head", HEAD_S)

    def _watch_reading(self) -> None:
        self._start("reading", READ_S)

    def _start(self, what: str, seconds: float) -> None:
        self._cancel(what)
        self._timers[what] = self.loop.call_later(seconds, self._give_up, what)

    def _cancel(self, what: str) -> None:
        if what in self._timers:
            self._timers.pop(what).cancel()

    def _give_up(self, what: str) -> None:
        if what == "head" or self.transport.get_write_buffer_size():
            self.transport.abort()


def _answer(refusal: RefusedError) -> bytes:
    """A refusal as a whole answer that closes the connection."""
    body = json.dumps(refusal.content()).encode()
    headers = {
        **refusal.headers,
        "content-type": "application/json",
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "connection": "close",
    }
    lines = [f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
