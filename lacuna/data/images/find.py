"""The images in a folder and below: one answer for training and for predicting."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from lacuna.data.images.formats import (
    IMAGE_SUFFIXES,
    MARK_BYTES,
    UNREAD_CONTAINERS,
    UNREAD_PICTURES,
    UNREAD_SUFFIXES,
)
from lacuna.data.images.headers import is_known_format
from lacuna.io.names import first_few

TEXT_SUFFIXES = frozenset((".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".md", ".html", ".log"))
"""What lies beside images in many data sets, in large numbers, and needs no look inside."""


def find_files(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Yield every file in `folder` and below, and whether it counts as an image; one folder's names are in memory.

    Images are told by their suffix. Hidden files are none, and hidden folders are left out. A file in a format that is
    not read counts too, so that it is refused by name, unless an image of the same name lies beside it (a camera's raw
    file beside its JPEG).

    Files come in alphabetical order of their paths, but what lies behind links to folders comes last. A folder is
    searched once however many links lead to it, at its own place if that is below `folder`; so loops of links end.
    """
    searched: set[tuple[int, int]] = set()
    waiting = deque([folder])
    while waiting:
        yield from _search(waiting.popleft(), searched, waiting)


def _search(folder: Path, searched: set[tuple[int, int]], links: deque[Path]) -> Iterator[tuple[Path, bool]]:
    status = folder.stat()
    if (status.st_dev, status.st_ino) in searched:
        return
    searched.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as entries:
        inside = sorted(entries, key=lambda entry: entry.name)
    for entry, is_image in zip(inside, are_images([entry.name for entry in inside]), strict=True):
        hidden, path = entry.name.startswith("."), folder / entry.name
        if entry.is_dir(follow_symlinks=False):
            if not hidden:
                yield from _search(path, searched, links)
        elif entry.is_symlink() and path.is_dir():
            if not hidden:
                links.append(path)
        else:
            yield path, is_image


def are_images(names: Sequence[str]) -> list[bool]:
    """Whether each name in a folder is one of a file that counts as an image, as `find_files` tells it."""
    paths = [PurePosixPath(name) for name in names]
    readable = {path.stem.casefold() for path in paths if path.suffix.lower() in IMAGE_SUFFIXES}

    def counts(path: PurePosixPath) -> bool:
        suffix = path.suffix.lower()
        return suffix in IMAGE_SUFFIXES or (suffix in UNREAD_SUFFIXES and path.stem.casefold() not in readable)

    return [not path.name.startswith(".") and counts(path) for path in paths]


def describe_left_out(paths: Sequence[Path]) -> list[str]:
    """What among the files that do not count as images looks as if it held some: a line for each suffix, with what to
    do."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in paths:
        if said := _seems_to_be(path):
            found.setdefault(said, []).append(path.name)
    return [f"{len(names)} {what} ({first_few(names)}){advice}" for (what, advice), names in sorted(found.items())]


def _seems_to_be(path: Path) -> tuple[str, str] | None:
    """The words before and behind the names of files of one kind; None if nothing points to pictures."""
    suffix = path.suffix.lower()
    if path.name.startswith(".") or suffix in TEXT_SUFFIXES:
        return None
    if suffix in UNREAD_SUFFIXES:
        return f"{suffix} files are left out", ": an image of the same name lies beside each"
    for kind in UNREAD_CONTAINERS:
        if suffix in kind.suffixes:
            return f"{suffix} files are left out", f"; if they hold images of yours: {kind.advice}"
    if _holds_picture(path):
        return "files without an image's suffix hold images and are left out", ": rename them, to .jpg for example"
    return None


def _holds_picture(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with open(path, "rb") as file:
            start = file.read(MARK_BYTES)
    except OSError:
        return False
    marks = (mark for kind in UNREAD_PICTURES for mark in kind.marks)
    return is_known_format(start) or any(start.startswith(mark, place) for place, mark in marks)
