"""Jobs as tasks of Ray: in processes of this machine, or on the machines of a cluster. The only module to import ray.

All machines see the project's folder under the same path, and have the same packages installed. A task is sent once,
jobs and receipts travel through the driver, which is the process that calls `map`; nothing else does.
"""

import contextlib
import os
import pickle
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported over the network
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # otherwise it warns that it will not set a variable

import ray

from lacuna.errors import LacunaError
from lacuna.execution.executor import Job, Receipt, Task

CODE_FOLDER = Path(__file__).parents[2]

CONNECT_SECONDS = 10
"""So long may the port of a cluster take to answer."""

MAX_DEATHS = 20
"""So often a job is begun again after its process or machine was lost; the next loss is the job's own fault."""

STORE_BYTES = 100 * 2**20
"""Memory that Ray takes for what is passed on: names and counts fit into the least that it allows."""

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
"""A job takes one core, so the libraries in its process are told to take one thread."""

PASSED_ON = ("KERAS_BACKEND",)
"""Variables of the driver's environment that shape what a task makes."""


@contextlib.contextmanager
def open_ray(address: str, workers: int) -> Iterator["RayTasks"]:
    """Yield an executor on Ray, as `lacuna.execution.executor.open_executor` takes these arguments."""
    address = address or os.environ.get("RAY_ADDRESS", "")
    with contextlib.ExitStack() as stack:
        quiet = {"log_to_driver": False, "logging_level": "error", "runtime_env": {"env_vars": _environment()}}
        if address:
            _connect(address, quiet)
        else:
            folder = stack.enter_context(TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True))
            own = {"num_cpus": workers or None, "object_store_memory": STORE_BYTES, "_temp_dir": folder}
            try:
                ray.init("local", include_dashboard=False, **own, **quiet)
            except Exception as error:  # Ray has nothing narrower for processes that do not start in time
                raise LacunaError(
                    f"Ray does not start on this machine, in {folder}: {_one_line(error)}; where the machine is busy "
                    "try again, or take the engine local"
                ) from None
        stack.callback(ray.shutdown)
        yield RayTasks(workers, on_one_machine=not address)


class RayTasks:
    """Does each job as a task of one core; what a killed process or machine was doing is done again by another."""

    def __init__(self, workers: int, *, on_one_machine: bool) -> None:
        self.on_one_machine = on_one_machine
        self._workers = workers

    def map(self, task: Task[Job, Receipt], jobs: Sequence[Job]) -> Iterator[Receipt]:
        content = ray.put(pickle.dumps(task))
        here, waiting = str(Path.cwd()), iter(jobs)
        receipts: deque[Any] = deque()  # to come, in the order of the jobs
        under_way: list[Any] = []
        while True:
            for job in waiting:
                receipt = _do.remote(content, here, job)
                receipts.append(receipt)
                under_way.append(receipt)
                if len(under_way) >= self._at_once():
                    break
            if not receipts:
                return
            _, under_way = ray.wait(under_way)
            missing = set(under_way)
            while receipts and receipts[0] not in missing:
                yield _receive(receipts.popleft())

    def _at_once(self) -> int:
        """Jobs under way: one for each core that the cluster has in this moment, and one that waits for it."""
        return self._workers or 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))


@ray.remote(num_cpus=1, max_retries=MAX_DEATHS)  # type: ignore[untyped-decorator]
def _do(content: bytes, folder: str, job: Any) -> Any:
    return _open_task(content, folder)(job)


@lru_cache(maxsize=1)
def _open_task(content: bytes, folder: str) -> Task[Any, Any]:
    """The task, opened once a process, in the driver's folder: its paths may be relative."""
    try:
        os.chdir(folder)
    except OSError as error:
        raise LacunaError(
            f"{folder}: {error.strerror} on {socket.gethostname()}; every machine must see the project under this path"
        ) from None
    task: Task[Any, Any] = pickle.loads(content)
    return task


def _receive(receipt: Any) -> Any:
    try:
        return ray.get(receipt)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        raise cause from error
    except ray.exceptions.RayError as error:
        raise LacunaError(
            f"Ray cannot finish a job, begun again up to {MAX_DEATHS} times: {_one_line(error)}; most often memory is "
            "short, then lower execution.workers; what is done stays done"
        ) from None


def _environment() -> dict[str, str]:
    """What a worker's process must have in its environment to find the code, and to take no more than one core."""
    paths = [str(CODE_FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]
    given = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {"PYTHONPATH": os.pathsep.join(paths), "LACUNA_CORES": "1", **dict.fromkeys(ONE_THREAD, "1"), **given}


def _connect(address: str, options: dict[str, Any]) -> None:
    """Join the cluster as its driver. Raises LacunaError, within half a minute, when that is not possible."""
    where = f"execution.address: no Ray cluster at {address}"
    host, _, port = address.rpartition(":")
    if address != "auto":
        if not (host and port.isdigit()) or "//" in address:
            raise LacunaError(f"execution.address: expected host:port or auto, received {address}")
        try:
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
        except OSError as error:
            raise LacunaError(f"{where} ({error.strerror or error}); `ray start --head` starts one") from None
    if host.startswith("127."):  # nodes of a cluster on one machine: Ray would look for its node under another name
        options = {**options, "_node_ip_address": host}
    try:
        ray.init(address, **options)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        ray.shutdown()
        reason = _one_line(error.__cause__ or error)
        raise LacunaError(
            f"{where} that takes this machine in ({reason}); `ray start` joins it, with the same version of Ray, and "
            "RAY_AUTH_MODE and RAY_AUTH_TOKEN must be the cluster's"
        ) from None


def _one_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if any("InvalidAuthToken" in line for line in lines):
        return "its token is missing or another one"
    return lines[-1][:200] if lines else type(error).__name__
