"""What a fetch may take: requests, seconds, bytes."""

import math
import threading
from dataclasses import dataclass

from lacuna.data.downloads.outcome import DownloadFailedError
from lacuna.errors import LacunaError

TRIES = 5
MOST_REDIRECTS = 5
MOST_WAIT = 120.0
"""Seconds that a server may ask to wait before the next try."""


@dataclass(frozen=True)
class DownloadLimits:
    """`parallel`: downloads at a time. `rate`: requests per second to one host. `timeout`: seconds to connect, and
    without an answer; `file_timeout`: for a whole file. `first_wait`: seconds before the second try, twice as many
    before each further one. Raises LacunaError, naming the option, at what is no amount.
    """

    parallel: int = 8
    rate: float = 10.0
    max_mb: float = 50.0
    max_total_gb: float = 20.0
    timeout: float = 30.0
    file_timeout: float = 300.0
    allow_private: bool = False
    first_wait: float = 2.0

    def __post_init__(self) -> None:
        for option in ("rate", "max_mb", "max_total_gb", "timeout", "file_timeout"):
            value = getattr(self, option)
            if not (math.isfinite(value) and value > 0):
                raise LacunaError(f"--{option.replace('_', '-')}: expected a number above 0, received {value:g}")
        if not 1 <= self.parallel <= 64:
            raise LacunaError(f"--parallel: expected a number from 1 to 64, received {self.parallel}")

    @property
    def most_bytes(self) -> int:
        """Of a file."""
        return int(self.max_mb * 1e6)


class Allowance:
    """The bytes of all files together, which threads take from."""

    def __init__(self, limits: DownloadLimits) -> None:
        self._left = int(limits.max_total_gb * 1e9)
        self._said = f"more than {limits.max_total_gb:g} GB in all (--max-total-gb); the same command goes on from here"
        self._lock = threading.Lock()

    def take(self, n_bytes: int) -> None:
        """Raise DownloadFailedError when so many more are too many; then no further bytes are granted either."""
        with self._lock:
            self._left = self._left - n_bytes if n_bytes <= self._left else -1
            if self._left < 0:
                raise DownloadFailedError(self._said)
