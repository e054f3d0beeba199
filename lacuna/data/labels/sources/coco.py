"""COCO's JSON of images, categories and annotations: an image has a category where one of its annotations does."""

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lacuna.config.data import Data
from lacuna.core.manifest import Part
from lacuna.data.labels.annotations.annotation_files import as_list, as_object, as_word, describe_value
from lacuna.data.labels.annotations.json_items import JsonItem, read_json_items
from lacuna.data.labels.annotations.offered_targets import AnnotatedImages, Question, build_table, note_never_used
from lacuna.data.labels.captions import CAPTIONS_REFUSED
from lacuna.data.labels.label_table import LabelTable, WordColumn
from lacuna.data.labels.match_images import ImageFinder
from lacuna.data.labels.part_files import find_near, find_only_group
from lacuna.errors import LacunaError
from lacuna.io.names import listed
from lacuna.io.plurals import number_of

_EXPECTED = "COCO's JSON object with images, annotations and categories"

_PARTS = ("images", "annotations", "categories")

_Id = int | str


def read_coco(data: Data, images: Sequence[str] = ()) -> LabelTable:
    """Read `data.labels`: a binary target of each category, present or absent in every image of the file.

    In a folder, the JSON files that are its parts are read, as `train/_annotations.coco.json` and `instances_val.json`,
    and are the split. The categorical target `category`, where `data.targets` names it, is the one category that an
    image has. Raises LacunaError with line and item where a file is not as COCO defines it.
    """
    path = Path(data.labels)
    if not path.is_dir():
        return _table(path, data, [_read_file(path)])
    group = find_only_group(path, sorted(path.rglob("*.json")))
    finder = ImageFinder(images)
    read = [_read_file(file, part) for part, file in group.items()]
    for one in read:
        folder = one.path.relative_to(path).parent
        near = find_near(WordColumn.of(one.rows.images), folder, one.part, finder, images)
        one.rows.images = [near[row] for row in range(len(near))]
    return _table(path, data, read)


def _read_file(path: Path, part: Part | None = None) -> "_Coco":
    coco = _Coco(path, part)
    keys = []
    for item in read_json_items(path, _EXPECTED):
        if not item.key:
            raise LacunaError(f"{path}: this is a JSON array{_guess(item.value)}; expected {_EXPECTED}")
        if item.number <= 1:
            keys.append(item.key)
        if item.key in _PARTS:
            coco.read(item)
    if missing := [part for part in _PARTS if part not in keys]:
        raise LacunaError(f"{path}: no {missing[0]}, there are {listed(keys) or 'no keys'}; expected {_EXPECTED}")
    return coco


def _guess(item: object) -> str:
    if isinstance(item, dict) and "category_id" in item:
        return " of detections without their images"
    if isinstance(item, dict) and ("annotations" in item or "annotation_id" in item):
        return ", maybe Label Studio's (data.source: label_studio)"
    return ""


class _Coco:
    """What was read so far; images and categories may stand behind the annotations that speak of them."""

    def __init__(self, path: Path, part: Part | None) -> None:
        self.path = path
        self.part = part
        self.rows = AnnotatedImages()
        self._row: dict[_Id, int] = {}
        self._category: dict[_Id, str] = {}
        self._seen: dict[_Id, int] = {}  # categories of annotations, numbered, with the first item that has each
        self._seen_at: list[str] = []
        self._pairs: tuple[list[_Id], array[int]] = ([], array("q"))

    def read(self, item: JsonItem) -> None:
        place = item.place(self.path)
        if not item.number:
            as_list(item.value, place, item.key)
            return
        content = as_object(item.value, place, f"one of the {item.key}")
        match item.key:
            case "images":
                name = as_word(content.get("file_name"), place, "file_name")
                if self._row.setdefault(_id(content.get("id"), place, "id"), len(self.rows)) != len(self.rows):
                    raise LacunaError(f"{place}: the id stands at another image above, expected one of its own")
                self.rows.add(name, item.line)
            case "categories":
                name = as_word(content.get("name"), place, "name")
                if self._category.setdefault(_id(content.get("id"), place, "id"), name) != name:
                    raise LacunaError(f"{place}: the id stands at another category above, expected one of its own")
            case _:
                self._read_annotation(content, place)

    def _read_annotation(self, content: dict[str, Any], place: str) -> None:
        image = _id(content.get("image_id"), place, "image_id")
        objects = [content]
        if "caption" in content and "category_id" not in content:
            raise LacunaError(f"{place}: {CAPTIONS_REFUSED}")
        if "category_id" not in content and "segments_info" in content:  # COCO's panoptic form
            segments = as_list(content["segments_info"], place, "segments_info")
            objects = [as_object(one, place, "one of segments_info") for one in segments]
        for one in objects:
            category = _id(one.get("category_id"), place, "category_id")
            number = self._seen.setdefault(category, len(self._seen))
            if number == len(self._seen_at):
                self._seen_at.append(place)
            self._pairs[0].append(image)
            self._pairs[1].append(number)

    def answer(self, question: Question, first_row: int) -> tuple[int, int]:
        """Add which row has which category; how many annotations are of no image, and images without annotation."""
        for name in self._category.values():
            question.declare(name)
        names = []
        for category, number in self._seen.items():
            if category not in self._category:
                raise LacunaError(
                    f"{self._seen_at[number]}: its category_id is none of the {len(self._category)} categories"
                )
            names.append(self._category[category])
        n_lost = 0
        annotated = set()
        for image, number in zip(*self._pairs, strict=True):
            if (row := self._row.get(image)) is None:
                n_lost += 1
            else:
                question.add(first_row + row, names[number])
                annotated.add(row)
        return n_lost, len(self.rows) - len(annotated)


def _table(path: Path, data: Data, files: Sequence["_Coco"]) -> LabelTable:
    question = Question("category")
    rows = AnnotatedImages()
    n_lost = n_bare = 0
    for file in files:
        lost, bare = file.answer(question, len(rows))
        n_lost, n_bare = n_lost + lost, n_bare + bare
        for image, line in zip(file.rows.images, file.rows.lines, strict=True):
            rows.add(image, line if len(files) == 1 else 0, file.part or "")
    notes = note_never_used(question.never_used())
    if n_lost:
        n = number_of(n_lost, "annotation is", "annotations are")
        notes.append(f"{n} of images that the file does not list, and left out")
    if n_bare:
        notes.append(f"{n_bare} of {len(rows)} images have no annotation and count as having none of the objects")
    offers = [*question.offer_each_word(len(rows)), question.offer_the_word(len(rows), is_asked_for=True)]
    return build_table(path, data, rows, offers, notes)


def _id(value: object, place: str, what: str) -> _Id:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise LacunaError(f"{place}: expected a whole number or a text as {what}, received {describe_value(value)}")
    return value
