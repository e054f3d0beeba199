"""What every stage does around its work: wait its turn, read params.yaml, report errors in one line, note the time."""

import errno
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from threadpoolctl import threadpool_limits

from lacuna.config.load import load_params
from lacuna.config.params import Params
from lacuna.errors import LacunaError
from lacuna.execution.executor import Executor, open_executor
from lacuna.io.atomic import write_json
from lacuna.io.turns import take_turn

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

    A stage lives on when the `dvc` that started it is killed. The next `dvc` has deleted the outs of the stage that it
    starts, which may be the same one, or another whose outs the living one reads: so one lock serves all. The second
    stage begins when the first has ended, and replaces what that one has written.

    Linear algebra takes one thread: matrices as small as these only keep a second core busy waiting, and the order in
    which threads add up would change the last bits.

    Exits with code 1 and one line on stderr after a LacunaError or an error of the operating system, with 130 after
    Ctrl-C.
    """
    record = Path("runs") / f"{name}.json"
    try:
        with take_turn(Path("runs/locks"), f"the stage {name}"):
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


def open_engine(params: Params) -> AbstractContextManager[Executor]:
    """What does the pieces of this stage's work, as the block `execution` says; no out depends on it."""
    return open_executor(**params.execution.model_dump())


def checkpoint_folder() -> Path:
    """Where interrupted trainings leave their state: in the real root, which also serves `dvc exp run --temp`.

    It lies outside the stages' outs, because DVC deletes those before a stage runs.
    """
    return _kept("checkpoints")


def cache_folder() -> Path:
    """Where shards of images and features are kept, in the real root like checkpoints: `lacuna.io.shard_cache`."""
    return _kept("cache")


def _kept(what: str) -> Path:
    return Path(os.environ.get("DVC_ROOT", ".")) / "runs" / what
