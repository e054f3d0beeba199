"""The log: one line an event on standard error, and no more lines of a kind than anybody can read."""

import logging
import time
from collections import Counter

LINES, WINDOW_S = 10, 10.0
"""So many lines of a kind are written in a window, the others are counted."""

KINDS = 1000
"""Of so many kinds at most; what they are depends on who writes to the log, not on clients."""


class Ration(logging.Filter):
    """Lets LINES records of a kind through in WINDOW_S seconds. A record's kind is its logger, level and the first line
    of its message before anything is filled in. The next window's first record says how many were left out."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[tuple[str, int, str]] = Counter()
        self._left_out: Counter[tuple[str, int, str]] = Counter()
        self._end = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if now >= self._end:
            self._left_out.update({kind: n - LINES for kind, n in self._counts.items() if n > LINES})
            self._counts.clear()
            self._end = now + WINDOW_S
        kind = (record.name, record.levelno, str(record.msg).partition("\n")[0][:80])
        if kind not in self._counts and len(self._counts) >= KINDS:
            return False
        self._counts[kind] += 1
        if self._counts[kind] > LINES:
            return False
        if n := self._left_out.pop(kind, 0):
            record.msg, record.args = f"{record.getMessage()} ({n} more lines like this were left out)", ()
        return True


def log_to_stderr() -> None:
    """Events, without the requests: the metrics count them."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True)
    for handler in logging.getLogger().handlers:
        handler.addFilter(Ration())
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(name).setLevel(logging.ERROR)
