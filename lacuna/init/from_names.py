"""The block `data` where the names of the images hold the labels, by a pattern that the user gives."""

from pathlib import Path
from typing import Any

import numpy as np

from lacuna.config.data import NO_TARGETS, Data
from lacuna.data.images.find import find_files
from lacuna.data.labels.name_pattern import read_names
from lacuna.errors import LacunaError
from lacuna.init.columns import assign_roles
from lacuna.init.from_table import words_of
from lacuna.init.proposal import Proposal
from lacuna.io.names import shortened


def propose_from_names(folder: Path, pattern: str, data: Data) -> Proposal:
    """The groups of the pattern that can be targets, with their words. Raises LacunaError where it fits no image."""
    names = sorted(path.relative_to(folder).as_posix() for path, is_image in find_files(folder) if is_image)
    columns, fits = read_names(pattern, names)
    rows = np.flatnonzero(fits)
    if not len(rows):
        example = f", such as {shortened(names[0])}" if names else ""
        raise LacunaError(f"{folder}: name_pattern fits none of the {len(names)} images' names{example}")
    words = {name: column.take(rows) for name, column in columns.items() if name not in NO_TARGETS}
    roles = assign_roles(words, [], data.unknown, rows.astype(np.int64), data.min_class_count)
    if not roles.targets:
        raise LacunaError(
            f"{folder}: nothing to learn in the images' names: "
            + "; ".join(f"{shortened(name)}: {reason}" for name, reason in roles.left_out[:5])
        )
    values: dict[str, Any] = {
        "source": "file_names",
        "path": str(folder),
        "labels": str(folder),
        "name_pattern": pattern,
    }
    values |= {"group_column": "", "split_column": "", "columns": []}
    why = [f"name_pattern fits {len(rows)} of {len(names)} images' names"]
    return Proposal(values | words_of(roles, data), names, why + roles.why, roles.doubts, roles.left_out)
