"""Start the service, and end it without losing what it has taken.

SIGTERM and Ctrl-C: no new connections, what was accepted is answered, exit code 0. SIGHUP: load the bundles anew beside
the old ones, then answer by them.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from lacuna.errors import LacunaError
from lacuna.serving.app import Service, create_app
from lacuna.serving.models import Model, described, load_models
from lacuna.serving.settings import Settings

GRACE_S = 0.5
"""How long open connections are still read from after the last new one, for requests that are on their way."""

BACKLOG = 1024

logger = logging.getLogger(__name__)


def serve(settings: Settings, host: str, port: int, workers: int) -> int:
    """Serve until SIGTERM; return the exit code. Raises LacunaError for a bad bundle or an address in use."""
    log_to_stderr()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it would end the process until there is something to reload
    models = load_models(settings)  # before the port is opened, and once for all workers: a bad bundle starts nothing
    with _listening(host, port) as listener:
        address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        logger.info("serving %s at %s", described(models), address)
        if workers == 1:
            run(settings, models, listener)
            return 0
        from lacuna.serving.workers import supervise

        del models  # each worker loads its own
        return supervise(settings, listener, workers)


def run(settings: Settings, models: tuple[Model, ...], listener: socket.socket) -> None:
    """Serve in this process until SIGTERM or Ctrl-C."""
    app = create_app(settings, models)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.limits.timeout_s) + 5,
    )
    server = _Server(config, app)
    for one in (signal.SIGTERM, signal.SIGINT):  # from now on, and still when uvicorn raises them again at its end
        signal.signal(one, server.handle_exit)
    server.run([listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, app: Service) -> None:
        super().__init__(config)
        self._app = app
        self._tasks: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
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
    except OSError as error:
        raise LacunaError(f"{host}:{port}: {error.strerror or error}; choose another --host or --port") from None
    with listener:
        yield listener


def log_to_stderr() -> None:
    """One line an event, without the requests: the metrics count them."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True)
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(name).setLevel(logging.ERROR)
