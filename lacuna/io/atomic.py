"""Outputs that are either whole or absent: write beside, then rename."""

import contextlib
import errno
import hashlib
import io
import json
import math
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lacuna.errors import LacunaError


@contextlib.contextmanager
def atomic_folder(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Yield an empty folder beside `path` that takes its place when the block ends without an error.

    Whatever stood at `path` is replaced; after an error it still stands, and nothing is left beside it. Two processes
    never write into the same folder. Raises OSError when the folder was deleted meanwhile, or, not to `replace`, when
    there is something at `path` in the end.
    """
    partial, before = _beside(path, "partial"), _beside(path, "before.partial")
    partial.mkdir(parents=True)
    try:
        with _held(partial) as is_the_same:
            yield partial
            if not is_the_same():  # but made anew by a writer, and what was written before is lost
                raise FileNotFoundError(errno.ENOENT, "deleted by another program while it was written", str(path))
        if replace and path.exists():
            path.rename(before)
        try:
            partial.rename(path)
        except OSError:
            if before.exists() and not path.exists():
                before.rename(path)
            raise
    finally:
        shutil.rmtree(before, ignore_errors=True)
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes `path`'s place when the block ends without an error.

    The suffix is kept (`weights.4242.partial.h5`), because many writers choose the format by it. Two processes never
    write to the same file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _beside(path, "partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether `folder` is still the one that it is now.

    It is held open, or the file system would give the number of a deleted folder to the next one.
    """
    if os.name == "nt":  # folders can't be held open; one that is written to can't be deleted either
        yield folder.exists
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield lambda: folder.exists() and os.path.samestat(folder.stat(), os.fstat(handle))
    finally:
        os.close(handle)


def _beside(path: Path, mark: str) -> Path:
    """A path beside `path` that belongs to this process; what processes that are dead left there is removed.

    Of them is one of this process's own number: a container that starts again counts its processes anew.
    `net.h5` becomes `net.4242.partial.h5`, the folder `features` becomes `features.4242.partial`.
    """
    stem, *suffixes = path.name.split(".", 1)
    named = re.compile(re.escape(stem) + r"\.(\d+)\." + re.escape(".".join([mark, *suffixes])))
    for found in path.parent.iterdir() if path.parent.is_dir() else ():
        owner = named.fullmatch(found.name)
        if owner and (int(owner[1]) == os.getpid() or not _is_alive(int(owner[1]))):
            with contextlib.suppress(OSError):
                shutil.rmtree(found) if found.is_dir() else found.unlink()
    return path.with_name(".".join([stem, str(os.getpid()), mark, *suffixes]))


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # where signal 0 ends the process
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON. NaN and infinity raise ValueError: no reader agrees on them."""
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays by name as an uncompressed `.npz`; the same arrays give the same bytes.

    `np.savez` leaves the head of each entry to Python, and Python 3.11.4 writes another one than 3.11.2.
    """
    with atomic_file(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, on Windows too
            entry.external_attr = 0o600 << 16
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(array), allow_pickle=False)
            archive.writestr(entry, content.getbuffer())


def reserve(folder: Path, n_bytes: int) -> None:
    """Raise OSError when `folder` cannot hold `n_bytes` more.

    For writers in C that answer a full disk with a crash instead of an exception.
    """
    scratch = folder / f"reserve.{os.getpid()}.partial.bin"
    try:
        with scratch.open("wb") as file:
            if hasattr(os, "posix_fallocate") and n_bytes:
                os.posix_fallocate(file.fileno(), 0, n_bytes)
    finally:
        scratch.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def create_array(path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> np.memmap[Any, Any]:
    """Return a writable memory map of a new `.npy` file, its space on disk reserved.

    Without the reservation the file would be sparse, and a full disk would kill the process with SIGBUS
    in the middle of a write instead of raising OSError here.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    if hasattr(os, "posix_fallocate") and n_bytes:  # not on macOS, where files on APFS are sparse anyway
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, array.offset + n_bytes)
    return array


def load_arrays(path: Path, max_bytes: int) -> dict[str, NDArray[Any]]:
    """Read all arrays that `save_arrays` wrote. Raises LacunaError when the file is missing, larger than `max_bytes`
    once unpacked, or something else: pickled objects are not read.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            n_bytes = sum(entry.file_size for entry in archive.infolist())
            if n_bytes > max_bytes:
                raise LacunaError(f"{path}: expected at most {max_bytes} bytes of arrays, received {n_bytes}")
            file.seek(0)
            with np.load(file, allow_pickle=False) as content:
                return {name: content[name] for name in content.files}
    except FileNotFoundError:
        raise LacunaError(f"{path}: no such file") from None
    except (ValueError, KeyError, EOFError, MemoryError, NotImplementedError, zipfile.BadZipFile) as error:
        raise LacunaError(f"{path}: not a whole file of arrays ({error})") from None
