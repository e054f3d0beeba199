"""Tables in JSON: a list of objects, an object of columns or of names, rows under the names of columns, images and what
is said of them, or an object a line."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lacuna.data.labels.tables.json_images import rows_of_images
from lacuna.data.labels.tables.json_names import rows_of_names, unwrapped
from lacuna.data.labels.tables.table_file import TableFile, table_of_values
from lacuna.data.labels.tables.text_file import read_text
from lacuna.data.labels.tables.via import rows_of_via
from lacuna.errors import LacunaError
from lacuna.io.names import shortened

JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")


def open_json(path: Path) -> TableFile:
    """Read a file as pandas writes it (`orient` records, columns, split, index or table), JSON Lines, or an object
    whose keys are names (`json_names`), images beside annotations (`json_images`), or what VIA saves (`via`).

    Numbers stay as they are written. Raises LacunaError, with line or row, at what is none of that, and at a key that
    stands twice in an object.
    """
    text = read_text(path)
    try:
        content = _parse(text, path, 0)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise LacunaError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from None
        return _table_of_records(path, _parse_lines(text, path), 1)
    if isinstance(content, dict) and isinstance(content.get("data"), list):
        columns, rows = content.get("columns"), content["data"]
        if isinstance(columns, list) and all(isinstance(row, list) and len(row) == len(columns) for row in rows):
            return _table_of_rows(path, list(map(str, columns)), rows)
        content = rows  # orient="table"
    if isinstance(content, dict) and (rows_there := rows_of_via(content) or rows_of_images(content, path)):
        return _table_of_rows(path, *rows_there)
    if isinstance(content, dict):
        content = unwrapped(content)
    if isinstance(content, dict) and (named := rows_of_names(content)):
        return _table_of_rows(path, *named)
    if isinstance(content, dict) and content and all(isinstance(column, dict | list) for column in content.values()):
        keys = [list(column) if isinstance(column, dict) else range(len(column)) for column in content.values()]
        if any(list(other) != list(keys[0]) for other in keys):
            raise LacunaError(f"{path}: the columns of this JSON object have different rows, expected the same in each")
        cells = [list(column.values()) if isinstance(column, dict) else column for column in content.values()]
        return _table_of_rows(path, list(content), list(zip(*cells, strict=True)))
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        raise LacunaError(f"{path}: a single JSON value, expected a list of objects, one per image")
    return _table_of_records(path, content, 0)


def _table_of_rows(path: Path, header: list[str], rows: Sequence[Sequence[object]]) -> TableFile:
    def pick(places: Sequence[int]) -> Iterator[list[object]]:
        return ([row[place] for place in places] for row in rows)

    return table_of_values(path, [name.strip() for name in header], pick, 0)


def _table_of_records(path: Path, records: list[Any], first_line: int) -> TableFile:
    header: dict[str, None] = {}
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            kind = {list: "a list", str: "a text or number", bool: "true or false"}.get(type(record), "null")
            where = f"{path}:{number}:" if first_line else f"{path}: row {number} is"
            raise LacunaError(f"{where} {kind}, expected an object with the names of columns as keys")
        header.update(dict.fromkeys(record))
    names = list(header)

    def pick(places: Sequence[int]) -> Iterator[list[object]]:
        return ([record.get(names[place]) for place in places] for record in records)

    return table_of_values(path, [name.strip() for name in names], pick, first_line)


def _parse(text: str, path: Path, line: int) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            key = next(key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place]))
            raise LacunaError(f"{path}{f':{line}' if line else ''}: the key {shortened(key)} stands twice in an object")
        return found

    try:
        # Text for numbers: 1.0 and 007 stay what the file says.
        return json.loads(text, object_pairs_hook=unique, parse_int=str, parse_float=str, parse_constant=str)
    except RecursionError:
        raise LacunaError(f"{path}: JSON nested too deeply for a table, expected a list of objects") from None


def _parse_lines(text: str, path: Path) -> list[Any]:
    found: list[Any] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                found.append(_parse(line, path, number))
            except json.JSONDecodeError as error:
                raise LacunaError(f"{path}:{number}: not valid JSON: {error.msg}, expected an object a line") from None
        else:
            found.append({})  # keeps the numbers of lines
    return found
