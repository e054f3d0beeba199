"""Digests of files that need not be read again."""

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lacuna.io.file_digests import SETTLED_NS, open_digests, stamp_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file whose content changed some time ago."""
    path = tmp_path / "a.png"
    path.write_bytes(b"content")
    settle(path)
    return path


def settle(path: Path) -> None:
    before = time.time_ns() - 2 * SETTLED_NS
    os.utime(path, ns=(before, before))


def remembered(memory: Path, file: Path) -> str | None:
    with open_digests(memory) as known:
        return known.find(stamp_of(file))


def remember(memory: Path, file: Path, digest: str = "ab12") -> None:
    with open_digests(memory) as known:
        known.remember(stamp_of(file), digest)


def test_a_file_is_known_by_its_state_under_any_name(tmp_path: Path, file: Path) -> None:
    memory = tmp_path / "below" / "digests.sqlite"
    assert remembered(memory, file) is None
    remember(memory, file)
    assert remembered(memory, file) == "ab12"
    file.rename(tmp_path / "b.png")
    assert remembered(memory, tmp_path / "b.png") in ("ab12", None)  # some file systems count a new name as a change


@pytest.mark.parametrize("change", ["longer", "as long", "as long, its time set back"])
def test_a_changed_file_is_read_again(tmp_path: Path, file: Path, change: str) -> None:
    memory, before = tmp_path / "digests.sqlite", file.stat()
    remember(memory, file)
    time.sleep(0.02)  # longer than the clock of the file system ticks
    file.write_bytes(b"longer content" if change == "longer" else b"CONTENT")
    if "back" in change:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert remembered(memory, file) is None


def test_a_file_that_was_changed_a_moment_ago_is_not_remembered(tmp_path: Path, file: Path) -> None:
    file.write_bytes(b"just now")
    remember(tmp_path / "digests.sqlite", file)
    assert remembered(tmp_path / "digests.sqlite", file) is None


def overwrite(memory: Path) -> None:
    memory.write_bytes(b"no database" * 1000)


def damage_pages(memory: Path) -> None:
    with memory.open("r+b") as database:
        database.seek(4096)
        database.write(b"\x99" * (memory.stat().st_size - 4096))


def put_another_table(memory: Path) -> None:
    memory.unlink()
    with sqlite3.connect(memory) as database:
        database.execute("CREATE TABLE digests (something)")
    database.close()


@pytest.mark.parametrize("damage", [overwrite, damage_pages, put_another_table])
def test_a_damaged_memory_is_begun_anew(tmp_path: Path, file: Path, damage: Callable[[Path], None]) -> None:
    memory = tmp_path / "digests.sqlite"
    remember(memory, file)
    damage(memory)
    assert remembered(memory, file) is None
    remember(memory, file)
    assert remembered(memory, file) == "ab12"


def test_what_cannot_be_noted_now_is_forgiven_and_nothing_is_removed(tmp_path: Path, file: Path) -> None:
    memory = tmp_path / "digests.sqlite"
    remember(memory, file)
    with open_digests(memory) as known:
        known._database.execute("PRAGMA max_page_count = 1")  # SQLite's own "database or disk is full"
        for number in range(2000):
            known.remember((f"{number}", 1, 1, 1), "ab12" * 16)
    assert not known.damaged
    assert remembered(memory, file) == "ab12"


def test_an_error_keeps_nothing(tmp_path: Path, file: Path) -> None:
    memory = tmp_path / "digests.sqlite"
    with pytest.raises(RuntimeError), open_digests(memory) as known:  # noqa: PT012
        known.remember(stamp_of(file), "ab12")
        raise RuntimeError
    assert remembered(memory, file) is None
