"""Which image a label file means: paths are compared from their end, whatever machine they are of."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import PurePosixPath
from urllib.parse import parse_qsl, unquote, urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lacuna.data.images.formats import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from lacuna.data.images.ingested import Names
from lacuna.data.labels.label_table import WordColumn
from lacuna.io.arrow_memory import give_back
from lacuna.io.spreadsheets import escaped

SUFFIXES = IMAGE_SUFFIXES | UNREAD_SUFFIXES

MOST_FIELDS = 50
"""Of a URL's query."""

_DIGEST = re.compile(r"~([0-9a-f]{16})(\.\w+)?$")

NO_UTF_8 = re.compile("[\ud800-\udfff]")

LENIENCES = ((False, False), (True, False), (False, True), (True, True))
"""Whether case and suffix are ignored, the strictest first."""


class ImageFinder:
    """Finds the images of a folder by what people write for them.

    names: the paths below the image folder, with forward slashes. A label's image is the exact path; or, from its end,
    a part of the path or more than it (an absolute path of another machine, a URL), with case and suffix ignored where
    nothing is equal to the letter; the longest match counts. Last, the file name alone, where no other label and no
    other image has the same. `by_name`: the words of the last `find` that were found so. Before all that, a URL finds
    the image below a folder of its host's name, and the one whose name ends in a digest of it, as fetch urls puts them;
    and where its path finds none, the one that a value of its query names.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._column = names.cells if isinstance(names, Names) else _exact(names)
        self._by_stem: dict[str, list[int]] | None = None
        self._by_origin: dict[str, list[int]] | None = None
        self.by_name: list[str] = []

    def find(self, images: WordColumn) -> list[list[int]]:
        """For each of the column's distinct words, the places of the images it may mean: one, none, or several."""
        place, several = self.locate(images)
        return [several.get(word, [found] if found >= 0 else []) for word, found in enumerate(place.tolist())]

    def locate(self, images: WordColumn) -> tuple[NDArray[np.int64], dict[int, list[int]]]:
        """The place of the one image that each of the column's distinct words means, int64 `(n_words,)`, -1 for none
        and for several; and the places of these, by the word's own."""
        same = pc.index_in(_exact(images.words), value_set=self._column, skip_nulls=True)
        place: NDArray[np.int64] = same.fill_null(-1).to_numpy().astype(np.int64)
        give_back()
        several: dict[int, list[int]] = {}

        def take(word: int, found: list[int]) -> None:
            if len(found) > 1:
                several[word] = found
            elif found:
                place[word] = found[0]

        for word in np.flatnonzero(place < 0).tolist():
            take(word, self._look_up(images.words[word]))
        nowhere = [word for word in np.flatnonzero(place < 0).tolist() if word not in several]
        last = [word for word in nowhere if len(path_parts(images.words[word])) > 1]
        self.by_name = []
        if last:
            shared = Counter(bare_name(path_parts(word)) for word in images.words)
            for word in last:
                parts = path_parts(images.words[word])
                same_stem = self._same_stem(parts)
                if len(same_stem) == 1 and shared[bare_name(parts)] == 1:
                    take(word, same_stem)
                    self.by_name.append(images.words[word])
        return place, several

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self._names)}

    def _look_up(self, word: str) -> list[int]:
        for name in (word, escaped(word)):  # a table by hand may name a file whose name does begin with an apostrophe
            if name in self._places:
                return [self._places[name]]
        if "://" in word and len(fetched := self._find_fetched(word)) == 1:
            return fetched
        return self._find_path(path_parts(word)) or self._find_in_query(word)

    def _find_in_query(self, url: str) -> list[int]:
        """The one image that the values in a URL's query name, such as ?file=1.jpg&width=3; else none."""
        if "://" not in url or "?" not in url:
            return []
        try:
            fields = parse_qsl(urlsplit(url).query, max_num_fields=MOST_FIELDS)
        except ValueError:  # more fields, or no URL after all
            return []
        values = [path_parts(value) for _, value in fields]
        named = [value for value in values if value and PurePosixPath(value[-1]).suffix.casefold() in SUFFIXES]
        found = {tuple(self._find_path(value)) for value in named} - {()}
        return list(found.pop()) if len(found) == 1 else []

    def _find_path(self, parts: tuple[str, ...]) -> list[int]:
        if not parts:
            return []
        joined = "/".join(parts)
        if joined in self._places:
            return [self._places[joined]]
        candidates = [(place, PurePosixPath(self._names[place]).parts) for place in self._same_stem(parts)]
        # More of the path first, then what is equal to the letter, then the whole path rather than its ending.
        fits: dict[int, tuple[int, int, bool]] = {}
        for strictness, (ignores_case, ignores_suffix) in enumerate(LENIENCES):
            wanted = _simplified(parts, ignores_case, ignores_suffix)
            for place, own in candidates:
                n = _common_ending(wanted, _simplified(own, ignores_case, ignores_suffix))
                fits[place] = max(fits.get(place, (0, 0, False)), (n, -strictness, len(own) == len(parts)))
        best = max(fits.values(), default=(0, 0, False))
        return [place for place, fit in fits.items() if fit == best and best[0]]

    def _find_fetched(self, url: str) -> list[int]:
        if self._by_origin is None:
            self._by_origin = defaultdict(list)
            for place, name in enumerate(self._names):
                digest = _DIGEST.search(name)
                self._by_origin[digest[1] if digest else _bare_path(name.split("/"))].append(place)
        return self._by_origin.get(url_digest(url)) or self._by_origin.get(
            _bare_path([host_folder(url), *path_parts(url)]), []
        )

    def _same_stem(self, parts: Sequence[str]) -> list[int]:
        """The images whose file name is the same but for case and suffix."""
        if self._by_stem is None:
            self._by_stem = defaultdict(list)
            for place, name in enumerate(self._names):
                for stem in {bare_name([name.rpartition("/")[2]]), name.rpartition("/")[2].casefold()}:
                    self._by_stem[stem].append(place)
        bare, whole = bare_name(parts), parts[-1].casefold()
        return sorted({*self._by_stem.get(bare, ()), *self._by_stem.get(whole, ())})


