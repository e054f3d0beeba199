"""Where images come from: a folder of image files, or the idx files of the MNIST family."""

import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from lacuna.config.data import Data
from lacuna.core.working_image import Resize
from lacuna.data.images.class_folders import find_places
from lacuna.data.images.decode import Decoded, UnreadableImageError, decode_with_origin, square_from_grey
from lacuna.data.images.find import describe_left_out, find_files
from lacuna.data.images.idx import SPLITS, find_parts, read_classes
from lacuna.errors import LacunaError

DECODED_AT_ONCE = 64

Picture = Decoded | UnreadableImageError
"""A working image, or why there is none."""


class ImageCollection(Protocol):
    """Named images, and the other files in their folder."""

    names: list[str]
    others: list[Path]

    def strata(self) -> list[str]:
        """What the place of each image says of its split and class, in words that are equal for equal ones."""

    def decode(self, names: Sequence[str], size: int, resize: Resize, max_pixels: int) -> Iterator[tuple[str, Picture]]:
        """Yield each of `names`, which are in the order of the collection, with its working image."""


def open_images(data: Data) -> ImageCollection:
    """The images at `data.path`. Raises LacunaError when there are none, or an idx file is not what it should be."""
    path = Path(data.path)
    return IdxImages(path) if data.source == "idx" else ImageFolder(path, in_class_folders=data.source == "folders")


class ImageFolder:
    """The image files in a folder and below, named by their path in it with forward slashes, in order of their names.

    Raises LacunaError when there is no such folder or no image in it.
    """

    def __init__(self, folder: Path, *, in_class_folders: bool) -> None:
        if not folder.is_dir():
            raise LacunaError(f"{folder}: no such folder; data.path must name the folder of the images")
        self.names, self.others = [], []
        for path, is_image in find_files(folder):
            if is_image:
                self.names.append(path.relative_to(folder).as_posix())
            else:
                self.others.append(path)
        if not self.names:
            found = [f"{len(self.others)} other files", *describe_left_out(self.others)]
            raise LacunaError(f"{folder}: no image in this folder (data.path), only {'; '.join(found)}")
        self.names.sort()
        self._folder = folder
        self._in_class_folders = in_class_folders

    def strata(self) -> list[str]:
        if not self._in_class_folders:
            return [""] * len(self.names)
        return ["/".join(place) for place in find_places(self.names)]

    def decode(self, names: Sequence[str], size: int, resize: Resize, max_pixels: int) -> Iterator[tuple[str, Picture]]:
        def read(name: str) -> Picture:
            path = self._folder / name
            try:
                name.encode()
                if path.exists() and not path.is_file():
                    return UnreadableImageError("not a regular file")
                return decode_with_origin(path, size=size, resize=resize, max_pixels=max_pixels)
            except UnicodeEncodeError:
                return UnreadableImageError("the file's name is not UTF-8")
            except UnreadableImageError as error:
                return error

        # Pillow decodes outside the interpreter's lock. Batches, because `map` takes all its input at once.
        with ThreadPoolExecutor(os.cpu_count()) as pool, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata name no file and change no pixel
            for start in range(0, len(names), DECODED_AT_ONCE):
                batch = names[start : start + DECODED_AT_ONCE]
                yield from zip(batch, pool.map(read, batch), strict=True)


class IdxImages:
    """The grey images of the idx files in a folder, named `train/00000`, ..., `t10k/00000`, ..."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts = find_parts(folder)
        self.names = [name for part in self._parts for name in part.image_names()]
        self.others: list[Path] = []

    def strata(self) -> list[str]:
        classes = read_classes(self._folder)
        return [f"{SPLITS[part.name]}/{label}" for part in self._parts for label in part.read_labels(classes)]

    def decode(self, names: Sequence[str], size: int, resize: Resize, max_pixels: int) -> Iterator[tuple[str, Picture]]:
        wanted = set(names)
        for part in self._parts:
            images = part.read_images()
            _, height, width = images.shape
            if height * width > max_pixels:
                raise LacunaError(
                    f"{part.images}: images of {height} x {width} pixels, at most data.max_pixels = {max_pixels} are "
                    "allowed"
                )
            for name, pixels in zip(part.image_names(), images, strict=True):
                if name in wanted:
                    yield name, square_from_grey(pixels, size=size, resize=resize)
