"""The SHA-256 of files, remembered: a file that has not been touched since is not read again.

As git and DVC do it, a file is known by device, inode, size and the times of its last change of content and of state.
One whose content changed just before it was looked at is not remembered, because clocks of file systems are coarse:
a second change might leave the same time.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

SETTLED_NS = 2_000_000_000
"""So much older than now must the last change be: the coarsest clock of a file system, FAT's, counts two seconds."""

NOT_KEPT = Path(":memory:")
"""Instead of a file, for `open_digests`: what is noted there is forgotten with it."""

Stamp = tuple[str, int, int, int]
"""Device and inode, size in bytes, and the times of the last change of content and of state in nanoseconds."""

PASSING = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
)
"""Errors of the moment, or of the disk, and not of what is in the file."""

TABLE_COLUMNS = "file TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, ctime INTEGER, sha256 TEXT"


def stamp_of(path: Path) -> Stamp:
    """What tells the state of a file from any other without reading it. Raises OSError as `os.stat` does."""
    found = path.stat()
    return f"{found.st_dev}:{found.st_ino}", found.st_size, found.st_mtime_ns, found.st_ctime_ns


class FileDigests:
    """What is remembered in a file of SQLite's, which several processes may use at a time.

    Everything in it can be computed again. So where the file is damaged, locked for long or on a full disk, nothing is
    remembered; `damaged` tells the first of these.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database, self.damaged = database, False
        self._added: list[tuple[str, int, int, int, str]] = []
        with self._forgiven():
            database.execute(f"CREATE TABLE IF NOT EXISTS digests ({TABLE_COLUMNS}) WITHOUT ROWID")
            database.commit()

    def find(self, stamp: Stamp) -> str | None:
        """The digest of the file in this state, in hexadecimal digits, or None when it must be read."""
        query = "SELECT sha256 FROM digests WHERE file = ? AND size = ? AND mtime = ? AND ctime = ?"
        found = None
        with self._forgiven():
            found = self._database.execute(query, stamp).fetchone()
        return str(found[0]) if found else None

    def remember(self, stamp: Stamp, digest: str) -> None:
        """Note the digest of a file that was in this state before it was read."""
        if time.time_ns() - stamp[2] > SETTLED_NS:
            self._added.append((*stamp, digest))

    def save(self) -> None:
        """Keep what was noted."""
        with self._forgiven(), self._database:
            self._database.executemany("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?)", self._added)
        self._added.clear()

    def close(self) -> None:
        self._database.close()

    @contextlib.contextmanager
    def _forgiven(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            self.damaged |= getattr(error, "sqlite_errorcode", 0) & 0xFF not in PASSING  # without what extends the code


def digests_in(folder: Path, *, on_one_machine: bool) -> Path:
    """The file in a folder of what is kept, for `open_digests`. NOT_KEPT where several machines work in the folder.

    Locks of files do not hold between machines on every network's file system, nor do machines agree on a device's
    number: what one noted the others would not find.
    """
    return folder / "digests.sqlite" if on_one_machine else NOT_KEPT


@contextlib.contextmanager
def open_digests(path: Path) -> Iterator[FileDigests]:
    """Yield what is remembered in the file `path`; what was noted is kept when the block ends without an error.

    A damaged file, or one of something else, is removed in the end, to be begun anew.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    digests = FileDigests(sqlite3.connect(path, timeout=60))
    try:
        yield digests
        digests.save()
    finally:
        digests.close()
        if digests.damaged:
            path.unlink(missing_ok=True)
