"""Under which names images from the web are put, so that a label file's URLs find them."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from lacuna.data.images.formats import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from lacuna.data.labels.label_table import WordColumn
from lacuna.data.labels.match_images import ImageFinder, bare_name, host_folder, path_parts, url_digest
from lacuna.io.names import UNPRINTABLE

MOST_BYTES_OF_PART = 150
MOST_FOLDERS = 15
_STAND_IN = ".jpg"
_TAKEN_BY_SYSTEMS = re.compile(r'[<>:"|?*]|^[. ]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.I)


@dataclass(frozen=True)
class Destination:
    """Where the image of a URL is put. `name`: its path in the folder, without a suffix where that of what comes is to
    be added (`needs_suffix`). `there`: the name of the file that is there already, "" for none."""

    url: str
    name: str
    needs_suffix: bool
    there: str = ""

    def with_suffix(self, suffix: str) -> str:
        return self.name + suffix if self.needs_suffix else self.name


def plan_destinations(urls: Sequence[str], names: Sequence[str], origins: Mapping[str, str]) -> list[Destination]:
    """Where each of the URLs goes, none where another is.

    The last part of the path; where several share it, or where it is taken by what came from another URL, the host and
    the whole path as folders; where that does not tell the images apart either (URLs that differ in the query), or
    cannot be a file's name, a digest of the URL is part of the name. urls: distinct, and such as `parse_url` takes.
    names: of the images in the folder. origins: the URLs that they came from, as far as known; an image of unknown
    origin under the name that a URL would have is taken for that URL's.
    """
    fetched = {origins[name]: name for name in names if name in origins}
    taken = {_key(name): name for name in names} | {name: name for name in names}
    shared = Counter(bare_name(path_parts(url)) for url in urls)
    chosen: dict[str, str] = {}
    used: set[str] = set()
    for url in urls:
        for form in [fetched[url]] if url in fetched else _forms(url, shared):
            on_disk = taken.get(form) or taken.get(_key(form))
            if _key(form) not in used and (on_disk is None or origins.get(on_disk, url) == url):
                chosen[url] = on_disk or form
                used.add(_key(form))
                break
        else:
            chosen[url] = _by_digest(url, taken)
    everything = sorted({*chosen.values(), *names})
    found = ImageFinder(everything).find(WordColumn(np.arange(len(chosen), dtype=np.int32), tuple(chosen)))
    for url, places in zip(urls, found, strict=True):
        if [everything[place] for place in places] != [chosen[url]]:  # it would not find just its own image
            chosen[url] = _by_digest(url, taken)
    there = set(names)
    return [_destination(url, name, name if name in there else "") for url, name in chosen.items()]


def _forms(url: str, shared: Mapping[str, int]) -> list[str]:
    """The names to try, with a stand-in for a suffix that is not known yet."""
    *folders, last = path_parts(url) or ("",)
    if not last or not _is_plain(last):
        return []
    alone = [_as_file(last)] if shared[bare_name([last])] == 1 else []
    if len(folders) > MOST_FOLDERS or not all(map(_is_plain, folders)):
        return alone
    if any(PurePosixPath(folder).suffix.lower() in IMAGE_SUFFIXES for folder in folders):  # a file may be called so
        return alone
    return [*alone, "/".join((host_folder(url), *folders, _as_file(last)))]


def _as_file(last: str) -> str:
    """The name with the suffix of an image that is read; a stand-in where that of what comes is not known yet."""
    path = PurePosixPath(last)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return last
    return (path.stem if path.suffix.lower() in UNREAD_SUFFIXES else last) + _STAND_IN


def _by_digest(url: str, taken: Mapping[str, str]) -> str:
    safe = re.sub(r"[^\w-]+", "_", bare_name(path_parts(url)), flags=re.ASCII).strip("_")[:60] or "image"
    name = f"{host_folder(url)}/{safe}~{url_digest(url)}{_STAND_IN}"
    return taken.get(_key(name), name)


def _is_plain(part: str) -> bool:
    """Whether a part of a path can be the name of a file or folder, on every system and in the project."""
    return not (
        len(part.encode("utf-8", "replace")) > MOST_BYTES_OF_PART
        or UNPRINTABLE.search(part)
        or _TAKEN_BY_SYSTEMS.search(part)
        or re.search("~[0-9a-f]{16}", part)  # as of a digest
    )


def _key(name: str) -> str:
    """Equal for names that a file system, or `table`, may take for each other."""
    folder, _, last = unicodedata.normalize("NFC", name).casefold().rpartition("/")
    return f"{folder}/{bare_name([last])}"


def _destination(url: str, name: str, there: str) -> Destination:
    last = (path_parts(url) or ("",))[-1]
    needs_suffix = url_digest(url) in name or PurePosixPath(last).suffix.lower() not in IMAGE_SUFFIXES
    return Destination(url, name.removesuffix(_STAND_IN) if needs_suffix else name, needs_suffix, there)
