"""What the place of an image says in a folder of class folders: its class, and its split where folders give one."""

from collections.abc import Sequence
from typing import NamedTuple

from lacuna.core.manifest import SPLIT_WORDS
from lacuna.errors import LacunaError


class Place(NamedTuple):
    """`split` is the folder's name as it stands, "" where folders give none; `name` is the class, "" outside of any."""

    split: str
    name: str


def find_places(images: Sequence[str]) -> list[Place]:
    """The place of each image, named by its path below the root with forward slashes.

    The class is the first folder, the second where all first ones are named like splits (SPLIT_WORDS, in any case).
    Raises LacunaError when some, but not all, of the first folders are: which is meant cannot be known. A single one
    may be a class.

    >>> find_places(["cat/1.png", "cat/old/2.png", "3.png"])
    [Place(split='', name='cat'), Place(split='', name='cat'), Place(split='', name='')]
    >>> find_places(["Train/cat/1.png", "test/cat/2.png", "test/3.png"])
    [Place(split='Train', name='cat'), Place(split='test', name='cat'), Place(split='test', name='')]
    """
    folders = [image.split("/")[:-1] for image in images]
    top = {parts[0] for parts in folders if parts}
    splits = {name for name in top if name.lower() in SPLIT_WORDS}
    if len(splits) > 1 and splits != top:
        others = ", ".join(sorted(top - splits)[:3])
        raise LacunaError(
            f"data.path: folders {', '.join(sorted(splits))} are named like splits, {others} beside them not; expected "
            "class folders alone, or splits alone with class folders inside"
        )
    if not splits or splits != top:
        return [Place("", parts[0] if parts else "") for parts in folders]
    return [Place(parts[0] if parts else "", parts[1] if len(parts) > 1 else "") for parts in folders]
