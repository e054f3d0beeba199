"""What is proposed for the block `data`, and what the places of the labelled images add to it."""

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from lacuna.io.names import shortened

SIDES = re.compile(r"(.+?)[ _-]?(left|right|links|rechts|od|os)", re.I)


@dataclass
class Proposal:
    """`values`: keys of the block `data`. `images`: names below `values["path"]`. `why`, `doubts`: as in Roles."""

    values: dict[str, Any]
    images: list[str]
    why: list[str] = field(default_factory=list)
    doubts: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


def common_folders(parents: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The folders that all paths begin with."""
    lowest, highest = min(parents), max(parents)
    same = [left == right for left, right in zip(lowest, highest, strict=False)]
    return lowest[: same.index(False) if False in same else len(same)]


def narrowed(proposal: Proposal, folder: Path, names: list[str], matched: Sequence[int]) -> Proposal:
    """The images in the deepest folder that holds all that have labels, and folders that are groups."""
    parents = [PurePosixPath(names[place]).parts[:-1] for place in matched]
    common = common_folders(parents)
    n_common, below = len(common), "/".join(common)
    values, images, why = dict(proposal.values), names, list(proposal.why)
    if below and not Path(values["labels"]).is_dir():
        values["path"] = str(folder / below)
        images = [name.removeprefix(f"{below}/") for name in names if name.startswith(f"{below}/")]
        why.append(f"the images with labels lie in {values['path']}: {len(images)} of {len(names)}")
    rest = [parts[n_common:] for parts in parents]
    tops = [parts[0] for parts in rest if parts]
    doubts = list(proposal.doubts)
    stems = [PurePosixPath(names[place]).stem for place in matched]
    pairs = Counter(side[1] for stem in stems if (side := SIDES.fullmatch(stem)))
    if not values["group_column"] and sum(n for n in pairs.values() if n > 1) > 0.5 * len(matched):
        why.append(
            f"images come in pairs of left and right, such as {shortened(stems[0])}, but no column says which belong "
            "together: a pair may be split between training and test; add such a column and set group_column"
        )
    if not values["group_column"] and len(set(tops)) > 9 and 1.2 * len(set(tops)) < len(tops) == len(rest):
        values["group_folders"] = 1
        why.append(
            f"images lie in {len(set(tops))} folders, such as {shortened(tops[0])}: those of one stay in one part"
        )
        doubts.append(("images of one folder belong together", "data.group_folders=0"))
    return dataclasses.replace(proposal, values=values, images=images, why=why, doubts=doubts)
