"""Where images come from: a folder of image files, one in a bucket, or the idx files of the MNIST family."""

from pathlib import Path
from typing import Protocol

from lacuna.config.data import Data
from lacuna.data.images.bucket import BucketReader, find_in_bucket
from lacuna.data.images.class_folders import find_places
from lacuna.data.images.find import describe_left_out, find_files
from lacuna.data.images.idx import SPLITS, find_parts, read_classes
from lacuna.data.images.readers import FolderReader, IdxReader, ImageReader
from lacuna.errors import LacunaError
from lacuna.io.remote_files import is_url


class ImageCollection(Protocol):
    """Named images, what reads them, and the other files in their folder."""

    names: list[str]
    others: list[Path]
    reader: ImageReader

    def strata(self) -> list[str]:
        """What the place of each image says of its split and class, in words that are equal for equal ones."""


def open_images(data: Data) -> ImageCollection:
    """The images at `data.path`. Raises LacunaError when there are none, or an idx file is not what it should be."""
    if data.source == "idx":
        return IdxImages(Path(data.path))
    in_class_folders = data.source == "folders"
    if is_url(data.path):
        return BucketImages(data.path, in_class_folders=in_class_folders)
    return ImageFolder(Path(data.path), in_class_folders=in_class_folders)


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
        return _strata_of_places(self.names) if self._in_class_folders else [""] * len(self.names)


class BucketImages:
    """The image files below a URL such as s3://bucket/folder, named as those in a folder are.

    Raises LacunaError when there is none, and where the bucket can't be read.
    """

    def __init__(self, folder: str, *, in_class_folders: bool) -> None:
        self.names, others = find_in_bucket(folder)
        self.others = [Path(folder, name) for name in others]
        if not self.names:
            raise LacunaError(f"{folder}: no image below this URL (data.path), only {len(others)} other files")
        self.reader: ImageReader = BucketReader(folder)
        self._in_class_folders = in_class_folders

    def strata(self) -> list[str]:
        return _strata_of_places(self.names) if self._in_class_folders else [""] * len(self.names)


def _strata_of_places(names: list[str]) -> list[str]:
    return ["/".join(place) for place in find_places(names)]


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
