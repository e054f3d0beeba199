"""JSON objects whose keys are no columns but names: of images, with what is said of each, or of classes."""

from collections import Counter
from pathlib import PurePosixPath
from typing import Any

from lacuna.data.images.formats import IMAGE_SUFFIXES

NAME, LABEL = "name", "label"
"""The columns that such an object makes of its keys and of values that are no objects."""

_AROUND = {"images", "labels", "annotations", "items", "data", "samples", "files", "results"}
_BESIDE = {"info", "license", "licenses", "version", "meta", "metadata", "description", "classes", "categories"}

FEWEST_NAMES = 10
"""So many keys or values are names, whatever they look like."""

_Rows = tuple[list[str], list[list[Any]]]


def unwrapped(content: dict[str, Any]) -> Any:
    """What an object such as {"info": ..., "labels": {...}} is wrapped around, or the object itself."""
    inside = [key for key in content if key not in _BESIDE]
    if len(inside) == 1 and inside[0] in _AROUND:
        value = content[inside[0]]
        if value and (isinstance(value, dict) or (isinstance(value, list) and isinstance(value[0], dict))):
            return value
    return content


def rows_of_names(content: dict[str, Any]) -> _Rows | None:
    """The header and the rows of an object of names, None where its keys are columns or it is a single row.

    >>> rows_of_names({"1.jpg": "cat", "2.jpg": "dog"})
    (['name', 'label'], [['1.jpg', 'cat'], ['2.jpg', 'dog']])
    >>> rows_of_names({"cat": ["1.jpg", "3.jpg"], "dog": ["2.jpg"]})
    (['name', 'label'], [['1.jpg', 'cat'], ['3.jpg', 'cat'], ['2.jpg', 'dog']])
    >>> rows_of_names({"1.jpg": {"kind": "cat"}, "2.jpg": {"kind": "dog", "old": True}})
    (['name', 'kind', 'old'], [['1.jpg', 'cat', None], ['2.jpg', 'dog', True]])
    >>> rows_of_names({"image": {"0": "1.jpg"}, "kind": {"0": "cat"}}) is None
    True
    """
    values = list(content.values())
    are_images = any(map(_is_image, content))
    if values and all(isinstance(value, dict) for value in values):
        return _rows_of_objects(content, are_images)
    if values and all(isinstance(value, list) for value in values):
        return ([NAME, LABEL], [list(pair) for pair in content.items()]) if are_images else _classes(content)
    if any(isinstance(value, dict | list) for value in values):
        return None
    is_long = len(content) >= FEWEST_NAMES and len(set(values)) < len(values)
    return ([NAME, LABEL], [list(pair) for pair in content.items()]) if are_images or is_long else None


def _rows_of_objects(content: dict[str, dict[str, Any]], are_images: bool) -> _Rows | None:
    inner = list(content.values())
    header = list(dict.fromkeys(key for value in inner for key in value))
    are_alike = all(list(value) == header for value in inner)
    if not are_images and are_alike and (_are_numbers(header) or len(content) <= len(header)):
        return None  # columns of pandas
    name = NAME if NAME not in header else "key"
    return [name, *header], [[key, *map(value.get, header)] for key, value in content.items()]


def _classes(content: dict[str, list[Any]]) -> _Rows | None:
    """Names under classes: these are images, or lists of different lengths in which each stands once."""
    names = [name for value in content.values() for name in value]
    if not all(isinstance(name, str) for name in names):
        return None
    differ = len({len(value) for value in content.values()}) > 1 and len(names) >= FEWEST_NAMES
    if not all(map(_is_image, names)) and not (differ and max(Counter(names).values(), default=2) == 1):
        return None
    return [NAME, LABEL], [[name, key] for key, value in content.items() for name in value]


def _are_numbers(keys: list[str]) -> bool:
    return keys == [str(number) for number in range(len(keys))]


def _is_image(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES
