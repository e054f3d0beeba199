"""How often a host is asked, on a clock that stands still between the waits."""

import pytest

from lacuna.data.downloads.host_pace import GIVE_UP_AFTER, HostPace
from lacuna.data.downloads.outcome import DownloadFailedError, StoppedError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.stopped = False

    def sleep(self, seconds: float) -> bool:
        self.now += seconds
        return self.stopped

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_host_is_asked_so_often_a_second_and_others_meanwhile(clock: Clock) -> None:
    pace = HostPace(4, clock.sleep, clock.time)
    asked = []
    for host in ("a", "a", "a", "b", "a"):
        pace.wait(host)
        asked.append(clock.now)
    assert asked == [100.0, 100.25, 100.5, 100.5, 100.75]


def test_a_host_that_is_busy_is_left_alone_as_long_as_it_asks(clock: Clock) -> None:
    pace = HostPace(4, clock.sleep, clock.time)
    pace.wait("a")
    pace.pause("a", 60)
    pace.pause("a", 5)
    pace.wait("b")
    assert clock.now == 100.0
    pace.wait("a")
    assert clock.now == 160.0


def test_waiting_ends_when_the_command_is_stopped(clock: Clock) -> None:
    clock.stopped = True
    with pytest.raises(StoppedError):
        HostPace(4, clock.sleep, clock.time).wait("a")


def test_a_host_is_given_up_after_files_in_a_row(clock: Clock) -> None:
    pace = HostPace(4, clock.sleep, clock.time)
    for answered in [False] * (GIVE_UP_AFTER - 1) + [True] + [False] * (GIVE_UP_AFTER - 1):
        pace.note("a", answered=answered)
    pace.wait("a")
    pace.note("a", answered=False)
    with pytest.raises(DownloadFailedError, match="given up"):
        pace.wait("a")
    pace.wait("b")
