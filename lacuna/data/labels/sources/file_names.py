"""Labels in the names of images: `31_0_2_20170116.jpg` by `(?P<age>\\d+)_(?P<gender>\\d)_(?P<race>\\d)_`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lacuna.config.data import NO_TARGETS, Data
from lacuna.core.targets import Kind
from lacuna.data.labels.label_table import LabelTable, WordColumn
from lacuna.data.labels.name_pattern import read_names
from lacuna.errors import LacunaError
from lacuna.io.names import first_few, shortened
from lacuna.io.plurals import number_of


def read_file_names(data: Data, images: Sequence[str]) -> LabelTable:
    """Read the named groups of `data.name_pattern`: a column of each, split and group by these names.

    Images that it does not fit have no labels; the notes name them. Raises LacunaError when it fits none.
    """
    path = Path(data.labels)
    columns, fits = read_names(data.name_pattern, images)
    rows = np.flatnonzero(fits)
    if not len(rows):
        example = f", such as {shortened(images[0])}" if images else ""
        raise LacunaError(f"{path}: data.name_pattern fits none of the {len(images)} images' names{example}")
    targets: dict[str, Kind] = data.target_kinds or dict.fromkeys(
        [name for name in columns if name not in NO_TARGETS], "categorical"
    )
    labels = {
        name: columns[str(data.column(name).column) if name in data.targets else name].take(rows) for name in targets
    }
    others = [image for image, is_fit in zip(images, fits.tolist(), strict=True) if not is_fit]
    n = number_of(len(others), "image is", "images are")
    notes = [f"{n} called otherwise than data.name_pattern says: {first_few(others)}"]
    table = LabelTable.of_rows(path, {}, [], notes=notes * bool(others))
    nothing = WordColumn.constant("", len(rows))
    return replace(
        table,
        targets=targets,
        image=WordColumn.of([images[row] for row in rows.tolist()]),
        labels=labels,
        group=nothing,  # image_groups reads the pattern itself
        split=columns["split"].take(rows) if "split" in columns else nothing,
        line=np.zeros(len(rows), dtype=np.int64),
        file=WordColumn.constant(str(path), len(rows)),
    )
