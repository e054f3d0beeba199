"""What every stage does around its work: wait its turn, read params.yaml, report errors in one line, note the time."""

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from filelock import FileLock, Timeout
from threadpoolctl import threadpool_limits

from lacuna.config.load import load_params
from lacuna.config.params import Params
from lacuna.errors import LacunaError
from lacuna.io.atomic import write_json

Facts = Mapping[str, object]
"""What a stage says of its run beyond its outs: counts, parameters, notes. `track` hands them to MLflow."""

HINTS = {
    errno.ENOSPC: "the disk is full: free some space and run the stage again",
    errno.EFBIG: "the file grew past a limit of this system",
    errno.EDQUOT: "the disk quota is used up: free some space and run the stage again",
    errno.EACCES: "no permission: check the owner and mode of this path",
    errno.EROFS: "the file system is read-only",
}


def run(name: str, stage: Callable[[Params], Facts | None]) -> None:
    """Run `stage` with the parameters in `params.yaml`; write its facts and seconds to `runs/NAME.json`.

    Linear algebra takes one thread: matrices as small as these only keep a second core busy waiting, and the order in
    which threads add up would change the last bits.

    Exits with code 1 and one line on stderr after a LacunaError or an error of the operating system, with 130 after
    Ctrl-C.
    """
    record = Path("runs") / f"{name}.json"
    try:
        with _turn(name):
            start = time.perf_counter()
            record.unlink(missing_ok=True)
            with threadpool_limits(1, user_api="blas"):
                facts = stage(load_params(Path("params.yaml"))) or {}
            write_json(record, {"stage": name, "seconds": round(time.perf_counter() - start, 2), **facts})
    except KeyboardInterrupt:
        sys.exit(130)
    except LacunaError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(f"error: {where}{HINTS.get(error.errno or 0, error.strerror or error)} ({name})")


@contextlib.contextmanager
def _turn(name: str) -> Iterator[None]:
    """Hold the lock of a stage in this working folder; wait for it, and say for which process.

    A stage lives on when the `dvc` that started it is killed. The next `dvc` has deleted the outs when it starts the
    stage again, so the second one begins when the first has ended, and replaces what that one has written.
    """
    folder = Path("runs/locks")
    folder.mkdir(parents=True, exist_ok=True)
    lock, holder = FileLock(folder / f"{name}.lock"), folder / f"{name}.pid"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        pid = holder.read_text(encoding="utf-8") if holder.exists() else "unknown"
        print(f"waiting: the stage {name} is running in another process (pid {pid})", flush=True)
        lock.acquire()
    try:
        holder.write_text(str(os.getpid()), encoding="utf-8")
        yield
    finally:
        lock.release()


def checkpoint_folder() -> Path:
    """Where interrupted trainings leave their state: in the real root, which also serves `dvc exp run --temp`.

    It lies outside the stages' outs, because DVC deletes those before a stage runs.
    """
    return Path(os.environ.get("DVC_ROOT", ".")) / "runs" / "checkpoints"
