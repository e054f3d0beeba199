"""Working images, each decoded once, in shards that are kept.

What a shard holds depends on the content of its images and on the form that they are brought to. Names come to it
here: a renamed image is not decoded again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL
from numpy.typing import NDArray

from lacuna.core.working_image import Origin
from lacuna.data.images.cuts import cut_names
from lacuna.data.images.headers import TooSlowError, UnreadableImageError
from lacuna.data.images.readers import ImageReader, Picture, WorkingForm
from lacuna.execution.executor import LOCAL, Executor
from lacuna.io.atomic import create_array
from lacuna.io.file_digests import digests_in, open_digests
from lacuna.io.progress import progress
from lacuna.io.recipe import digest_recipe
from lacuna.io.shard_cache import Entry, Note, ShardCache
from lacuna.io.sharded_array import shard_name

CODE_OF_A_WORKING_IMAGE = (
    "core/working_image.py",
    "data/images/decode.py",
    "data/images/decoders.py",
    "data/images/formats.py",
    "data/images/headers.py",
)
"""The modules that say what a working image is like, and which images have none."""

PIXELS_FILE = "pixels.npy"


@dataclass(frozen=True)
class ShardOfImages:
    """A piece of work: the images of these names, to be put into the file `target`."""

    names: tuple[str, ...]
    target: Path


class Became(NamedTuple):
    """What became of an image: a row, or a reason.

    `sha256`: of the file's content. `value_bits`: of a grey image with 16 bits per pixel, how many of these its values
    use (`Decoded`); 0 of others.
    """

    name: str
    origin: Origin | None
    sha256: str
    value_bits: int
    reason: str


@dataclass
class Stored:
    """What became of the images.

    `accepted`: names in the order of their rows, with what they were made from; `sha256`: the hashes of these files'
    content. `rejected`: names with the reason.
    `value_bits`: of grey images with 16 bits per pixel, the names by how many of these their values use (`Decoded`).
    """

    accepted: dict[str, Origin] = field(default_factory=dict)
    sha256: list[str] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    value_bits: dict[int, list[str]] = field(default_factory=dict)

    def add(self, images: Iterable[Became]) -> None:
        for image in images:
            if image.origin is None:
                self.rejected.append((image.name, image.reason))
            else:
                self.accepted[image.name] = image.origin
                self.sha256.append(image.sha256)
                if image.value_bits:
                    self.value_bits.setdefault(image.value_bits, []).append(image.name)


@dataclass(frozen=True)
class ImageTask:
    """Makes the file of a shard, from what is kept as far as it goes; returns what became of each image, in order.

    digests: the file that remembers those of files. Raises LacunaError when a file changes meanwhile.
    """

    reader: ImageReader
    form: WorkingForm
    cache: ShardCache
    digests: Path

    def __call__(self, shard: ShardOfImages) -> list[Became]:
        with open_digests(self.digests) as known:
            found = dict(zip(shard.names, self.reader.digests(shard.names, known), strict=True))
        readable = {name: digest for name, digest in found.items() if isinstance(digest, str)}
        rows = list(readable.values())
        key = digest_recipe((), *rows)
        entry = self.cache.find(key) or self.cache.keep(key, rows, lambda folder: self._write(folder, readable))
        entry.link(PIXELS_FILE, shard.target)
        if any("late" in note for note in entry.notes):  # a quieter machine may have time for it
            self.cache.forget(entry)
        notes = dict(zip(readable, entry.notes, strict=True))
        return [
            _as_noted(name, notes[name]) if name in notes else Became(name, None, "", 0, str(found[name]))
            for name in found
        ]

    def _write(self, folder: Path, digests: Mapping[str, str]) -> list[Note]:
        """Write the pixels of the images that can be used; return what became of each."""
        cache, size = self.cache, self.form.size
        former = {name: place for name, digest in digests.items() if (place := cache.place(digest)) is not None}
        new = {name: digest for name, digest in digests.items() if name not in former}
        pictures = self.reader.pictures(new, self.form)
        path = folder / PIXELS_FILE
        images = create_array(path, (len(digests), size, size, 3), np.uint8)
        notes: list[Note] = []
        n_rows = 0
        for name in digests:
            pixels, note = _take(cache, *former[name]) if name in former else _note(next(pictures))
            if pixels is not None:
                images[n_rows] = pixels
                n_rows += 1
                note = note | {"row": n_rows - 1}
            notes.append(note)
        images.flush()
        del images
        _keep_first_rows(path, n_rows)
        return notes


def write_images(
    reader: ImageReader, names: Sequence[str], form: WorkingForm, folder: Path, kept: Path, executor: Executor = LOCAL
) -> Stored:
    """Write the working images of one or more names into shards in `folder`, uint8 `(n_accepted, size, size, 3)`.

    kept: where shards and digests of files are kept; what is there is not made again. executor: what makes them. The
    same bytes whatever is there, by whatever it is done.
    """
    places = cut_names(names)
    work = [
        ShardOfImages(tuple(names[place]), folder / shard_name(number, len(places)))
        for number, place in enumerate(places)
    ]
    cache = ShardCache(
        kept / "images", digest_recipe(CODE_OF_A_WORKING_IMAGE, PIL.__version__, version("pi-heif"), repr(form))
    )
    task = ImageTask(reader, form, cache, digests_in(kept, on_one_machine=executor.on_one_machine))
    stored = Stored()
    for became in progress(executor.map(task, work), total=len(names), what="decode", unit="images", size=len):
        stored.add(became)
    return stored


def _take(cache: ShardCache, entry: Entry, at: int) -> tuple[NDArray[np.uint8] | None, dict[str, Any]]:
    """The pixels of an entry's image, None of a rejected one, and what was noted of it."""
    note = dict(entry.notes[at])
    return (cache.read(entry, PIXELS_FILE)[note["row"]] if "row" in note else None), note


def _note(picture: Picture) -> tuple[NDArray[np.uint8] | None, dict[str, Any]]:
    if isinstance(picture, UnreadableImageError):
        return None, {"reason": str(picture)} | ({"late": True} if isinstance(picture, TooSlowError) else {})
    return picture.pixels, {"origin": picture.origin, "sha256": picture.sha256, "value_bits": picture.value_bits}


def _as_noted(name: str, note: Note) -> Became:
    if "reason" in note:
        return Became(name, None, "", 0, note["reason"])
    return Became(name, Origin(*note["origin"]), note["sha256"], note["value_bits"], "")


def _keep_first_rows(path: Path, n_rows: int) -> None:
    """Cut an array file down to its first rows, in place."""
    array = np.load(path, mmap_mode="r")
    shape, dtype, start = (n_rows, *array.shape[1:]), array.dtype, array.offset
    n_bytes = array[:1].nbytes * n_rows
    del array
    with open(path, "r+b") as file:
        # The header keeps its length: numpy pads it so that the first axis may change.
        np.lib.format.write_array_header_1_0(
            file, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        )
        if file.tell() != start:
            raise AssertionError(f"{path}: header of {file.tell()} bytes, expected {start}")
        file.truncate(start + n_bytes)
