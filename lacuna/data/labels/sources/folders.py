"""Class folders: `cat/1.jpg` is a cat, and so is `cat/old/2.jpg`; `train/cat/1.jpg` is one of the training part."""

from collections.abc import Sequence
from pathlib import Path

from lacuna.config.data import Data
from lacuna.core.targets import Kind
from lacuna.data.images.class_folders import find_places
from lacuna.data.labels.label_table import LabelRow, LabelTable
from lacuna.data.labels.sources.folder_levels import read_folder_levels
from lacuna.errors import LacunaError
from lacuna.io.names import first_few, printable
from lacuna.io.plurals import number_of
from lacuna.io.remote_files import is_url

DEFAULT_TARGET = "class"
"""What the one target is called when `data.targets` does not say."""


def read_folders(data: Data, images: Sequence[str]) -> LabelTable:
    """Read the class of each of `images` from its path below `data.path`.

    With several `data.targets`, the folders within each other are one each. Images outside of class folders get no row;
    the notes name them, and class folders without an image. Raises LacunaError when no image lies in a class folder.
    """
    if len(data.targets) > 1:
        return read_folder_levels(data, images)
    path = Path(data.labels)
    targets: dict[str, Kind] = dict.fromkeys(data.targets or [DEFAULT_TARGET], "categorical")
    rows, outside, filled = [], [], set()
    for image, (split, name) in zip(images, find_places(images), strict=True):
        if name:
            rows.append(LabelRow(0, image, (name,), "", split))
            filled.add(Path(split, name))
        else:
            outside.append(image)
    if not rows:
        raise LacunaError(
            f"{path}: all {len(outside)} images lie outside of class folders, such as {printable(outside[0])}; "
            "expected a folder for each class (data.path), or another data.source"
        )
    notes = []
    if outside:
        n = number_of(len(outside), "image outside", "images outside")
        notes.append(f"{n} of the class folders, without a class: {first_few(outside)}")
    if not is_url(data.labels) and (empty := _without_image(path, filled)):  # a bucket has no empty folders
        notes.append(f"{len(empty)} folders where a class belongs hold no image: {first_few(empty)}")
    return LabelTable.of_rows(path, targets, rows, notes=notes)


def _without_image(root: Path, filled: set[Path]) -> list[str]:
    """The folders at the level of classes, and those above, that hold none of the images."""
    above = {folder.parent for folder in filled} | {Path()}
    found = {folder.relative_to(root) for parent in above for folder in (root / parent).iterdir() if folder.is_dir()}
    return sorted(str(folder) for folder in found - filled - above if not folder.name.startswith("."))
