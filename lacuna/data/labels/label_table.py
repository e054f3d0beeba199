"""What every label format is read into: columns of text, before anything is interpreted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lacuna.core.targets import Kind
from lacuna.io.names import printable

MOST_IMAGE_CHARACTERS = 200


@dataclass(frozen=True)
class WordColumn:
    """A column of text, each word kept once: row k says `words[code[k]]`.

    `code`: int32 `(n_rows,)`, -1 where a label is unknown. `words`: distinct, stripped of blanks at their ends, in the
    order of their first row.
    """

    code: NDArray[np.int32]
    words: tuple[str, ...]

    @classmethod
    def of(cls, cells: Sequence[str] | pa.Array | pa.ChunkedArray) -> Self:
        """The column of these cells, `(n_rows,)`; null is the empty word.

        >>> WordColumn.of(["boot", " hat", "boot "]).words
        ('boot', 'hat')
        """
        if not isinstance(cells, pa.Array | pa.ChunkedArray):
            cells = to_arrow(cells)
        encoded = cells.fill_null("").dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        code, words = encoded.indices.to_numpy(), tuple(encoded.dictionary.to_pylist())
        return cls(code, words).replaced(str.strip)

    @classmethod
    def constant(cls, word: str, n_rows: int) -> Self:
        return cls(np.zeros(n_rows, dtype=np.int32), (word,))

    @classmethod
    def joined(cls, columns: Sequence["WordColumn"]) -> Self:
        """The rows of all, one column below the other."""
        words: dict[str, int] = {}
        codes = [column.recoded([words.setdefault(word, len(words)) for word in column.words]) for column in columns]
        return cls(np.concatenate(codes), tuple(words))

    def replaced(self, change: Callable[[str], str]) -> Self:
        """The column with `change` of each word in its place; words that become the same are one."""
        changed = tuple(map(change, self.words))
        if changed == self.words:
            return self
        distinct: dict[str, int] = {}
        code = [distinct.setdefault(word, len(distinct)) for word in changed]
        return type(self)(self.recoded(code), tuple(distinct))

    def recoded(self, codes: Sequence[int]) -> NDArray[np.int32]:
        """The rows by other codes, one for each word, int32 `(n_rows,)`; unknown rows stay -1."""
        return np.array([*codes, -1], dtype=np.int32)[self.code]

    def take(self, rows: NDArray[np.intp]) -> "WordColumn":
        return WordColumn(self.code[rows], self.words)

    def counts(self) -> NDArray[np.int64]:
        """How many rows say each of the words, int64 `(n_words,)`."""
        return np.bincount(self.code[self.code >= 0], minlength=len(self.words))

    def __len__(self) -> int:
        return len(self.code)

    def __getitem__(self, row: int) -> str:
        """The word of a row, "" where it is unknown."""
        code = int(self.code[row])
        return self.words[code] if code >= 0 else ""


def to_arrow(cells: Sequence[str]) -> pa.Array:
    """The cells as Arrow has them; what is no UTF-8, as in some names of files, becomes question marks."""
    try:
        return pa.array(cells, type=pa.large_string())
    except UnicodeEncodeError:
        return pa.array([cell.encode("utf-8", "replace").decode() for cell in cells], type=pa.large_string())


class LabelRow(NamedTuple):
    """One label row, for formats that are read row by row. `group` and `split` are "" where nothing is given.

    `line` is 0 where labels come from something else than lines. The words "present" and "absent" are known of every
    binary target, and the empty word is unknown, whatever params.yaml says.
    """

    line: int
    image: str
    labels: tuple[str, ...]
    group: str = ""
    split: str = ""


class Dropped(NamedTuple):
    """A line of the label file that labels no image, and why; `image` is "" where it cannot be told."""

    line: int
    image: str
    reason: str


@dataclass(frozen=True)
class LabelTable:
    """The rows of a label file, in columns of equal length.

    `targets`: the kind of each target. `labels`: its column, by its name, in the same order. `image`: as the file names
    it. `group`, `split`: "" where nothing is given. `line`: int64 `(n_rows,)`, 0 where there are none. `file`: that of
    the line. `malformed`: lines that could not be read as rows. `notes`: what the user should know of the source.
    """

    path: Path
    targets: dict[str, Kind]
    image: WordColumn
    labels: dict[str, WordColumn]
    group: WordColumn
    split: WordColumn
    line: NDArray[np.int64]
    file: WordColumn
    malformed: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of_rows(
        cls,
        path: Path,
        targets: Mapping[str, Kind],
        rows: Iterable[LabelRow],
        malformed: Sequence[Dropped] = (),
        notes: Sequence[str] = (),
    ) -> Self:
        """The table of these rows, whose labels are in the order of `targets`."""
        rows = list(rows)
        columns = list(zip(*(row.labels for row in rows), strict=True)) or [()] * len(targets)
        return cls(
            path,
            dict(targets),
            WordColumn.of([row.image for row in rows]),
            {name: WordColumn.of(cells) for name, cells in zip(targets, columns, strict=True)},
            WordColumn.of([row.group for row in rows]),
            WordColumn.of([row.split for row in rows]),
            np.array([row.line for row in rows], dtype=np.int64),
            WordColumn.constant(str(path), len(rows)),
            tuple(malformed),
            tuple(notes),
        )

    @classmethod
    def joined(cls, path: Path, tables: Sequence["LabelTable"]) -> "LabelTable":
        """The rows of all, of the same targets, one table below the other."""
        if len(tables) == 1:
            return tables[0]
        columns: dict[str, Any] = {
            key: WordColumn.joined([getattr(table, key) for table in tables])
            for key in ("image", "group", "split", "file")
        }
        return replace(
            tables[0],
            path=path,
            labels={name: WordColumn.joined([table.labels[name] for table in tables]) for name in tables[0].labels},
            line=np.concatenate([table.line for table in tables]),
            malformed=tuple(
                dropped._replace(reason=f"{table.path}: {dropped.reason}") if table.path != path else dropped
                for table in tables
                for dropped in table.malformed
            ),
            **columns,
        )

    def take(self, rows: NDArray[np.intp]) -> "LabelTable":
        """The table of some rows, in this order."""
        labels = {name: column.take(rows) for name, column in self.labels.items()}
        columns: dict[str, Any] = {key: getattr(self, key).take(rows) for key in ("image", "group", "split", "file")}
        return replace(self, labels=labels, line=self.line[rows], **columns)

    def __len__(self) -> int:
        return len(self.line)

    def row(self, number: int) -> LabelRow:
        """One row, for messages and tests."""
        words = tuple(column[number] for column in self.labels.values())
        return LabelRow(int(self.line[number]), self.image[number], words, self.group[number], self.split[number])

    @property
    def of_several_files(self) -> bool:
        """Whether a line's number alone does not say where it stands."""
        return len(self.file.words) > 1

    def place(self, number: int) -> str:
        """Where a row stands, for messages: its line, or the image itself where no line names it."""
        line = int(self.line[number])
        return (
            f"{self.file[number]}:{line}"
            if line
            else f"{self.path}: {printable(self.image[number])[:MOST_IMAGE_CHARACTERS]}"
        )
