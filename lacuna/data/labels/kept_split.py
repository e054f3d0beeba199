"""Which part each image ever had, from which it keeps it: `data/split.json`, by the shares and the seed of the split.

Images are known by the hash of their content, so that names, folders and other images may change.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.config.blocks import Split
from lacuna.config.data import Data
from lacuna.core.manifest import PARTS
from lacuna.data.labels.join import Joined, given_parts, identify
from lacuna.data.labels.label_table import LabelTable
from lacuna.data.labels.split import MOST_KEPT, NOT_GIVEN, completed_split
from lacuna.errors import LacunaError
from lacuna.io.atomic import read_json, write_json


def split_images(
    table: LabelTable,
    joined: Joined,
    labels: NDArray[np.int16],
    group: NDArray[np.int64],
    sha256: Sequence[str],
    folders: Sequence[str],
    data: Data,
    split: Split,
    record: Path,
) -> tuple[NDArray[np.int8], list[str]]:
    """The part of each labelled image, by what the data give, what was decided before, and the hash of its group.

    Also says in words which images could not keep their part. `remember_parts` writes `record`, once all has gone well.
    """
    given = given_parts(table, joined, data)
    former = former_parts(record, split, sha256)
    part = completed_split(given, labels, group, identify(table, joined, sha256, folders, data), split, former)
    return part, describe_moves(former, given, part)


def former_parts(path: Path, split: Split, sha256: Sequence[str]) -> NDArray[np.int8]:
    """The part that each image had when it was last split by these shares and this seed, int8 `(n,)`.

    NOT_GIVEN where it never was, and for all by `split.keep`. Raises LacunaError when the file is not what
    `remember_parts` writes.
    """
    known = _read(path).get(_how(split), {}) if split.keep else {}
    return np.array([known.get(digest, NOT_GIVEN) for digest in sha256], dtype=np.int8)


def remember_parts(path: Path, split: Split, sha256: Sequence[str], part: NDArray[np.int8]) -> None:
    """Write the part `(n,)` of each image beside those of images that are gone and of other shares and seeds.

    Of images with the same content in several parts the file has the part that MOST_KEPT names first.
    """
    record = _read(path) if split.keep else {}
    parts = record.setdefault(_how(split), {})
    for digest in sha256:
        parts.pop(digest, None)
    for place in reversed(MOST_KEPT):
        parts.update((digest, place) for digest, here in zip(sha256, part.tolist(), strict=True) if here == place)
    content = {how: {digest: PARTS[place] for digest, place in sorted(parts.items())} for how, parts in record.items()}
    write_json(path, dict(sorted(content.items())))


def _read(path: Path) -> dict[str, dict[str, int]]:
    if not path.exists():
        return {}
    try:
        return {
            how: {digest: PARTS.index(part) for digest, part in parts.items()} for how, parts in read_json(path).items()
        }
    except (AttributeError, RecursionError, TypeError, ValueError):
        raise LacunaError(
            f"{path}: not a record of splits as prepare writes it; dvc checkout {path} brings it back, and without the "
            "file all images are dealt anew"
        ) from None


def _how(split: Split) -> str:
    return f"val {split.val:g}, test {split.test:g}, seed {split.seed}"


def describe_moves(former: NDArray[np.int8], given: NDArray[np.int8], part: NDArray[np.int8]) -> list[str]:
    """Which images could not keep their part although the data give them none, in words.

    >>> describe_moves(np.array([0, 0, 2, -1, 0]), np.array([-1, -1, -1, -1, 1]), np.array([2, 0, 2, 1, 1]))
    ['1 images did not keep their part, because they have joined a group of another one: from train to test 1. \
split.keep=false deals all images anew']
    """
    moved = (former != NOT_GIVEN) & (given == NOT_GIVEN) & (former != part)
    if not moved.any():
        return []
    ways = Counter(zip(former[moved].tolist(), part[moved].tolist(), strict=True))
    listed = ", ".join(f"from {PARTS[old]} to {PARTS[new]} {n}" for (old, new), n in sorted(ways.items()))
    return [
        f"{moved.sum()} images did not keep their part, because they have joined a group of another one: {listed}. "
        "split.keep=false deals all images anew"
    ]
