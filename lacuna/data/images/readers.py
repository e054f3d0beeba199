"""Reading images of a collection: what tells the content of each, and its working image."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from lacuna.core.working_image import Resize
from lacuna.data.images.decode import Decoded, read_content, square_from_grey
from lacuna.data.images.decoders import decoders
from lacuna.data.images.formats import CAMERA_RAW
from lacuna.data.images.headers import UnreadableImageError
from lacuna.data.images.idx import IdxPart
from lacuna.errors import LacunaError
from lacuna.io.cores import n_cores
from lacuna.io.file_digests import FileDigests, Stamp, stamp_of

FILES_AT_ONCE = 64

Picture = Decoded | UnreadableImageError
"""A working image, or why there is none."""

Found = TypeVar("Found")


class WorkingForm(NamedTuple):
    """What a working image is to be like: the parameters of `decode`."""

    size: int
    resize: Resize
    max_pixels: int


class ImageReader(Protocol):
    """Reads images by their names in a collection. A plain value, so that it may go to another process."""

    def digests(self, names: Sequence[str], known: FileDigests) -> list[str | UnreadableImageError]:
        """What tells the content of each image from any other, or why it cannot be read.

        known: digests of files that need not be read again; those that are, are added.
        """

    def pictures(self, digests: Mapping[str, str], form: WorkingForm) -> Iterator[Picture]:
        """Yield the working image of each name. It depends on the content alone.

        Raises LacunaError when the content is another one than `digests` says.
        """


@dataclass(frozen=True)
class FolderReader:
    """Image files by their paths in `folder`; a digest is the SHA-256 of the file's content."""

    folder: Path

    def digests(self, names: Sequence[str], known: FileDigests) -> list[str | UnreadableImageError]:
        stamps = [self._stamp(name) for name in names]
        return read_unknown(names, stamps, known, partial(_in_threads, self._digest))

    def pictures(self, digests: Mapping[str, str], form: WorkingForm) -> Iterator[Picture]:
        def decode(name: str) -> Picture:
            picture: Picture
            try:
                content = self._read(name)
                digest = hashlib.sha256(content).hexdigest()
            except UnreadableImageError as error:
                digest = str(error)
            if digest != digests[name]:
                raise LacunaError(f"{self.folder / name}: the file changed while it was read; run `dvc repro` again")
            try:
                (picture,) = decoders().decode(content, [form])
            except UnreadableImageError as error:
                picture = error
            return picture

        yield from _in_threads(decode, list(digests))

    def _stamp(self, name: str) -> Stamp | None:
        """None where the name alone may be why the file is not read: another name of the same file would not be."""
        path = self.folder / name
        try:
            name.encode()
            return None if path.suffix.lower() in CAMERA_RAW.suffixes else stamp_of(path)
        except (OSError, ValueError):
            return None

    def _digest(self, name: str) -> str | UnreadableImageError:
        try:
            return hashlib.sha256(self._read(name)).hexdigest()
        except UnreadableImageError as error:
            return error

    def _read(self, name: str) -> bytes:
        path = self.folder / name
        try:
            name.encode()
        except UnicodeEncodeError:
            raise UnreadableImageError("the file's name is not UTF-8") from None
        if path.exists() and not path.is_file():
            raise UnreadableImageError("not a regular file")
        return read_content(path)


@dataclass(frozen=True)
class IdxReader:
    """The grey images of idx files, by part and number; a digest is the SHA-256 of the pixels, with their shape."""

    parts: tuple[IdxPart, ...]

    def digests(self, names: Sequence[str], known: FileDigests) -> list[str | UnreadableImageError]:
        return [_digest_grey(self._pixels(name)) for name in names]

    def pictures(self, digests: Mapping[str, str], form: WorkingForm) -> Iterator[Picture]:
        for name in digests:
            pixels = self._pixels(name)
            height, width = pixels.shape
            if height * width > form.max_pixels:
                raise LacunaError(
                    f"{self._part(name).images}: images of {height} x {width} pixels, at most data.max_pixels = "
                    f"{form.max_pixels} are allowed"
                )
            yield square_from_grey(pixels, size=form.size, resize=form.resize)

    def _part(self, name: str) -> IdxPart:
        return next(part for part in self.parts if part.name == name.partition("/")[0])

    def _pixels(self, name: str) -> NDArray[np.uint8]:
        part = self._part(name)
        pixels: NDArray[np.uint8] = _read_part(part, stamp_of(part.images))[int(name.partition("/")[2])]
        return pixels


@lru_cache(maxsize=1)  # names come part by part
def _read_part(part: IdxPart, _: Stamp) -> NDArray[np.uint8]:
    return part.read_images()


def _digest_grey(pixels: NDArray[np.uint8]) -> str:
    return f"{hashlib.sha256(pixels.tobytes()).hexdigest()} {pixels.shape}"


def read_unknown(
    names: Sequence[str],
    stamps: Sequence[Stamp | None],
    known: FileDigests,
    read: Callable[[Sequence[str]], Iterable[str | UnreadableImageError]],
) -> list[str | UnreadableImageError]:
    """The digest of each file, or why it has none: what is known of it in this state, else what `read` gives.

    stamps: the state of each, None where that is not to be remembered. known: what is read is added.
    """
    found = [stamp and known.find(stamp) for stamp in stamps]
    unknown = [at for at, digest in enumerate(found) if digest is None]
    fresh = dict(zip(unknown, read([names[at] for at in unknown]), strict=True))
    for at, digest in fresh.items():
        stamp = stamps[at]
        if stamp is not None and isinstance(digest, str):
            known.remember(stamp, digest)
    return [fresh[at] if digest is None else digest for at, digest in enumerate(found)]


def _in_threads(function: Callable[[str], Found], names: Sequence[str]) -> Iterator[Found]:
    """Yield what a function gives for each name; hashes and decoders work outside of the interpreter's lock."""
    with ThreadPoolExecutor(n_cores()) as pool:
        for start in range(0, len(names), FILES_AT_ONCE):  # `map` takes all its input at once
            yield from pool.map(function, names[start : start + FILES_AT_ONCE])
