"""Shards that were computed once and are kept, outside of the outs that DVC deletes: `runs/cache/KIND/RECIPE/KEY/`.

An entry is a folder with `.npy` files and a receipt: what each row was made from, as a key, and what was noted of it.
It is written beside and renamed, so that it is whole or absent, and a killed stage goes on with the next one. Outs are
hard links to its files, or copies where a link is not possible.

A row depends on its key and the recipe alone. So a shard that holds one row more takes all others from former entries.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.io.atomic import atomic_folder, write_json

RECEIPT_FILE, DIGEST = "receipt.json", "digest"
READ_ONLY = 0o444

Note = Mapping[str, Any]
"""What a receipt says of a row, in values of JSON."""


@dataclass(frozen=True)
class Entry:
    """A kept shard. `rows`: the key of each row; `notes`: what was noted of each, none where there is nothing to."""

    folder: Path
    rows: Sequence[str]
    notes: Sequence[Note]

    def link(self, file: str, target: Path) -> None:
        """Put a file of the entry at `target`: the same file where the file system allows that.

        What is there already was put there by one who did the same, and was lost before it could tell.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            os.link(self.folder / file, target)
        except FileNotFoundError:
            raise
        except OSError:  # another file system, or one without links, or too many of them
            shutil.copyfile(self.folder / file, target)


class ShardCache:
    """The entries of one recipe. What shapes a row beyond its own key belongs into the recipe."""

    def __init__(self, folder: Path, recipe: str) -> None:
        """folder: of all entries of a kind. recipe: a name, as `lacuna.io.recipe.digest_recipe` gives; so are keys."""
        self._folder = folder / recipe
        self._places: dict[str, tuple[Entry, int]] | None = None
        self._opened: dict[Path, NDArray[Any]] = {}

    def find(self, key: str) -> Entry | None:
        """The entry of this key, or None when there is none that is as it was written.

        Files are known by size and time of change: an out is the same file, and someone may have written to it.
        """
        entry = _read_entry(self._folder / key)
        if entry is not None:
            with contextlib.suppress(OSError):  # a disk that cannot be written to
                os.utime(entry.folder / RECEIPT_FILE)  # when it was used last
        return entry

    def place(self, row: str) -> tuple[Entry, int] | None:
        """An entry that has the row, and where among its rows it stands; None when it must be computed."""
        if self._places is None:
            folders = sorted(self._folder.iterdir()) if self._folder.is_dir() else []
            whole = [folder for folder in folders if "." not in folder.name]  # not one that is being written beside
            entries = [entry for folder in whole if (entry := _read_entry(folder)) is not None]
            self._places = {key: (entry, at) for entry in entries for at, key in enumerate(entry.rows)}
        return self._places.get(row)

    def read(self, entry: Entry, file: str) -> NDArray[Any]:
        """An array of an entry, memory-mapped, and opened once."""
        path = entry.folder / file
        if path not in self._opened:
            self._opened[path] = np.asarray(np.load(path, mmap_mode="r"))
        return self._opened[path]

    def keep(self, key: str, rows: Sequence[str], write: Callable[[Path], Sequence[Note]]) -> Entry:
        """Make the entry `key` of these rows: `write` puts `.npy` files into a folder, and returns its notes on each
        row, if any. Raises what `write` raises; nothing is kept then.
        """
        target = self._folder / key
        if _read_entry(target) is None:
            shutil.rmtree(target, ignore_errors=True)  # of a damaged one
        try:
            with atomic_folder(target, replace=False) as folder:  # others may be linking from one that is there
                notes = write(folder)
                files = {}
                for path in sorted(folder.iterdir()):
                    path.chmod(READ_ONLY)
                    files[path.name] = _state(path)
                receipt = {"files": files, "rows": list(rows), "notes": list(notes)}
                write_json(folder / RECEIPT_FILE, {**receipt, DIGEST: _digest(receipt)})
            entry = Entry(target, rows, notes)
        except OSError:
            kept = _read_entry(target)
            if kept is None:
                raise
            entry = kept  # another process has put the same there in this moment
        if self._places is not None:
            self._places |= {key: (entry, at) for at, key in enumerate(rows)}
        return entry

    def forget(self, entry: Entry) -> None:
        """Do not keep an entry: its rows are to be made again. Outs that are linked to it stay."""
        shutil.rmtree(entry.folder, ignore_errors=True)
        self._places = None


def _digest(receipt: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(receipt).encode()).hexdigest()


def _state(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def _read_entry(folder: Path) -> Entry | None:
    try:
        receipt = json.loads((folder / RECEIPT_FILE).read_bytes())
        is_whole = receipt.pop(DIGEST) == _digest(receipt)
        is_whole &= all(_state(folder / name) == state for name, state in receipt["files"].items())
        return Entry(folder, receipt["rows"], receipt["notes"]) if is_whole else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
