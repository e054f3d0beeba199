"""The folder that images are fetched into: what is there, where it came from, and what came in part."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lacuna.data.downloads.file_names import Destination
from lacuna.data.downloads.outcome import DownloadFailedError
from lacuna.data.images.find import find_files
from lacuna.data.labels.match_images import url_digest
from lacuna.errors import LacunaError
from lacuna.io.atomic import atomic_file, write_json

ORIGINS_FILE, PARTS_FOLDER, FETCH_LOCK = ".fetched.jsonl", ".fetching", ".fetching.partial.lock"
"""Hidden, so that they are no images and no label files. DVC leaves out what is partial, see .dvcignore."""


class PartialFile:
    """What of a download is there, and by what the server knows that version: an ETag or a date.

    It lies apart from whole images under a name of its URL, and is the start of that version in every moment.
    """

    def __init__(self, stem: Path) -> None:
        self.content, self._note = (stem.with_name(f"{stem.name}.partial.{suffix}") for suffix in ("bin", "json"))

    def resume(self) -> tuple[int, str]:
        """The bytes there and the version they are of; (0, "") where nothing can be gone on with."""
        try:
            version = json.loads(self._note.read_text(encoding="utf-8"))
            n_bytes = self.content.stat().st_size
        except (OSError, ValueError):
            return 0, ""
        return (n_bytes, version) if n_bytes and isinstance(version, str) and version else (0, "")

    def begin(self, version: str) -> None:
        """Forget what was there, and note the version of what comes."""
        self.discard()
        if version:
            write_json(self._note, version)

    def discard(self) -> None:
        self.content.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)


class FetchedFiles:
    """A folder, held by one process at a time. `names`: its images. `origins`: the URLs that they came from, by name,
    as far as they were fetched."""

    def __init__(self, folder: Path, origins: dict[str, str], journal: Any) -> None:
        self.folder, self.origins, self._journal = folder, origins, journal
        self.names = [path.relative_to(folder).as_posix() for path, is_image in find_files(folder) if is_image]

    @classmethod
    @contextlib.contextmanager
    def hold(cls, folder: Path) -> Iterator["FetchedFiles"]:
        """Make the folder if need be. Raises LacunaError when it is none, or when another process fetches into it."""
        if folder.exists() and not folder.is_dir():
            raise LacunaError(f"{folder}: a file, expected the folder for the images (--to)")
        (folder / PARTS_FOLDER).mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / FETCH_LOCK, timeout=0):
                origins = _read_origins(folder / ORIGINS_FILE)
                # Anew, so that a line that was cut off is mended and a link into DVC's cache is not written through.
                with atomic_file(folder / ORIGINS_FILE) as partial, open(partial, "w", encoding="utf-8") as file:
                    file.writelines(_line(name, url) for name, url in origins.items())
                with open(folder / ORIGINS_FILE, "a", encoding="utf-8") as journal:
                    yield cls(folder, origins, journal)
                with contextlib.suppress(OSError):
                    (folder / PARTS_FOLDER).rmdir()
        except Timeout:
            raise LacunaError(f"{folder}: another command fetches into this folder; wait for it, or stop it") from None

    def partial(self, url: str) -> PartialFile:
        return PartialFile(self.folder / PARTS_FOLDER / url_digest(url))

    def put(self, partial: PartialFile, destination: Destination, suffix: str) -> None:
        """Give a whole file its name. Raises DownloadFailedError where something else has it by now.

        Where it came from is noted before: a file that is there and not in the journal is never one of these.
        """
        name = destination.with_suffix(suffix)
        path = self.folder / name
        if path.exists():
            raise DownloadFailedError("a file of this name came into the folder meanwhile")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._journal.write(_line(name, destination.url))
        self._journal.flush()
        os.replace(partial.content, path)
        partial.discard()


def _line(name: str, url: str) -> str:
    return json.dumps({"image": name, "url": url}) + "\n"


def _read_origins(path: Path) -> dict[str, str]:
    """The URLs by the names of the images; lines that are cut off are left out."""
    origins = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                said = json.loads(line)
                origins[str(said["image"])] = str(said["url"])
    return origins
