"""Images keep the part that they ever had, by the shares and the seed of the split.

They are known by the hash of their content, so that names, folders and other images may change.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lacuna.config.blocks import Split
from lacuna.config.data import Data
from lacuna.core.manifest import PARTS
from lacuna.data.labels.join import Joined, given_parts, identify
from lacuna.data.labels.label_table import LabelTable, WordColumn
from lacuna.data.labels.split import NOT_GIVEN, completed_split
from lacuna.data.labels.split_record import SplitRecord
from lacuna.io.plurals import number_of


def split_images(
    table: LabelTable,
    joined: Joined,
    labels: NDArray[np.int16],
    group: NDArray[np.int64],
    sha256: pa.Array,
    folders: WordColumn,
    data: Data,
    split: Split,
    record: SplitRecord,
) -> tuple[NDArray[np.int8], list[str]]:
    """The part of each labelled image, by what the data give, what was decided before, and the hash of its group.

    `sha256`: of each labelled image's content, 32 bytes each. `record`: what was decided before. Also says in words
    which images could not keep their part.
    """
    given = given_parts(table, joined, data)
    former = record.find(split_name(split), sha256)
    part = completed_split(given, labels, group, identify(table, joined, sha256, folders, data), split, former)
    return part, describe_moves(former, given, part)


def open_record(path: Path, split: Split) -> SplitRecord:
    """The record of former splits, without the parts of this one where `split.keep` asks for new ones."""
    record = SplitRecord.load(path)
    return record if split.keep else record.without(split_name(split))


def split_name(split: Split) -> str:
    """What the record calls a split of these shares and this seed."""
    return f"val {split.val:g}, test {split.test:g}, seed {split.seed}"


def describe_moves(former: NDArray[np.int8], given: NDArray[np.int8], part: NDArray[np.int8]) -> list[str]:
    """Which images could not keep their part although the data give them none, in words.

    >>> describe_moves(np.array([0, 0, 2, -1, 0]), np.array([-1, -1, -1, -1, 1]), np.array([2, 0, 2, 1, 1]))
    ['1 image did not keep the former part: joined to a group of another one, or of a group that the data give one: \
from train to test 1. split.keep=false deals all images anew']
    """
    moved = (former != NOT_GIVEN) & (given == NOT_GIVEN) & (former != part)
    if not moved.any():
        return []
    ways = Counter(zip(former[moved].tolist(), part[moved].tolist(), strict=True))
    listed = ", ".join(f"from {PARTS[old]} to {PARTS[new]} {n}" for (old, new), n in sorted(ways.items()))
    return [
        f"{number_of(int(moved.sum()), 'image')} did not keep the former part: joined to a group of another one, or "
        f"of a group that the data give one: {listed}. "
        "split.keep=false deals all images anew"
    ]
