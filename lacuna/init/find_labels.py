"""Which files in a folder hold labels, and in which format."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePath

from lacuna.config.types import Source
from lacuna.core.manifest import PARTS
from lacuna.data.labels.part_files import find_part_groups
from lacuna.data.labels.sources.cub import IMAGES, LABELS
from lacuna.data.labels.sources.voc_lists import class_of_list
from lacuna.data.labels.tables.open_table import TABLE_SUFFIXES, bare_suffix
from lacuna.data.labels.tables.text_file import unpacked_pieces
from lacuna.errors import LacunaError

LABEL_SUFFIXES = TABLE_SUFFIXES | {".txt", ".xml", ".ods", ".lst", ".manifest"}
HEAD_BYTES = 65_536
DEEPEST_FOLDER = 4
READ_IN_PARTS: tuple[Source, ...] = ("table", "coco", "labels_txt")
"""The sources that read a folder in which the files are train, val and test."""

FEWEST_SIDECARS = 10

READ_AS_FOLDER: tuple[Source, ...] = ("cub", "voc_lists")
"""The sources of which `data.labels` is the folder of lists."""

NO_LABELS = re.compile(r"(readme|license|licence|requirements|changelog|classes|data)\b.*", re.I)


def find_label_files(folder: Path, others: Sequence[Path]) -> list[Path]:
    """Of the files that are no images, those that may hold labels, the nearest to the folder first."""
    found = [
        path
        for path in others
        if bare_suffix(path) in LABEL_SUFFIXES
        and not path.name.startswith(".")
        and len(path.relative_to(folder).parts) <= DEEPEST_FOLDER
        and (bare_suffix(path) not in (".txt", ".xml") or not NO_LABELS.fullmatch(path.name))
    ]
    return sorted(found, key=lambda path: (len(path.parts), path))


def without_sidecars(files: Sequence[Path], images: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The files but for those that are called like an image each, where these are many, and what to say of them."""
    stems = {stem for name in images for stem in (PurePath(name).name, PurePath(name).stem)}
    beside = [path for path in files if path.stem in stems and bare_suffix(path) in (".txt", ".xml", ".json")]
    if len(beside) < FEWEST_SIDECARS:
        return list(files), []
    said = (
        f"{len(beside)} files such as {beside[0]} are called like an image each, as YOLO, Pascal VOC and Supervisely "
        "write them, and are not read; make one table of them, with a row for each image"
    )
    there = set(beside)
    return [path for path in files if path not in there], [said]


def group_files(folder: Path, files: Sequence[Path]) -> list[list[Path]]:
    """The files that are read together: the parts of one data set, training first, and the lists in a folder."""
    source = {path: _guess_or_none(path) for path in files}
    groups = [
        [group[part] for part in PARTS if part in group]
        for group in find_part_groups(folder, [path for path in files if path.is_relative_to(folder)])
        if source[next(iter(group.values()))] in READ_IN_PARTS
    ]
    grouped = {path for group in groups for path in group}
    lists: dict[tuple[Path, Source | None], list[Path]] = {}
    for path in files:
        if source[path] in READ_AS_FOLDER:
            lists.setdefault((path.parent, source[path]), []).append(path)
        elif path not in grouped:
            groups.append([path])
    return groups + list(lists.values())


def _guess_or_none(path: Path) -> Source | None:
    try:
        return guess_source(path)
    except LacunaError:
        return None


def guess_source(path: Path) -> Source:
    """The format of a label file, by what it begins with. Raises LacunaError when it cannot be read."""
    try:
        start = next(unpacked_pieces(path, "a label file"), b"")[:HEAD_BYTES]
    except OSError as error:
        raise LacunaError(f"{path}: {error.strerror}") from None
    if start.startswith((b"PAR1", b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return "table"
    encoding = "utf-16" if start.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    text = start.decode(encoding, "replace").lstrip("\ufeff").lstrip()
    suffix = bare_suffix(path)
    if suffix == ".xml":
        return "cvat"
    if suffix == ".json":
        return _guess_json(text)
    first, *rest = text.splitlines() or [""]
    cells = {cell.strip().strip('"') for cell in re.split(r"[,;\t|]", first)}
    if {"ImageID", "LabelName"} <= cells:
        return "open_images"
    if {"annotation_id", "lead_time"} <= cells:
        return "label_studio"
    if suffix == ".txt":
        if first.strip().isdigit() and rest:
            return "celeba"
        if re.match(r"#?\s*Image CLASS-ID SPECIES", first):
            return "oxford_pets"
        if path.name == IMAGES and (path.parent / LABELS).is_file():
            return "cub"
        values = {line.split()[-1] for line in [first, *rest[:-1]] if line.strip()}
        if class_of_list(path) and "-1" in values <= {"-1", "0", "1"}:
            return "voc_lists"
        widths = {len(line.split()) for line in [first, *rest[:50]][:-1] if line.strip()}
        if not re.search(r"[,;\t|]", first) and len(widths) <= 1 and len(first.split()) > 1:
            return "labels_txt"
    return "table"


def _is_fgvc(keys: set[str]) -> bool:
    """Whether images have numbers and addresses instead of COCO's names of files, or labels numbers without names."""
    is_coco = keys & {"file_name", "category_id", "categories", "segments_info"}
    return bool(keys & {"label_id", "labelId", "imageId"}) or (bool(keys & {"image_id", "url"}) and not is_coco)


def _guess_json(text: str) -> Source:
    keys = set(re.findall(r'"(\w+)"\s*:', text))
    lists = set(re.findall(r'"(images|annotations|categories)"\s*:\s*\[', text))
    if text.startswith("{") and lists and "data" not in keys and not _is_fgvc(keys):
        return "coco"
    if text.startswith("[") and keys & {"annotations", "completed_by", "annotator", "lead_time"}:
        return "label_studio"
    return "table"
