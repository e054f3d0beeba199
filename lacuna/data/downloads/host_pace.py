"""How often a host is asked, and for how long it is left alone after it refused."""

import threading
import time
from collections.abc import Callable

from lacuna.data.downloads.outcome import DownloadFailedError, StoppedError

GIVE_UP_AFTER = 5
"""Files in a row that all tries were in vain for: thousands more would wait for the host as long."""


class HostPace:
    """Turns at asking hosts, for many threads. `rate`: per second and host. `sleep`: waits so many seconds and tells
    whether the command was stopped meanwhile."""

    def __init__(
        self, rate: float, sleep: Callable[[float], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._gap, self._sleep, self._clock = 1 / rate, sleep, clock
        self._next: dict[str, float] = {}
        self._paused: dict[str, float] = {}
        self._in_vain: dict[str, int] = {}
        self._lock = threading.Lock()

    def wait(self, host: str) -> None:
        """Return when it is this caller's turn. Raises DownloadFailedError for a host that is given up, and
        StoppedError."""
        with self._lock:
            turn = max(self._clock(), self._next.get(host, 0.0))
            self._next[host] = turn + self._gap
        while True:
            with self._lock:
                left = max(turn, self._paused.get(host, 0.0)) - self._clock()
                if self._in_vain.get(host, 0) >= GIVE_UP_AFTER:
                    raise DownloadFailedError(
                        f"given up: its host did not answer, or was busy, for {GIVE_UP_AFTER} files in a row"
                    )
            self.rest(max(left, 0.0))
            if left <= 0:
                return

    def rest(self, seconds: float) -> None:
        """Wait, whatever other threads do. Raises StoppedError."""
        if self._sleep(seconds):
            raise StoppedError

    def pause(self, host: str, seconds: float) -> None:
        """Leave the host alone for so long."""
        with self._lock:
            self._paused[host] = max(self._paused.get(host, 0.0), self._clock() + seconds)

    def note(self, host: str, *, answered: bool) -> None:
        """Whether the host gave an answer, be it that there is no such file, or all tries were in vain."""
        with self._lock:
            self._in_vain[host] = 0 if answered else self._in_vain.get(host, 0) + 1
