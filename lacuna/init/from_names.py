"""The block `data` where the names of the images hold the labels, by a pattern that the user gives."""

import shlex
from collections.abc import Sequence
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

LEAST_FITTED = 0.8
"""A pattern is suggested where it fits so many of the names."""

NAME_SEPARATORS = ("_", "[.]", "-", " ")

SHAPES = (
    *(rf"(?P<class>\D+){separator}\d" for separator in NAME_SEPARATORS),
    r"(?P<class>[A-Za-z]+)\d",
    *(rf"(?P<class>[A-Za-z]+){separator}" for separator in NAME_SEPARATORS),
    *(rf"\d+{separator}(?P<class>[A-Za-z]+)" for separator in NAME_SEPARATORS),
    *(
        rf"(?P<first>\d+){separator}(?P<second>\d+){separator}(?P<third>\d+){separator}"
        for separator in NAME_SEPARATORS
    ),
)
"""How names hold labels, the most telling first."""


def suggest_pattern(names: Sequence[str]) -> str:
    r"""A sentence with the command that reads labels from the names: by the pattern that fits them, if one of SHAPES
    does and makes classes of several images each.

    >>> print(suggest_pattern([f"{kind}_{k}.jpg" for kind in ("cat", "dog") for k in range(9)]))
    The images' names may hold the labels, such as 'cat': --set 'name_pattern=(?P<class>\D+)_\d' (docs/sources.md)
    """
    for pattern in SHAPES:
        columns, fits = read_names(pattern, names)
        for column in columns.values():
            counts = column.take(np.flatnonzero(fits)).counts()
            if fits.mean() >= LEAST_FITTED and 1 < (counts > 0).sum() <= fits.sum() / 4:
                example = next(word for word in column.words if word)
                option = shlex.quote(f"name_pattern={pattern}")
                return (
                    f"The images' names may hold the labels, such as {shortened(example)}: --set {option} "
                    "(docs/sources.md)"
                )
    return "Where the images' names hold the labels, data.name_pattern reads them (docs/sources.md)"


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
