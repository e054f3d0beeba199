"""A real service in a process of its own, on a free port of this machine."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

REPOSITORY = Path(__file__).parents[1]
PATIENCE_S = 60


class Service:
    """`python -m lacuna serve`, running. `log` is what it has written so far."""

    def __init__(self, process: subprocess.Popen[bytes], log_file: Path) -> None:
        self.process, self._log_file = process, log_file
        self.address = self.wait_for(r"serving .* at (http://\S+)")

    @property
    def log(self) -> str:
        return self._log_file.read_text()

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.address, timeout=PATIENCE_S, verify=False)  # loads no certificates

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait_for(self, pattern: str) -> str:
        """The first group of `pattern` in the log, as soon as it is there."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found = re.search(pattern, self._log_file.read_text())
            if found:
                return found[1] if found.groups() else found[0]
            assert self.process.poll() is None, f"the service has ended:\n{self._log_file.read_text()}"
            time.sleep(0.02)
        raise AssertionError(f"no {pattern!r} in the log:\n{self._log_file.read_text()}")

    def stop(self) -> int:
        """End it by SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "lacuna", "serve", "--port", "0", *map(str, arguments)]


@contextmanager
def running_service(
    folder: Path, *arguments: object, preexec_fn: Callable[[], None] | None = None
) -> Iterator[Service]:
    """A service with these arguments; its log goes to `folder`. preexec_fn: called in its process before it starts."""
    log_file = folder / f"service-{time.monotonic_ns()}.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(command(*arguments), cwd=REPOSITORY, stdout=log, stderr=log, preexec_fn=preexec_fn)
    try:
        yield Service(process, log_file)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