def _exact(words: Sequence[str]) -> pa.Array:
    """The words as Arrow has them; null stands for one that is no UTF-8, which Arrow cannot hold."""
    try:
        return pa.array(words, type=pa.string())
    except UnicodeEncodeError:
        return pa.array([None if NO_UTF_8.search(word) else word for word in words], type=pa.string())


def url_digest(url: str) -> str:
    """What a file's name has behind a tilde when it is known by its URL alone."""
    return hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()[:16]


def host_folder(url: str) -> str:
    """The host of a URL as the name of a folder.

    >>> host_folder("https://Images.example.org:8080/1.png")
    'images.example.org'
    """
    found = re.match(r"\w+://(?:[^/?#]*@)?(\[[^/?#]*\]|[^/?#:]*)", url)
    return re.sub(r"[^\w.-]+", "_", found[1].strip("[]").lower()).strip(".") if found else ""


def path_parts(word: str) -> tuple[str, ...]:
    """The folders and the file of a path or URL."""
    if address := re.match(r"\w+://[^/]*(/[^?#]*)?", word):
        word = unquote(address[1] or "")
    return tuple(part for part in word.replace("\\", "/").split("/") if part not in ("", "."))


def bare_name(parts: Sequence[str]) -> str:
    """The last part in lower case, without the suffix of an image: equal for all that may be taken for each other."""
    name = parts[-1].casefold() if parts else ""
    bare, dot, suffix = name.rpartition(".")
    return bare if bare and dot + suffix in SUFFIXES else name


def _bare_path(parts: Sequence[str]) -> str:
    return "/".join((*(part.casefold() for part in parts[:-1]), bare_name(parts)))


def _simplified(parts: Sequence[str], ignores_case: bool, ignores_suffix: bool) -> tuple[str, ...]:
    name = parts[-1]
    bare, dot, suffix = name.rpartition(".")
    if ignores_suffix and bare and (dot + suffix).casefold() in SUFFIXES:
        name = bare
    whole = (*parts[:-1], name)
    return tuple(part.casefold() for part in whole) if ignores_case else whole


def _common_ending(left: Sequence[str], right: Sequence[str]) -> int:
    """How many parts two paths share, where one is the ending of the other; 0 where neither is."""
    n = min(len(left), len(right))
    return n if tuple(left[-n:]) == tuple(right[-n:]) else 0
