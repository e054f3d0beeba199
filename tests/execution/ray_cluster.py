"""A real Ray cluster of two nodes on this machine, for tests, and its processes."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

HEAD, OTHER = "127.0.0.2", "127.0.0.3"
TOKEN = "0123456789abcdef0123456789abcdef"
ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": TOKEN,
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # by default workers wait for whatever else runs, tests of other files too
}


class RayCluster:
    """Two nodes of one core each. The second may be killed, and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}
        with socket.socket() as free:
            free.bind((HEAD, 0))
            self._port = free.getsockname()[1]
        self.address = f"{HEAD}:{self._port}"

    def start_head(self) -> None:
        """Start the first node. Each may also be started when it has been killed."""
        self._start(HEAD, "--head", f"--port={self._port}", "--include-dashboard=false", f"--temp-dir={self._folder}")

    def start_other(self) -> None:
        """Start the second node, and wait until the cluster has it."""
        self._start(OTHER, f"--address={self.address}")

    def _start(self, host: str, *options: str) -> None:
        if host in self._nodes:
            self._end(self._nodes.pop(host))
        log = self._folder / f"{host}.log"
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", f"--node-ip-address={host}"]
        with log.open("wb") as output:
            self._nodes[host] = subprocess.Popen(
                [*command, "--num-cpus=1", "--object-store-memory=80000000", *options],
                stdout=output, stderr=output, env={**os.environ, **ENVIRONMENT}, start_new_session=True,
            )  # fmt: skip
        for _ in range(600):
            if b"--block" in log.read_bytes():  # it says last that it stays
                return
            assert self._nodes[host].poll() is None, log.read_text()
            time.sleep(0.1)
        raise AssertionError(log.read_text())

    def processes(self, host: str, name: str) -> list[psutil.Process]:
        """The processes of a node whose name or title begins so."""
        found = []
        for process in psutil.Process(self._nodes[host].pid).children(recursive=True):
            try:
                if process.name().startswith(name) or " ".join(process.cmdline()).startswith(name):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def stop(self) -> None:
        """End every process of every node."""
        while self._nodes:
            self._end(self._nodes.popitem()[1])

    def _end(self, node: subprocess.Popen[bytes]) -> None:
        try:
            running = psutil.Process(node.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            running = []
        node.kill()
        for process in running:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        node.wait()
        psutil.wait_procs(running, timeout=10)


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[RayCluster]:
    """Its folder is no test's own: paths of Unix sockets have 107 characters at most."""
    with TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        cluster = RayCluster(Path(folder))
        try:
            cluster.start_head()
            cluster.start_other()
            yield cluster
        finally:
            cluster.stop()
