"""Tasks of Label Studio as its exports write them: what was annotated, by whom it counts, in which words."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lacuna.data.labels.annotations.annotation_files import (
    as_list,
    as_object,
    as_text,
    as_word,
    describe_text,
    find_repeated,
    read_text_lines,
)
from lacuna.data.labels.annotations.json_items import decode_json
from lacuna.data.labels.annotations.label_studio_images import is_image_name
from lacuna.errors import LacunaError
from lacuna.io.names import listed, shortened
from lacuna.io.plurals import number_of

_BOOKKEEPING = ("annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement", "id")
"""Keys that JSON_MIN and CSV add to a task's own fields and to the answers. The answers stand behind `id`."""


_MARKS = {"annotator", "annotation_id", "lead_time"}
"""By one of these keys a task of JSON_MIN or CSV is known."""


class Answer(NamedTuple):
    """What one annotation says at one control. `kind`: choices, labels (of objects), or another type, without words.

    `is_sure`: it is no field of the task, which JSON_MIN and CSV write in the same way.
    """

    control: str
    kind: str
    words: list[str]
    is_sure: bool = True


def read_task(task: object, place: str) -> tuple[dict[str, Any], list[list[Answer]]]:
    """The fields of a task (its image among them), and the answers of each annotation that counts.

    Cancelled and skipped ones do not; where one is marked as ground truth, only such do. Raises LacunaError where the
    task is not as Label Studio writes it.
    """
    content = as_object(task, place, "a task")
    key = next((key for key in ("annotations", "completions") if key in content), "")
    if not key and not isinstance(content.get("data"), dict):
        return _read_flat(content, place)
    fields = as_object(content.get("data"), place, "data")
    annotations = []
    for each in as_list(content.get(key, []), place, key or "annotations"):
        if isinstance(each, int):
            raise LacunaError(f"{place}: annotations are given by number alone; export with their content (JSON)")
        annotations.append(as_object(each, place, f"one of the {key}"))
    counting = [each for each in annotations if not (each.get("was_cancelled") or each.get("skipped"))]
    counting = [each for each in counting if each.get("ground_truth") is True] or counting
    return fields, [_read_results(as_list(each.get("result"), place, "result"), place) for each in counting]


def _read_results(results: list[Any], place: str) -> list[Answer]:
    """The answers of one annotation, one for each control, however many objects or regions it marked."""
    found: dict[str, Answer] = {}
    for each in results:
        result = as_object(each, place, "one of result")
        kind = as_text(result.get("type", ""), place, "type")
        if kind == "relation" or "from_name" not in result:  # between two objects
            continue
        control = as_word(result["from_name"], place, "from_name")
        value = as_object(result.get("value"), place, "value")
        words = (
            [as_word(word, place, kind) for word in as_list(value.get(kind, []), place, kind)] if _read(kind) else []
        )
        kind = "labels" if kind.endswith("labels") else kind
        found.setdefault(control, Answer(control, kind, [])).words.extend(words)
    return list(found.values())


def _read(kind: str) -> bool:
    return kind == "choices" or kind.endswith("labels")


def _read_flat(task: dict[str, Any], place: str) -> tuple[dict[str, Any], list[list[Answer]]]:
    """A task of JSON_MIN or CSV: one annotation, whose answers stand beside the task's own fields."""
    keys = list(task)
    if not _MARKS & {*keys}:
        raise LacunaError(
            f"{place}: no task of Label Studio: it has {listed(keys) or 'no keys'}; expected data and annotations, "
            "or annotation_id in JSON_MIN"
        )
    behind = set(keys[keys.index("id") + 1 :] if "id" in task else keys)
    answers = []
    for name, value in task.items():
        if name not in _BOOKKEEPING and (answer := _read_answer(name, value, place)):
            answers.append(answer if name in behind else answer._replace(is_sure=not isinstance(value, str)))
    is_annotated = task.get("annotation_id", task.get("annotator", task.get("lead_time"))) not in (None, "")
    return task, [answers] if is_annotated else []


def _read_answer(name: str, value: Any, place: str) -> Answer | None:
    match value:
        case {"choices": words}:
            return Answer(name, "choices", [as_word(word, place, name) for word in as_list(words, place, "choices")])
        case str() if value.strip() and not is_image_name(value):
            return Answer(name, "choices", [as_word(value, place, name)])
        case list() if value and all(isinstance(each, str) for each in value):  # of several regions
            return Answer(name, "choices", [as_word(word, place, name) for word in value])
        case list() if value and all(isinstance(each, dict) for each in value):
            return _read_regions(name, value, place)
    return None


def _read_regions(name: str, regions: list[dict[str, Any]], place: str) -> Answer:
    words: list[str] = []
    kinds = []
    for region in regions:
        kind = next((key for key in region if _read(key)), "others")
        kinds.append("labels" if kind.endswith("labels") else kind)
        words += [as_word(word, place, name) for word in as_list(region.get(kind, []), place, name)]
    return Answer(name, "labels" if "labels" in kinds else kinds[0], words)


def read_csv_tasks(path: Path, expected: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """The rows of the CSV (or TSV) export: where each stands, its line, and what JSON_MIN would hold."""
    lines = read_text_lines(path, expected)
    first = next(lines, "")
    delimiter = "\t" if first.count("\t") > first.count(",") else ","
    header = next(csv.reader([first], delimiter=delimiter), [])
    if not _MARKS & {*header}:
        raise LacunaError(
            f"{path}: this is {describe_text(first)}; expected {expected}, whose CSV has a column annotation_id"
        )
    if twice := find_repeated(header):
        raise LacunaError(f"{path}:1: more than one column {shortened(twice)}; there are {listed(header)}")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = 2
    try:
        for cells in reader:
            if cells and len(cells) != len(header):
                raise LacunaError(
                    f"{path}:{line}: {number_of(len(cells), 'cell')}, the header has {len(header)}; is it cut off?"
                )
            if cells:
                place = f"{path}:{line}"
                content = [_read_cell(cell, place) for cell in cells]
                yield place, line, dict(zip(header, content, strict=True))
            line = reader.line_num + 2
    except csv.Error as error:
        raise LacunaError(f"{path}:{line}: not valid CSV ({error}); masks and other long cells are in JSON") from None


def _read_cell(cell: str, place: str) -> Any:
    """What Label Studio wrote as JSON into a cell; other text as it is."""
    return decode_json(cell, place) if cell.startswith(("[{", '["', '{"')) else cell
