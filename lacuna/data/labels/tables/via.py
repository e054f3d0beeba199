"""VIA, the VGG Image Annotator: what its project, its JSON and its CSV say of each image, as rows."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from lacuna.data.labels.tables.table_file import TableFile, table_of_values
from lacuna.errors import LacunaError

_PROJECT = "_via_img_metadata"
_OF_FILE, _OF_REGION = "file_attributes", "region_attributes"


def rows_of_via(content: dict[str, Any]) -> tuple[list[str], list[list[Any]]] | None:
    """The header and a row for each image, None where the object is none of VIA.

    A file's attribute is a column of texts, or of lists where it has check boxes; nothing ticked is a gap. A region's
    attribute is a column of the lists of what the image's regions say; an image without regions has an empty list.

    >>> rows_of_via({"1": {"filename": "1.jpg", "file_attributes": {"kind": "cat"}, "regions": []}})
    (['filename', 'kind'], [['1.jpg', 'cat']])
    """
    content = content.get(_PROJECT, content)
    entries = list(content.values()) if isinstance(content, dict) else []
    if not entries or not all(isinstance(one, dict) and {"filename", "regions"} <= one.keys() for one in entries):
        return None
    return _rows([(one["filename"], one.get(_OF_FILE), _attributes_of_regions(one["regions"])) for one in entries])


def read_via_csv(file: TableFile) -> TableFile | None:
    """The table of VIA's CSV, whose rows are regions, with a row for each image; None for other tables.

    Raises LacunaError at a cell that is no object of JSON and at lines that are no rows.
    """
    wanted = ("filename", _OF_FILE, _OF_REGION)
    if not {*wanted} <= {*file.header}:
        return None
    columns, line, malformed = file.read([file.header.index(name) for name in wanted])
    if malformed:
        lost = malformed[0].lines[0]
        raise LacunaError(f"{file.path}:{lost.line}: {lost.reason}; expected a row of VIA")
    images: dict[str, tuple[Any, list[Any]]] = {}
    for row, number in enumerate(line.tolist()):
        name, of_file, of_region = (column[row] for column in columns)
        place = f"{file.path}:{number}"
        images.setdefault(name, (_parse(of_file, place), []))[1].append(_parse(of_region, place))
    header, rows = _rows([(name, of_file, regions) for name, (of_file, regions) in images.items()])

    def pick(places: Sequence[int]) -> Iterable[Sequence[object]]:
        return ([row[place] for place in places] for row in rows)

    return table_of_values(file.path, header, pick, 0)


def _parse(cell: str, place: str) -> dict[str, Any]:
    try:
        found = json.loads(cell or "{}", parse_int=str, parse_float=str)
    except (json.JSONDecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise LacunaError(f"{place}: expected an object of JSON as attributes, as VIA writes them")
    return found


def _attributes_of_regions(regions: Any) -> list[Any]:
    """VIA 1 numbers the regions in an object, VIA 2 lists them."""
    each = regions.values() if isinstance(regions, dict) else regions if isinstance(regions, list) else ()
    return [region.get(_OF_REGION) for region in each if isinstance(region, dict)]


def _rows(images: Sequence[tuple[Any, Any, Sequence[Any]]]) -> tuple[list[str], list[list[Any]]]:
    """The rows of images: each one's name, its own attributes and those of each of its regions."""
    own = _names([of_file for _, of_file, _ in images])
    inside = _names([one for _, _, regions in images for one in regions])
    header = ["filename", *(f"{name} of file" if name == "filename" else name for name in own)]
    header += [f"{name} of regions" if name in header else name for name in inside]
    rows = []
    for name, of_file, regions in images:
        said = of_file if isinstance(of_file, dict) else {}
        cells = [_own_word(said.get(key)) for key in own]
        rows.append([name, *cells, *(_words_of_regions(regions, key) for key in inside)])
    return header, rows


def _names(attributes: Sequence[Any]) -> list[str]:
    return list(dict.fromkeys(name for one in attributes if isinstance(one, dict) for name in one))


def _own_word(value: Any) -> Any:
    """A text, the list of the ticked boxes, or None."""
    return (_ticked(value) if value else None) if isinstance(value, dict) else value


def _words_of_regions(regions: Sequence[Any], key: str) -> list[str]:
    """What the regions of an image say, each word once."""
    values = [one.get(key) for one in regions if isinstance(one, dict)]
    words = [_ticked(value) if isinstance(value, dict) else [str(value).strip()] for value in values if value]
    return sorted({word for each in words for word in each if word})


def _ticked(boxes: dict[str, Any]) -> list[str]:
    return [name for name, is_ticked in boxes.items() if is_ticked in (True, "true", "1")]
