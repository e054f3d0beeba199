"""The one front of all engines: a task, its jobs, their receipts in order."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Job = TypeVar("Job")
Receipt = TypeVar("Receipt")

Task = Callable[[Job], Receipt]
"""Does a job: reads, writes what it makes beside and renames it, and returns a receipt, such as names and counts.

It is a plain value that can be sent to another machine, and so are jobs and receipts. What it needs beside, a network
or an open file, it opens where it runs, when the first job comes. A job that is done twice, or again after the machine
that was doing it was lost, leaves the same bytes.
"""


class Executor(Protocol):
    """Does jobs."""

    def map(self, task: Task[Job, Receipt], jobs: Sequence[Job]) -> Iterator[Receipt]:
        """Yield the receipt of each job, in the order of the jobs. Raises what the task raises."""


class InProcess:
    """Does one job after the other, here: the engine `local`."""

    def map(self, task: Task[Job, Receipt], jobs: Sequence[Job]) -> Iterator[Receipt]:
        return map(task, jobs)
