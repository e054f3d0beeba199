"""Images in a bucket, below a URL such as s3://bucket/folder: which there are, and reading them."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import PurePosixPath
from typing import TypeVar

from lacuna.data.images.decoders import decoders
from lacuna.data.images.find import are_images
from lacuna.data.images.formats import CAMERA_RAW
from lacuna.data.images.headers import UnreadableImageError
from lacuna.data.images.readers import Picture, WorkingForm, read_unknown
from lacuna.errors import LacunaError
from lacuna.io.file_digests import FileDigests, Stamp
from lacuna.io.remote_files import files_below, place_in, read_beginning, state_of

MAX_OBJECT_BYTES = 100_000_000
"""A larger one is no photograph."""

REQUESTS_AT_ONCE, OBJECTS_AT_ONCE = 16, 64

OfObject = TypeVar("OfObject")


def find_in_bucket(folder: str) -> tuple[list[str], list[str]]:
    """The names of the images below a URL, and those of the other files, as `find_files` tells them, in order.

    Raises LacunaError where there is nothing, or the bucket can't be read.
    """
    try:
        names = [name for name in files_below(folder) if not _is_in_hidden_folder(name)]
    except FileNotFoundError:
        raise LacunaError(f"{folder}: nothing is there; data.path must name the folder of the images") from None
    images: list[str] = []
    others: list[str] = []
    for _, inside in groupby(sorted(names, key=_folder_in), key=_folder_in):
        of_folder = list(inside)
        for name, is_image in zip(of_folder, are_images(of_folder), strict=True):
            (images if is_image else others).append(name)
    return sorted(images), sorted(others)


def _folder_in(name: str) -> str:
    return name.rpartition("/")[0]


def _is_in_hidden_folder(name: str) -> bool:
    return any(part.startswith(".") for part in _folder_in(name).split("/"))


@dataclass(frozen=True)
class BucketReader:
    """Image files by their names below a URL; a digest is the SHA-256 of the file's content.

    An object that is as it was, by its ETag, size and time of change, is not read again. One that is missing is an
    unreadable image; LacunaError says that the bucket can't be read.
    """

    folder: str

    def digests(self, names: Sequence[str], known: FileDigests) -> list[str | UnreadableImageError]:
        stamps = list(_with_requests(self._stamp, names))
        return read_unknown(names, stamps, known, partial(_with_requests, self._digest))

    def pictures(self, digests: Mapping[str, str], form: WorkingForm) -> Iterator[Picture]:
        def decode(name: str) -> Picture:
            place, content = place_in(self.folder, name), None
            with contextlib.suppress(UnreadableImageError):
                content = read_object(place)
            if content is None or hashlib.sha256(content).hexdigest() != digests[name]:
                raise LacunaError(f"{place}: the file changed while it was read; run `dvc repro` again")
            try:
                return decoders().decode(content, [form])[0]
            except UnreadableImageError as error:
                return error

        yield from _with_requests(decode, list(digests))

    def _stamp(self, name: str) -> Stamp | None:
        """None where the name alone is why the file is not read."""
        if _is_raw(name):
            return None
        try:
            state, size = state_of(place_in(self.folder, name))
        except FileNotFoundError:
            return None
        return state, size, 0, 0

    def _digest(self, name: str) -> str | UnreadableImageError:
        try:
            return hashlib.sha256(read_object(place_in(self.folder, name))).hexdigest()
        except UnreadableImageError as error:
            return error


def read_object(url: str) -> bytes:
    """The bytes of an image file in a bucket. Raises UnreadableImageError as `read_content` does for a local one, and
    when it has more than MAX_OBJECT_BYTES, LacunaError when the bucket can't be read.
    """
    if _is_raw(url):
        raise UnreadableImageError(f"{CAMERA_RAW.what}, which is not read: {CAMERA_RAW.advice}")
    try:
        content = read_beginning(url, MAX_OBJECT_BYTES + 1)
    except FileNotFoundError:
        raise UnreadableImageError("no such file") from None
    if len(content) > MAX_OBJECT_BYTES:
        raise UnreadableImageError(f"more than {MAX_OBJECT_BYTES} bytes")
    return content


def _is_raw(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in CAMERA_RAW.suffixes


def _with_requests(function: Callable[[str], OfObject], names: Sequence[str]) -> Iterator[OfObject]:
    """Yield what a function gives for each name, some at a time: most of it is waiting for answers."""
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        for start in range(0, len(names), OBJECTS_AT_ONCE):
            yield from pool.map(function, names[start : start + OBJECTS_AT_ONCE])
