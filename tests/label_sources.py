"""Readers of label formats, called as `prepare` calls them, and documents with one thing wrong in them."""

import copy
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from lacuna.config.data import Data, TargetColumn
from lacuna.data.labels.label_table import LabelTable, WordColumn
from lacuna.errors import LacunaError
from tests.tiny_project import write_params

Reader = Callable[[Data, Sequence[str]], LabelTable]


def read_with(reader: Reader, path: Path, images: Sequence[str] = (), **changes: object) -> LabelTable:
    """The table of the label file `path`, read with the repository's parameters, all targets and these `changes`."""
    kinds: Any = changes.pop("targets", {})
    targets = {name: TargetColumn(kind=kind) for name, kind in kinds.items()}
    update = {"labels": str(path), "targets": targets, "group_column": "", **changes}
    return reader(_data().model_copy(update=update), images)


def refusal(reader: Reader, path: Path, **changes: object) -> str:
    """The message with which the file is refused: one line, that shows little of the file."""
    with pytest.raises(LacunaError) as caught:
        read_with(reader, path, **changes)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600 + 2 * len(str(path))
    return message


def survives(reader: Reader, path: Path) -> None:
    """It is read, or refused in one line."""
    said = ""
    try:
        assert len(read_with(reader, path)) > 0
    except LacunaError as error:
        said = str(error)
    assert "\n" not in said


def words_of(column: WordColumn) -> list[str]:
    """The word of each row."""
    return [column[row] for row in range(len(column))]


def cells(table: LabelTable) -> dict[str, list[str]]:
    """The words of each target, row by row."""
    return {name: words_of(column) for name, column in table.labels.items()}


WRONG: list[Any] = [
    *(None, True, False, 0, -1, 3.5, 10**30, "", " ", "x", "\ud800", "a\nb", "ü" * 50_000),
    *([], {}, [None], [[]], ["a", 1], [{}], {"a": 1}, {"id": None}),
]


def mutations(document: Any) -> st.SearchStrategy[str]:
    """JSON texts of the document with a value at one or two random places replaced, left out or doubled."""
    change = st.tuples(st.sampled_from(list(_places(document))), st.sampled_from(["replace", "drop", "double"]))
    changes = st.lists(st.tuples(change, st.sampled_from(WRONG)), min_size=1, max_size=2)
    return changes.map(lambda made: _changed(document, made))


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield (*place, key)
        yield from _places(each, (*place, key))


def _changed(document: Any, changes: list[tuple[tuple[tuple[Any, ...], str], Any]]) -> str:
    made = {"": copy.deepcopy(document)}
    for (place, how), wrong in changes:
        *above, last = ("", *place)
        holder = made
        try:
            for key in above:
                holder = holder[key]
            if how == "replace":
                holder[last] = copy.deepcopy(wrong)
            elif how == "drop":
                del holder[last]
            elif isinstance(holder, list):
                holder.append(holder[last])
        except (KeyError, IndexError, TypeError):  # the change before took the place away
            continue
    return json.dumps(made[""])


@cache
def _data() -> Data:
    with tempfile.TemporaryDirectory() as folder:
        return write_params(Path(folder), {}).data
