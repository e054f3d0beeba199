"""Image files below one folder, by paths that strangers send: nothing else of the disk can be reached by them."""

import os
import stat
from pathlib import Path, PurePosixPath

from lacuna.errors import LacunaError
from lacuna.serving import refusals

WITHOUT_LINKS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class LocalFolder:
    """A folder that files are read from. Raises LacunaError when it is none."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise LacunaError(f"{folder}: no such folder; --label-studio-files must name Label Studio's document root")
        self._root = folder.resolve()

    def read(self, path: str, max_bytes: int) -> bytes:
        """The content of the file at `path`, relative to the folder.

        Links are followed as long as they stay in the folder. Raises RefusedError, the same whatever lies there, for a
        path that leads out of it or to no regular file, and another one for a file of more than `max_bytes`.
        """
        wanted = PurePosixPath(path)
        try:
            if wanted.is_absolute() or ".." in wanted.parts:
                raise ValueError
            inside = (self._root / wanted).resolve(strict=True).relative_to(self._root)
            with open(self._open(inside), "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise ValueError
                content = file.read(max_bytes + 1) if status.st_size <= max_bytes else None
        except (OSError, ValueError, RuntimeError):  # the last one for links in a circle
            raise refusals.no_local_file(path) from None
        if content is None or len(content) > max_bytes:
            raise refusals.upload_too_large(max_bytes)
        return content

    def _open(self, inside: Path) -> int:
        """Open a path without links folder by folder, so that one that becomes a link meanwhile leads nowhere."""
        *folders, name = inside.parts
        here = os.open(self._root, WITHOUT_LINKS | os.O_DIRECTORY)
        try:
            for folder in folders:
                inner = os.open(folder, WITHOUT_LINKS | os.O_DIRECTORY, dir_fd=here)
                os.close(here)
                here = inner
            return os.open(name, WITHOUT_LINKS | os.O_NONBLOCK, dir_fd=here)  # a pipe must not keep anyone waiting
        finally:
            os.close(here)
