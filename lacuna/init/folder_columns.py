"""Columns that name folders of images, as of a study or a patient, where none names images."""

from collections.abc import Mapping, Sequence

import numpy as np

from lacuna.data.labels.folder_rows import images_in_folders
from lacuna.data.labels.label_table import WordColumn
from lacuna.init.columns import GROUP_NAME

FEWEST_FOLDERS = 10
LEAST_FOUND = 0.5


def paths_of(column: WordColumn) -> WordColumn:
    """The column's words that are paths: a single name may be a class."""
    words = tuple(word for word in column.words if "/" in word.replace("\\", "/").strip("/"))
    return WordColumn(np.arange(len(words), dtype=np.int32), words)


def find_folder_column(columns: Mapping[str, WordColumn], names: Sequence[str]) -> str:
    """The column that names most images by their folders, "" for none.

    Its words are paths, or its name says that it is a patient or the like: a class is a folder's name as well.
    """
    best, most = "", 0
    for name, column in columns.items():
        words = column if GROUP_NAME.search(name) else paths_of(column)
        found = [places for places in images_in_folders(words, names) if places]
        n_images = sum(map(len, found))
        if len(found) >= max(FEWEST_FOLDERS, LEAST_FOUND * len(words.words)) and n_images > most:
            best, most = name, n_images
    return best


def spread_columns(
    columns: Mapping[str, WordColumn], folders: str, names: Sequence[str]
) -> tuple[dict[str, WordColumn], str]:
    """The columns with a row for each image, whose name takes the folder's place, and what is to be said of it."""
    column = columns[folders]
    found = images_in_folders(column, names)
    pairs = [(row, place) for row, code in enumerate(column.code.tolist()) for place in found[code] or (-1,)]
    rows = np.array([row for row, _ in pairs], dtype=np.int64)
    spread = {name: one.take(rows) for name, one in columns.items()}
    spread[folders] = WordColumn.of([names[place] if place >= 0 else column[row] for row, place in pairs])
    n_found = sum(map(bool, found))
    said = (
        f"column {folders!r} names folders: {n_found} of {len(found)} are there; all images in one have the row's "
        "labels and stay in one part"
    )
    return spread, said
