"""One stage at a time in a working folder, by a lock that ends with its process."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from lacuna.errors import LacunaError


@contextlib.contextmanager
def take_turn(folder: Path, who: str, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock in `folder` while the block runs; where another process holds it, say who, and wait for its end.

    who: what others are told of this process, such as `the stage ingest`. Raises LacunaError instead of waiting when
    `wait` is false.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock, holder = FileLock(folder / "stage.lock"), folder / "stage.txt"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        other = holder.read_text(encoding="utf-8") if holder.exists() else "a stage"
        if not wait:
            raise LacunaError(f"{other} is at work in this folder; try again when it has ended") from None
        print(f"waiting: {other} is at work in this folder; to go on at once, end it", flush=True)
        lock.acquire()
    try:
        holder.write_text(f"{who} (process {os.getpid()}, since {time.strftime('%H:%M:%S')})", encoding="utf-8")
        yield
    finally:
        lock.release()
