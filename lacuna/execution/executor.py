"""The one front of all engines: a task, its jobs, their receipts in order."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from lacuna.errors import LacunaError

Job = TypeVar("Job")
Receipt = TypeVar("Receipt")

Task = Callable[[Job], Receipt]
"""Does a job: reads, writes what it makes beside and renames it, and returns a receipt, such as names and counts.

It is a plain value that can be sent to another machine, and so are jobs and receipts. What it needs beside, a network
or an open file, it opens where it runs, when the first job comes. A job that is done twice, or again after the machine
that was doing it was lost, leaves the same bytes.
"""


class Executor(Protocol):
    """Does jobs. `on_one_machine`: all of them on this one, whose locks of files hold between its processes."""

    on_one_machine: bool

    def map(self, task: Task[Job, Receipt], jobs: Sequence[Job]) -> Iterator[Receipt]:
        """Yield the receipt of each job, in the order of the jobs. Raises what the task raises."""


class InProcess:
    """Does one job after the other, here: the engine `local`."""

    on_one_machine = True

    def map(self, task: Task[Job, Receipt], jobs: Sequence[Job]) -> Iterator[Receipt]:
        return map(task, jobs)


LOCAL = InProcess()


@contextlib.contextmanager
def open_executor(engine: str, address: str, workers: int) -> Iterator[Executor]:
    """Yield the engine of this name, `local` or `ray`, and close it at the end.

    address: of Ray's cluster, host:port or auto; "": the environment's RAY_ADDRESS, without that a Ray of its own on
    this machine. workers: so many jobs are done at once; 0: one a core. Raises LacunaError when Ray is not installed,
    or cannot be reached, and for fewer workers than none.
    """
    if workers < 0:
        raise LacunaError(f"workers: expected 0 or more, received {workers}")
    if engine == "local":
        yield LOCAL
        return
    try:
        from lacuna.execution.ray_engine import open_ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise LacunaError(
            "ray is not installed; `pip install --no-deps --require-hashes -r requirements-ray.txt` "
            "brings it, on each machine; or write local"
        ) from None
    with open_ray(address, workers) as executor:
        yield executor
