"""Start the service, and end it without losing what it has taken.

SIGTERM and Ctrl-C: no new connections, what was accepted is answered, exit code 0. SIGHUP: load the bundles again
beside the old ones, then answer by the new ones.
"""

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from lacuna.errors import LacunaError
from lacuna.serving.app import Service, create_app
from lacuna.serving.examples import find_examples
from lacuna.serving.local_folder import LocalFolder
from lacuna.serving.models import ServedModel, described, load_models
from lacuna.serving.settings import Settings

CLOSING_S = 0.5
"""How long all workers have to stop listening. Clients are told to close their connections only after it: earlier they
would connect again to a worker that is about to close its port, and be cut off."""

GRACE_S = 0.5
"""How long open connections are still read from after that, for requests that are on their way."""

BACKLOG = 1024

logger = logging.getLogger(__name__)


def serve_models(settings: Settings, host: str, port: int, workers: int) -> int:
    """Serve until SIGTERM; return the exit code. Raises LacunaError for a bad bundle, an address in use, fewer
    than one worker, a folder of examples without an image, or no folder of Label Studio's files."""
    if workers < 1:
        raise LacunaError(f"--workers: expected at least 1, received {workers}")
    find_examples(settings.examples)
    if settings.label_studio_files is not None:
        LocalFolder(settings.label_studio_files)
    log_to_stderr()
    hangups = remember_hangups()
    models = load_models(settings)  # before the port is opened, and once for all workers: a bad bundle starts nothing
    with _listening(host, port) as listener:
        address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        logger.info("serving %s at %s", described(models), address)
        if workers == 1:
            run(settings, models, listener, hangups)
        else:
            from lacuna.serving.workers import supervise

            del models  # each worker loads its own
            supervise(settings, listener, workers)
    logger.info("every accepted request is answered, the service ends")
    return 0


def remember_hangups() -> threading.Event:
    """Keep SIGHUP from ending this process before it serves; the event is set when one has come."""
    hangups = threading.Event()
    signal.signal(signal.SIGHUP, lambda number, frame: hangups.set())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    return hangups


def run(settings: Settings, models: tuple[ServedModel, ...], listener: socket.socket, hangups: threading.Event) -> None:
    """Serve in this process until SIGTERM or Ctrl-C. `hangups` tells of a SIGHUP since the models were asked for."""
    app = create_app(settings, models)
    config = uvicorn.Config(
        app,
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
        task = asyncio.get_running_loop().create_task(self._app.engine.reload())
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


def log_to_stderr() -> None:
    """One line an event, without the requests: the metrics count them."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True)
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(name).setLevel(logging.ERROR)
