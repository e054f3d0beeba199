"""The images that the page offers to try."""

import mimetypes
import os
import stat
from pathlib import Path

from lacuna.data.images.formats import IMAGE_SUFFIXES
from lacuna.errors import LacunaError
from lacuna.serving.local_folder import WITHOUT_LINKS

MOST_EXAMPLES = 12


def find_examples(folder: Path | None, max_bytes: int) -> dict[str, bytes]:
    """The contents of the images in `folder`, by name, the first MOST_EXAMPLES. They are read here, once: what is put
    at their places later is never shown. Links are left out, wherever they lead.

    Raises LacunaError when there is no image, and for one of more than `max_bytes`, which the service would not take.
    """
    if folder is None:
        return {}
    names = sorted(file.name for file in folder.glob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
    found: dict[str, bytes] = {}
    for name in names:
        content = _read(folder / name, max_bytes) if len(found) < MOST_EXAMPLES else None
        if content is not None:
            found[name] = content
    if not found:
        raise LacunaError(f"{folder}: expected a folder of images to offer as examples, found none")
    return found


def media_type(name: str) -> str:
    """What a browser is told that the image of this name is."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _read(path: Path, max_bytes: int) -> bytes | None:
    """The content of a file; None for a link, a pipe, and whatever else is no regular file."""
    try:
        handle = os.open(path, WITHOUT_LINKS | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink():
            return None
        raise LacunaError(f"{path}: {error.strerror}; make the example readable or take it out of the folder") from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        with open(handle, "rb", closefd=False) as file:
            content = file.read(max_bytes + 1)
    finally:
        os.close(handle)
    if len(content) > max_bytes:
        raise LacunaError(f"{path}: expected an example of at most {max_bytes:,} bytes; take a smaller image")
    return content
