"""What is proposed for the block `data`, and what the places of the labelled images add to it."""

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from lacuna.io.names import shortened

PAIR = r"(?i)(?P<group>.+?)(?:[ _.-]?(?:left|right|links|rechts)|[ _.-](?:od|os|l|r))\.[a-z]+$"
"""Left and right of one name, by `data.name_pattern`."""


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
    if not values["group_column"] and _are_pairs([names[place] for place in matched]):
        values["name_pattern"] = PAIR
        why.append(
            f"images come in pairs of left and right, such as {shortened(names[matched[0]])}: both stay in one part"
        )
        doubts.append(("left and right of one name belong together", "data.name_pattern="))
    elif not values["group_column"] and len(set(tops)) > 9 and 1.2 * len(set(tops)) < len(tops) == len(rest):
        values["group_folders"] = 1
        why.append(
            f"images lie in {len(set(tops))} folders, such as {shortened(tops[0])}: those of one stay in one part"
        )
        doubts.append(("images of one folder belong together", "data.group_folders=0"))
    return dataclasses.replace(proposal, values=values, images=images, why=why, doubts=doubts)


def _are_pairs(names: Sequence[str]) -> bool:
    """Whether half of the images or more are pairs by PAIR."""
    stems = [found["group"].lower() for name in names if (found := re.match(PAIR, PurePosixPath(name).name))]
    return sum(n for n in Counter(stems).values() if n > 1) > 0.5 * len(names)
