"""Folders in several levels: `red/boot/1.jpg` with the targets colour and kind, or `train/red/boot/1.jpg`."""

from collections.abc import Sequence
from pathlib import Path

from lacuna.config.data import Data
from lacuna.data.images.class_folders import find_places
from lacuna.data.labels.label_table import LabelRow, LabelTable
from lacuna.errors import LacunaError
from lacuna.io.names import first_few, printable
from lacuna.io.plurals import number_of


def read_folder_levels(data: Data, images: Sequence[str]) -> LabelTable:
    """The folders of each of `images` below `data.path`, one for each of `data.targets` from the top.

    Folders named like splits on top are the split. Deeper folders mean nothing. An image in fewer folders than targets
    is unknown in the last ones; one in none has no row. Raises LacunaError when no image lies as deep as all targets.
    """
    path = Path(data.labels)
    n_levels = len(data.targets)
    rows, outside, shallow = [], [], []
    for image, (split, name) in zip(images, find_places(images), strict=True):
        folders = image.split("/")[bool(split) : -1] if name else []
        words = (*folders, *[""] * n_levels)[:n_levels]
        if not folders:
            outside.append(image)
            continue
        if len(folders) < n_levels:
            shallow.append(image)
        rows.append(LabelRow(0, image, words, "", split))
    names = ", ".join(data.targets)
    if len(rows) == len(shallow):
        example = f", such as {printable(images[0])[:80]}" if images else ""
        raise LacunaError(
            f"{path}: no image lies in {n_levels} folders within each other{example}; expected one for each of "
            f"data.targets from the top: {names}"
        )
    notes = []
    if outside:
        n = number_of(len(outside), "image outside", "images outside")
        notes.append(f"{n} of the class folders, without a class: {first_few(outside)}")
    if shallow:
        notes.append(
            f"{number_of(len(shallow), 'image')} in fewer folders than the {n_levels} of {names}, unknown in the last "
            f"ones: {first_few(shallow)}"
        )
    return LabelTable.of_rows(path, data.target_kinds, rows, notes=notes)
