"""JSON that lists images and, apart from them, what is said of each: rows by the images' numbers, as FGVC has them."""

from pathlib import Path
from typing import Any

from lacuna.errors import LacunaError
from lacuna.io.names import listed, shortened

_NUMBER_OF_IMAGE = ("image_id", "imageId", "id")
"""What the number of an image is called: at the image, and but for the last at what is said of it."""


def rows_of_images(content: dict[str, Any], path: Path) -> tuple[list[str], list[list[Any]]] | None:
    """The header and a row for each annotation, with the fields of its image before its own; None for other objects.

    An image without an annotation has a row of gaps. Lists of one item each are that item; where some are longer, all
    are lists. Raises LacunaError where an image has no number, or that of another.
    """
    images, annotations = _objects(content.get("images")), _objects(content.get("annotations"))
    if not images or not annotations:
        return None
    key = _find_key(images, _NUMBER_OF_IMAGE, f"{path}: images")
    key_there = _find_key(annotations, _NUMBER_OF_IMAGE[:-1], f"{path}: annotations")
    said: dict[str, list[dict[str, Any]]] = {_number(image, key, f"{path}: images"): [] for image in images}
    if len(said) < len(images):
        raise LacunaError(f"{path}: images: two of them have the same {key}, expected a number of its own for each")
    fields = {_number(image, key, str(path)): image for image in images}
    for one in annotations:
        said.setdefault(_number(one, key_there, f"{path}: annotations"), []).append(one)
    of_image = [name for name in dict.fromkeys(name for image in images for name in image) if name != key]
    own = [name for name in dict.fromkeys(name for one in annotations for name in one) if name not in (key_there, "id")]
    own = [name for name in own if name not in (key, *of_image)]
    rows = [
        [number, *(fields.get(number, {}).get(name) for name in of_image), *(one.get(name) for name in own)]
        for number, those in said.items()
        for one in those or [{}]
    ]
    columns = [_alike([row[place] for row in rows]) for place in range(1 + len(of_image) + len(own))]
    return [key, *of_image, *own], [list(row) for row in zip(*columns, strict=True)]


def _objects(value: Any) -> list[dict[str, Any]]:
    """The value if it is a list of objects alone, else an empty one."""
    is_list = isinstance(value, list) and all(isinstance(each, dict) for each in value)
    return value if is_list else []


def _find_key(records: list[dict[str, Any]], keys: tuple[str, ...], place: str) -> str:
    found = next((key for key in keys if any(key in record for record in records)), None)
    if found is None:
        raise LacunaError(f"{place}: no {' or '.join(keys)}, there are {listed(list(records[0])) or 'no keys'}")
    return found


def _number(record: dict[str, Any], key: str, place: str) -> str:
    number = record.get(key)
    if not isinstance(number, str) or not number:
        raise LacunaError(f"{place} item without {key}: {shortened(str(record))}")
    return number


def _alike(values: list[Any]) -> list[Any]:
    """The values of a column, all of them lists or none."""
    lists = [value for value in values if isinstance(value, list)]
    if all(len(value) == 1 for value in lists):
        return [value[0] if isinstance(value, list) else value for value in values]
    return [value if isinstance(value, list) or value is None else [value] for value in values]
