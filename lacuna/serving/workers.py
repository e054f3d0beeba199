"""Several processes on one port: each loads the bundles and accepts connections; this one starts and ends them.

SIGHUP goes on to every worker, which takes up the new bundle by itself; for a moment both answer. A worker that dies is
replaced.
"""

import logging
import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

from lacuna.errors import LacunaError
from lacuna.serving.settings import Settings

RESTART_PAUSE_S = 1.0

logger = logging.getLogger(__name__)


def supervise(settings: Settings, listener: socket.socket, count: int) -> None:
    """Keep `count` workers serving until SIGTERM or Ctrl-C; return when all have drained."""
    from lacuna.serving.metrics import MULTIPROCESS

    metrics_folder = tempfile.mkdtemp(prefix="lacuna-metrics-")
    os.environ[MULTIPROCESS] = metrics_folder
    context = multiprocessing.get_context("spawn")
    workers: list[SpawnProcess] = []
    stopping = False

    def start() -> None:
        worker = context.Process(target=work, args=(settings, listener), name="lacuna-worker")
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # inherited, until the worker can take one
        worker.start()
        workers.append(worker)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})

    def stop(number: int, frame: object) -> None:
        nonlocal stopping
        stopping = True
        listener.close()  # or the port would go on accepting what nobody answers
        _tell(workers, signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, lambda number, frame: _tell(workers, signal.SIGHUP))
    try:
        for _ in range(count):
            start()
        while workers:
            wait([worker.sentinel for worker in workers])
            for worker in [worker for worker in workers if not worker.is_alive()]:
                workers.remove(worker)
                _forget(worker)
                if not stopping:
                    logger.error("worker %s died with exit code %s; starting another", worker.pid, worker.exitcode)
                    time.sleep(RESTART_PAUSE_S)
                if not stopping:
                    start()
    finally:
        shutil.rmtree(metrics_folder, ignore_errors=True)


def work(settings: Settings, listener: socket.socket) -> None:
    """A worker's life: load the bundles, serve until SIGTERM, or until the supervisor is gone."""
    from lacuna.serving.rehearsal import load_rehearsed
    from lacuna.serving.server import log_to_stderr, remember_hangups, run

    log_to_stderr()
    hangups = remember_hangups()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        run(settings, load_rehearsed(settings), listener, hangups)
    except LacunaError as error:
        raise SystemExit(f"error: {error}") from None


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _tell(workers: list[SpawnProcess], number: signal.Signals) -> None:
    for worker in workers:
        if worker.pid is not None and worker.is_alive():
            os.kill(worker.pid, number)


def _forget(worker: SpawnProcess) -> None:
    """Leave the gauges of a worker that has ended out of the sums."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
