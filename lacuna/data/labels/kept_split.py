"""The split of the last run, from which images keep their part: `data/prepared/split.json`.

Images are known by the hash of their content, so that names, folders and other images may change.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.config.blocks import Data, Split
from lacuna.core.manifest import PARTS
from lacuna.data.labels.encode import Joined, given_parts, identify
from lacuna.data.labels.sources import LabelFile
from lacuna.data.labels.split import NOT_GIVEN, completed_split
from lacuna.errors import LacunaError
from lacuna.io.atomic import read_json, write_json


def split_images(
    label_file: LabelFile,
    joined: Joined,
    labels: NDArray[np.int16],
    group: NDArray[np.int64],
    sha256: Sequence[str],
    former: NDArray[np.int8],
    data: Data,
    split: Split,
) -> NDArray[np.int8]:
    """The part of each labelled image, by what the data give, what was decided before, and the hash of its group."""
    given = given_parts(label_file, joined, data)
    return completed_split(given, labels, group, identify(joined, sha256, data), split, former)


def save_split(path: Path, split: Split, sha256: Sequence[str], part: NDArray[np.int8]) -> None:
    """Write the part `(n,)` of each image, and the shares and the seed by which they were dealt."""
    parts = dict(sorted(zip(sha256, (PARTS[place] for place in part.tolist()), strict=True)))
    write_json(path, {**_how(split), "parts": parts})


def former_parts(path: Path, split: Split, sha256: Sequence[str]) -> NDArray[np.int8]:
    """The part that each image had in the last run, NOT_GIVEN for new ones, int8 `(n,)`.

    All are new where nothing is to be kept: by `split.keep`, after a change of shares or seed, and in a first run.
    Raises LacunaError when the file is not what `save_split` writes.
    """
    if not split.keep or not path.exists():
        return np.full(len(sha256), NOT_GIVEN, dtype=np.int8)
    try:
        former = read_json(path)
        known = {digest: PARTS.index(part) for digest, part in former.pop("parts").items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise LacunaError(f"{path}: not the split of a run; delete it, or set split.keep to false") from None
    if former != _how(split):
        known = {}
    return np.array([known.get(digest, NOT_GIVEN) for digest in sha256], dtype=np.int8)


def _how(split: Split) -> dict[str, float]:
    return {"val": split.val, "test": split.test, "seed": split.seed}


def describe_moves(former: NDArray[np.int8], part: NDArray[np.int8]) -> list[str]:
    """Which images could not keep their part, in words.

    >>> describe_moves(np.array([0, 0, 2, -1]), np.array([2, 0, 2, 1]))
    ['1 of 3 images did not keep their part: from train to test 1. They have joined a group of another part, or the \
data give them one']
    """
    moved = (former != NOT_GIVEN) & (former != part)
    if not moved.any():
        return []
    ways = Counter(zip(former[moved].tolist(), part[moved].tolist(), strict=True))
    listed = ", ".join(f"from {PARTS[old]} to {PARTS[new]} {n}" for (old, new), n in sorted(ways.items()))
    return [
        f"{moved.sum()} of {(former != NOT_GIVEN).sum()} images did not keep their part: {listed}. They have joined a "
        "group of another part, or the data give them one"
    ]
