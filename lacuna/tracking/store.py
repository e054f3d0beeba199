"""The project's own MLflow store: the database `mlflow.db` with the folder `mlruns` beside it.

MLflow keeps absolute addresses of files in its database. After a project was moved or copied they name the old place,
where MLflow would go on writing; `follow_project` makes them name the new one. `track` calls it, and `make`:

    python -m lacuna.tracking.store
"""

import contextlib
import errno
import os
import shutil
import sqlite3
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from filelock import FileLock

from lacuna.errors import LacunaError

DATABASE, FILES = "mlflow.db", "mlruns"

ADDRESSES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}
"""The columns of MLflow's tables that hold addresses of files."""

HINTS = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space and run the stage again",
    sqlite3.SQLITE_IOERR: "the disk can't be written; is it full? Run the stage again when it is mended",
    sqlite3.SQLITE_READONLY: "the database or its folder is read-only",
    sqlite3.SQLITE_NOTADB: "not a database; move it away to start with an empty one",
}


def database_uri(path: Path) -> str:
    """The SQLAlchemy address of the SQLite file `path` (absolute), with `%`, `?`, `#` and the like quoted.

    It names the driver, because MLflow creates the folder of a plain `sqlite:///` address under its quoted name.
    """
    return f"sqlite+pysqlite:///{quote(path.as_posix())}"


def is_own_database(uri: str, root: Path) -> bool:
    """Whether MLFLOW_TRACKING_URI names the database of the project in `root`, as docs/deploy.md does for serving."""
    return uri.startswith("sqlite:///") and (root / uri.removeprefix("sqlite:///")).resolve() == root / DATABASE


def store_lock(root: Path) -> FileLock:
    """A lock for writing to the store. Without it, processes that find no database would race to create its tables."""
    return FileLock(root / f"{DATABASE}.lock")


def local_path(address: str) -> Path | None:
    """The path that `address` stands for: a `file:` address or a path. None for addresses of other machines."""
    parts = urlsplit(address)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return Path(address) if address.startswith("/") else None


def follow_project(root: Path) -> list[str]:
    """After the project was moved or copied to `root`, make the addresses in its store name files below `root`.

    The addresses of experiments always change, so that nothing is written elsewhere. The address of a run or a model
    stays while its files are in the old place and not in the new one. Returns a line to print for each former place.
    The caller holds `store_lock`. Raises LacunaError when SQLite fails.
    """
    if not (root / DATABASE).exists():
        return []
    try:
        with contextlib.closing(sqlite3.connect(root / DATABASE)) as database, database:
            return [_follow(database, place, root / FILES) for place in sorted(_former_places(database, root / FILES))]
    except sqlite3.Error as error:
        raise LacunaError(f"{root / DATABASE}: {database_error(error)}") from None


def database_error(error: BaseException) -> str | None:
    """The message of the SQLite error that caused `error`, without the SQL that MLflow adds; None when none did."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, sqlite3.Error):
        cause = cause.__cause__ or cause.__context__
    return None if cause is None else HINTS.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF, str(cause))


def check_disk_space(root: Path, n_bytes: int) -> None:
    """Raise OSError unless `n_bytes` of files and some for the database fit on the disk.

    On a full disk MLflow could not even note that a run has failed.
    """
    place = root / FILES if (root / FILES).exists() else root
    if shutil.disk_usage(place).free < n_bytes + 4 * 2**20:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place))


def _former_places(database: sqlite3.Connection, here: Path) -> set[Path]:
    """Other folders named like `here` that are the whole address of an experiment, as `log_run` creates them."""
    if not _columns(database, "experiments"):
        return set()
    stored = database.execute("SELECT artifact_location FROM experiments").fetchall()
    paths = {local_path(address) for (address,) in stored if address}
    return {path for path in paths if path is not None and path.name == here.name and path != here}


def _follow(database: sqlite3.Connection, there: Path, here: Path) -> str:
    for table, columns in ADDRESSES.items():
        for column in _columns(database, table).intersection(columns):
            for row, address in database.execute(f"SELECT rowid, {column} FROM {table}").fetchall():
                old = local_path(address) if address else None
                if old is None or not old.is_relative_to(there):
                    continue
                new = here / old.relative_to(there)
                if table == "experiments" or new.exists() or not old.exists():
                    written = new.as_uri() if address.startswith("file:") else str(new)
                    database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (written, row))
    return f"MLflow kept this project's files in {there}; they are now looked for and written in {here}"


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    return {name for (name,) in database.execute("SELECT name FROM pragma_table_info(?)", (table,))}


def main(root: Path) -> None:
    if not (root / DATABASE).exists():
        return
    try:
        with store_lock(root):
            for line in follow_project(root):
                print(line)
    except LacunaError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main(Path.cwd())
