"""Where images come from: a folder of image files, or the idx files of the MNIST family."""

from pathlib import Path
from typing import Protocol

from lacuna.config.data import Data
from lacuna.data.images.class_folders import find_places
from lacuna.data.images.find import describe_left_out, find_files
from lacuna.data.images.idx import SPLITS, find_parts, read_classes
from lacuna.data.images.readers import FolderReader, IdxReader, ImageReader
from lacuna.errors import LacunaError


class ImageCollection(Protocol):
    """Named images, what reads them, and the other files in their folder."""

    names: list[str]
    others: list[Path]
    reader: ImageReader

    def strata(self) -> list[str]:
        """What the place of each image says of its split and class, in words that are equal for equal ones."""


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
        self.reader: ImageReader = FolderReader(folder)
        self._in_class_folders = in_class_folders

    def strata(self) -> list[str]:
        if not self._in_class_folders:
            return [""] * len(self.names)
        return ["/".join(place) for place in find_places(self.names)]


class IdxImages:
    """The grey images of the idx files in a folder, named `train/00000`, ..., `t10k/00000`, ..."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts = find_parts(folder)
        self.reader: ImageReader = IdxReader(tuple(self._parts))
        self.names = [name for part in self._parts for name in part.image_names()]
        self.others: list[Path] = []

    def strata(self) -> list[str]:
        classes = read_classes(self._folder)
        return [f"{SPLITS[part.name]}/{label}" for part in self._parts for label in part.read_labels(classes)]
