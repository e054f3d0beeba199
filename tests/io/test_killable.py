"""Functions in processes that are ended when they take too long or too much, and replaced."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lacuna.io.killable import KillableProcesses

MEGABYTE = 1_000_000


@pytest.fixture
def processes():
    started = KillableProcesses(deadline_s=60, module="lacuna.errors")
    yield started
    started.close()


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_process_is_another_one_and_answers_many_times(processes):
    first, second = (processes.run(os.getpid, memory=MEGABYTE) for _ in range(2))
    assert first == second != os.getpid()
    assert processes.run(divmod, 7, 2, memory=MEGABYTE) == (3, 1)


def test_what_a_function_raises_is_raised_here_and_costs_no_process(processes):
    before = processes.run(os.getpid, memory=MEGABYTE)
    with pytest.raises(ZeroDivisionError):
        processes.run(divmod, 1, 0, memory=MEGABYTE)
    assert processes.run(os.getpid, memory=MEGABYTE) == before


def test_what_takes_too_long_is_ended_and_replaced():
    processes = KillableProcesses(deadline_s=1, module="lacuna.errors")
    processes.start(1)
    with pytest.raises(TimeoutError, match="not done within 1 s"):
        processes.run(time.sleep, 3600, memory=MEGABYTE)
    assert processes.run(divmod, 7, 2, memory=MEGABYTE) == (3, 1)
    processes.close()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone")
def test_memory_beyond_the_limit_is_refused_and_the_limit_is_that_of_one_call(processes):
    with pytest.raises(MemoryError):
        processes.run(bytes, 60 * MEGABYTE, memory=50 * MEGABYTE)
    assert len(processes.run(bytes, 60 * MEGABYTE, memory=200 * MEGABYTE)) == 60 * MEGABYTE


def test_a_process_that_dies_by_itself_is_told_and_replaced(processes):
    with pytest.raises(ChildProcessError, match="exit code 7"):
        processes.run(os._exit, 7, memory=MEGABYTE)
    assert processes.run(divmod, 7, 2, memory=MEGABYTE) == (3, 1)


def test_a_process_that_the_system_ended_while_it_was_idle_costs_no_call(processes):
    pid = processes.run(os.getpid, memory=MEGABYTE)
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert processes.run(divmod, 7, 2, memory=MEGABYTE) == (3, 1)


def test_what_a_function_prints_is_no_answer(processes):
    assert processes.run(os.write, 1, b"printed by a library\n", memory=MEGABYTE) == 21


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_to_end_is_the_program_that_asks(processes, number):
    """A terminal and systemd send their signals to all processes of a service."""
    before = processes.run(os.getpid, memory=MEGABYTE)
    processes.run(signal.raise_signal, number, memory=MEGABYTE)
    assert processes.run(os.getpid, memory=MEGABYTE) == before


def test_closing_ends_what_runs():
    processes = KillableProcesses(deadline_s=60, module="lacuna.errors")
    pid = processes.run(os.getpid, memory=MEGABYTE)
    raised = []

    def wait() -> None:
        try:
            processes.run(time.sleep, 3600, memory=MEGABYTE)
        except ChildProcessError as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    while not processes._busy:
        time.sleep(0.01)
    processes.close()
    thread.join(30)
    assert len(raised) == 1
    assert not is_alive(pid)
    with pytest.raises(ChildProcessError, match="closed"):
        processes.run(os.getpid, memory=MEGABYTE)


SCRIPT = """
import os
from lacuna.io.killable import KillableProcesses
processes = KillableProcesses(deadline_s=60, module="lacuna.errors")
print(processes.run(os.getpid, memory=10**6), flush=True)
input()
"""


@pytest.mark.parametrize("how", ["killed", "ended"])
def test_a_script_without_a_main_guard_may_use_them_and_they_end_with_it(how):
    script = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    pid = int(script.stdout.readline())
    assert is_alive(pid)
    if how == "killed":
        script.send_signal(signal.SIGKILL)
    script.communicate(b"\n")
    for _ in range(3000):
        if not is_alive(pid):
            break
        time.sleep(0.01)
    assert not is_alive(pid)
