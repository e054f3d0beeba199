"""Label files that are parts of one data set: `train.csv` beside `test.csv`, or each in a folder called so."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from lacuna.core.manifest import SPLIT_WORDS, Part
from lacuna.data.labels.label_table import WordColumn
from lacuna.data.labels.match_images import ImageFinder
from lacuna.errors import LacunaError

_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+|[^A-Za-z0-9]+")


def part_of_name(name: str) -> tuple[str, Part | None]:
    """What is left of a name without the word that means a part, and the part; None where no or several words do.

    >>> part_of_name("train_labels"), part_of_name("instances_val2017")
    (('_labels', 'train'), ('instances_2017', 'val'))
    >>> part_of_name("testLabels"), part_of_name("trainval")
    (('Labels', 'test'), ('trainval', None))
    """
    pieces = _PIECE.findall(name)
    parts = {place: SPLIT_WORDS[piece.lower()] for place, piece in enumerate(pieces) if piece.lower() in SPLIT_WORDS}
    if len(parts) != 1:
        return name, None
    ((place, part),) = parts.items()
    return "".join(pieces[:place] + pieces[place + 1 :]), part


def find_part_groups(root: Path, files: Iterable[Path]) -> list[dict[Part, Path]]:
    """The files that are one of each of several parts, and called alike but for that; those of a group by part.

    The part is told by the folder below `root`, where that is called so, or by the file's name.
    """
    groups: dict[tuple[str, ...], dict[Part, list[Path]]] = {}
    for path in files:
        folders = path.relative_to(root).parts[:-1]
        stem, *suffixes = path.name.split(".")
        rest, part = part_of_name(stem)
        if folders and (top := SPLIT_WORDS.get(folders[0].lower())):
            rest, part, folders = (rest if part == top else stem), top, ("", *folders[1:])
        if part:
            groups.setdefault((*folders, rest, *suffixes), {}).setdefault(part, []).append(path)
    return [
        {part: paths[0] for part, paths in group.items()}
        for group in groups.values()
        if len(group) > 1 and all(len(paths) == 1 for paths in group.values())
    ]


def find_only_group(root: Path, files: Iterable[Path]) -> dict[Part, Path]:
    """As `find_part_groups`, where there must be one. Raises LacunaError at none or several."""
    groups = find_part_groups(root, files)
    if len(groups) != 1:
        raise LacunaError(
            f"{root}: {len(groups)} sets of files that are called like parts (train, val, test), expected one; "
            "data.labels must name the file, or a folder with one set"
        )
    return groups[0]


def parts_of_files(root: Path, files: Sequence[Path]) -> dict[Path, Part]:
    """The part of each of the files below `root` that is one of a split's, {} where they are no parts.

    All are where each lies in a folder that is called like a part, on top; else those of `find_part_groups`.
    """
    tops = [(path.relative_to(root).parts[:-1] or ("",))[0].lower() for path in files]
    if len(set(tops)) > 1 and all(top in SPLIT_WORDS for top in tops):
        return {path: SPLIT_WORDS[top] for path, top in zip(files, tops, strict=True)}
    return {path: part for group in find_part_groups(root, files) for part, path in group.items()}


def find_near(
    column: WordColumn, folder: PurePath, part: Part | None, finder: ImageFinder, names: Sequence[str]
) -> WordColumn:
    """The images of a label file in `folder`: those beside it, or else as `prefer_part` reads them."""
    there = set(names)
    beside = [(folder / word).as_posix() for word in column.words]
    words = [near if near in there else word for near, word in zip(beside, column.words, strict=True)]
    near = WordColumn(column.code, tuple(words))
    return prefer_part(near, part, finder, names) if part else near


def prefer_part(column: WordColumn, part: Part, finder: ImageFinder, names: Sequence[str]) -> WordColumn:
    """The column in which a name of several images is that of the one in a folder of the part, if there is one.

    `train.csv` and `test.csv` may both name a `1.jpg`, which lies in `train/` and in `test/`. `names`: those of the
    finder.
    """
    words = dict.fromkeys(column.words)
    meant = []
    for word, places in zip(column.words, finder.find(column), strict=True):
        own = [names[place] for place in places if part in map(_part_of_folder, PurePath(names[place]).parts[:-1])]
        is_clear = len(places) > 1 and len(own) == 1 and own[0] not in words
        meant.append(own[0] if is_clear else word)
        words[meant[-1]] = None
    return WordColumn(column.code, tuple(meant))


def _part_of_folder(name: str) -> Part | None:
    return part_of_name(name)[1]
