"""Functions run in other processes, which can be stopped: by a deadline, or a limit of memory.

A thread cannot be stopped, and its memory is everybody's. `multiprocessing` and the pools on top of it (Pebble, loky)
run the caller's main program once more in each process they start: a script that predicts without asking for its
`__name__` would begin anew in each. These processes import what they are told to run, and nothing else.
"""

import contextlib
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

Result = TypeVar("Result")

PIPE_BYTES = 2**18
"""On Linux: a working image goes through at once. The usual 64 KiB wake both sides four times."""

LOOK_EVERY_S = 0.1
"""How often a thread looks for calls that have taken too long. A timer for each would cost more than small images."""

ORPHAN_S = 5
"""Processor seconds beyond the deadline after which the system ends a process that nobody stopped in time."""

SURROUNDINGS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "16777216",
    "MALLOC_TRIM_THRESHOLD_": "33554432",
}
"""One thread a process: there are as many processes as callers, and each thread's arena would count as memory. What is
freed below 16 MiB is used again, up to 32 MiB: pages fetched anew from the system doubled the cost of small images."""


class KillableProcesses:
    """Runs functions, each in a process of its own, from any number of threads: there are as many processes as calls at
    the same time, kept for the next calls. They end with this process."""

    def __init__(self, deadline_s: float, module: str) -> None:
        """module: which they import as soon as they start."""
        self.deadline_s, self._module = deadline_s, module
        self._idle: list[_Process] = []
        self._busy: dict[_Process, float] = {}  # and when each began with its call
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._watch: threading.Thread | None = None

    def run(self, function: Callable[..., Result], *arguments: Any, memory: int) -> Result:
        """What a function of a module returns for these arguments, in a process that may take `memory` bytes more than
        when it was idle (on Linux; elsewhere memory is not limited).

        Raises what the function raises; MemoryError where that was not enough; TimeoutError when the deadline has
        passed, and ChildProcessError when the process has died of it or of `close`. Either way the next call gets a new
        one.
        """
        process = self._take()
        try:
            process.wait_until_ready()  # starting is none of the function's time
            self._busy[process] = time.monotonic()
            succeeded, result = process.ask((function, arguments, memory, self.deadline_s))
        except (EOFError, OSError, pickle.UnpicklingError):
            code = process.end()
            if process.is_late:
                raise TimeoutError(f"not done within {self.deadline_s:g} s") from None
            raise ChildProcessError(f"the process ended with exit code {code}") from None
        finally:
            self._put_back(process)
        if not succeeded:
            raise result
        return result  # type: ignore[no-any-return]

    def start(self, count: int) -> None:
        """Start so many processes ahead of the first calls, which would wait for them."""
        with self._lock:
            self._idle += [_Process(self._module) for _ in range(count)]

    def close(self) -> None:
        """End all processes; calls that wait for one, and further ones, raise ChildProcessError."""
        with self._lock:
            self._closed.set()
            idle, self._idle = self._idle, []
            for process in self._busy:
                process.kill()
        for process in idle:
            process.end()

    def _take(self) -> "_Process":
        with self._lock:
            if self._closed.is_set():
                raise ChildProcessError("the processes are closed")
            if self._watch is None:
                self._watch = threading.Thread(target=self._end_late_ones, daemon=True, name="deadlines")
                self._watch.start()
            while self._idle and not self._idle[-1].is_running:
                self._idle.pop().end()  # the system has ended it meanwhile, for its memory maybe: no call's fault
            process = self._idle.pop() if self._idle else _Process(self._module)
            self._busy[process] = math.inf
            return process

    def _put_back(self, process: "_Process") -> None:
        with self._lock:
            del self._busy[process]
            if process.is_running and not self._closed.is_set():
                self._idle.append(process)
                return
        process.end()

    def _end_late_ones(self) -> None:
        while not self._closed.wait(LOOK_EVERY_S):
            with self._lock:
                for process, began in self._busy.items():
                    if time.monotonic() - began > self.deadline_s:
                        process.is_late = True
                        process.kill()


class _Process:
    def __init__(self, module: str) -> None:
        path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
        self.is_late, self._is_ready = False, False
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-W",
                "ignore",
                "-c",
                f"import {module}; from lacuna.io.killable import answer_questions; answer_questions()",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pipesize=PIPE_BYTES,
            env=os.environ | SURROUNDINGS | {"PYTHONPATH": path},
        )

    @property
    def is_running(self) -> bool:
        return not self.is_late and self._process.poll() is None

    def wait_until_ready(self) -> None:
        if not self._is_ready:
            self._receive()
            self._is_ready = True

    def ask(self, question: object) -> tuple[bool, Any]:
        assert self._process.stdin is not None
        pickle.dump(question, self._process.stdin, pickle.HIGHEST_PROTOCOL)
        self._process.stdin.flush()
        return self._receive()

    def _receive(self) -> tuple[bool, Any]:
        assert self._process.stdout is not None
        answer: tuple[bool, Any] = pickle.load(self._process.stdout)
        return answer

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> int:
        self.kill()
        with contextlib.suppress(OSError):  # what was on its way to it is lost
            self._process.communicate()
        return self._process.wait()


def answer_questions() -> None:
    """The life of such a process: answer one question after another, until nobody can ask any more."""
    for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C, and systemd, which tells every process of a service, are
        signal.signal(number, signal.SIG_IGN)  # for the program that asks, which may want its answers
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    _send(answers, (True, "ready"))
    while True:
        try:
            function, arguments, memory, deadline_s = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        _answer(answers, function, arguments, memory, deadline_s)
        del function, arguments  # not kept while nothing is to be done


def _answer(
    answers: BinaryIO, function: Callable[..., Any], arguments: tuple[Any, ...], memory: int, deadline_s: float
) -> None:
    limited = _limited(memory, deadline_s) if sys.platform == "linux" else contextlib.nullcontext()
    try:
        with limited:
            answer = True, function(*arguments)
    except Exception as error:
        answer = False, error
    _send(answers, answer)


def _send(answers: BinaryIO, answer: tuple[bool, Any]) -> None:
    pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
    answers.flush()


@contextlib.contextmanager
def _limited(memory: int, seconds: float) -> Iterator[None]:
    """Let this process take so many bytes more than it has, and so many processor seconds."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_bytes().split()[0])
    most = pages * resource.getpagesize() + memory
    until = int(time.process_time() + seconds) + ORPHAN_S
    hard_cpu = resource.getrlimit(resource.RLIMIT_CPU)[1]
    for kind, value, highest in ((resource.RLIMIT_CPU, until, hard_cpu), (resource.RLIMIT_AS, most, hard)):
        resource.setrlimit(kind, (value if highest == resource.RLIM_INFINITY else min(value, highest), highest))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
