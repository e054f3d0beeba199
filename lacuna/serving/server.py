"""Start the service, and end it without losing what it has taken.

SIGTERM and Ctrl-C: no new connections, what was accepted is answered, exit code 0. SIGHUP: read the API key
again, load the bundles again beside the old ones, then answer by the new ones.
"""

import asyncio
import logging
import resource
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import uvicorn

from lacuna.errors import LacunaError
from lacuna.serving.app import Service, create_app
from lacuna.serving.examples import find_examples
from lacuna.serving.local_folder import LocalFolder
from lacuna.serving.log import log_to_stderr
from lacuna.serving.models import ServedModel, described
from lacuna.serving.protocol import BoundedProtocol, Room
from lacuna.serving.rehearsal import load_rehearsed
from lacuna.serving.settings import Settings

CLOSING_S = 0.5
"""How long it takes to stop listening. Clients are told to close their connections only after it: earlier they would
connect again to a port that is about to be closed, and be cut off."""

GRACE_S = 0.5
"""How long open connections are still read from after that, for requests that are on their way."""

BACKLOG = 64
"""So many connections may wait in the kernel. asyncio accepts as many at a time, and twice more before it lets the
first be judged."""

ACCEPTED_UNJUDGED = 3 * BACKLOG

OTHER_FILES = 96
"""So many files the process opens beside connections, or a little more than that."""

FEWEST_CONNECTIONS = 16

logger = logging.getLogger(__name__)


def serve_models(settings: Settings, host: str, port: int) -> int:
    """Serve until SIGTERM; return the exit code. Raises LacunaError for a bad bundle, an address in use, a folder of
    examples without an image, no folder of Label Studio's files, or where too few files may be opened."""
    find_examples(settings.examples, settings.limits.max_upload_bytes)
    if settings.label_studio_files is not None:
        LocalFolder(settings.label_studio_files)
    room = Room(min(settings.limits.max_connections, _connections_that_fit()))
    log_to_stderr()
    hangups = remember_hangups()
    models = load_rehearsed(settings)  # before the port is opened: a bad bundle starts nothing
    with _listening(host, port) as listener:
        address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        logger.info("serving %s at %s", described(models), address)
        _run(settings, models, listener, hangups, room)
    logger.info("every accepted request is answered, the service ends")
    return 0


def remember_hangups() -> threading.Event:
    """Keep SIGHUP from ending this process before it serves; the event is set when one has come."""
    hangups = threading.Event()
    signal.signal(signal.SIGHUP, lambda number, frame: hangups.set())
    return hangups


def _connections_that_fit() -> int:
    """How many connections leave files enough for everything else. As many files are allowed as the system lets."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY:
        return sys.maxsize
    taken = ACCEPTED_UNJUDGED + OTHER_FILES
    if hard < taken + FEWEST_CONNECTIONS:
        raise LacunaError(
            f"this process may open {hard} files, expected at least {taken + FEWEST_CONNECTIONS}; raise the limit, "
            "`ulimit -n 1024`"
        )
    return hard - taken


def _run(
    settings: Settings,
    models: tuple[ServedModel, ...],
    listener: socket.socket,
    hangups: threading.Event,
    room: Room,
) -> None:
    app = create_app(settings, models)
    config = uvicorn.Config(
        app,
        http=partial(BoundedProtocol, room),  # type: ignore[arg-type]  # it is called like a class
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.limits.timeout_s) + 5,
    )
    server = _Server(config, app, hangups)
    for number in (signal.SIGTERM, signal.SIGINT):  # also when uvicorn raises them again at its end
        signal.signal(number, server.handle_exit)
    server.run([listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, app: Service, hangups: threading.Event) -> None:
        super().__init__(config)
        self._app, self._hangups = app, hangups
        self._tasks: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload)
        if self._hangups.is_set():
            self._reload()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        self._app.engine.hurry()
        await asyncio.sleep(CLOSING_S)
        self._app.draining = True
        await asyncio.sleep(GRACE_S)
        await super().shutdown(sockets)

    def _reload(self) -> None:
        task = asyncio.get_running_loop().create_task(self._app.reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:  # the latter for a port above 65535
        reason = getattr(error, "strerror", None) or error
        raise LacunaError(f"{host}:{port}: {reason}; choose another --host or --port") from None
    # asyncio does this for sockets that were made for TCP by number; these have protocol 0. Accepted ones inherit it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each answer waits 40 ms for the client's ACK
    with listener:
        yield listener
