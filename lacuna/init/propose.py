"""The block `data` that fits a folder and its label file, and why."""

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lacuna.config.data import Data
from lacuna.core.manifest import SPLIT_WORDS
from lacuna.data.images.class_folders import find_places
from lacuna.data.images.find import find_files
from lacuna.data.images.idx import find_parts
from lacuna.data.labels.label_table import LabelTable, WordColumn
from lacuna.data.labels.match_images import ImageFinder
from lacuna.data.labels.sources.folders import DEFAULT_TARGET
from lacuna.data.labels.tables.excel_sheet import sheet_names
from lacuna.data.labels.tables.open_table import open_table
from lacuna.errors import LacunaError
from lacuna.init.binary_words import says_absent, says_present
from lacuna.init.columns import MINUS, Roles, assign_roles, classes_in_names
from lacuna.init.find_labels import find_label_files, guess_source, tables_of_parts
from lacuna.init.image_columns import find_image_columns
from lacuna.init.read_columns import encoding_of, header_words, open_as_it_is, read_columns
from lacuna.io.names import first_few, listed, shortened

NAMELESS = "column_{}"
EXCEL_SUFFIXES = (".xlsx", ".xls", ".xlsm", ".ods")


MOST_TARGETS, MOST_TOLD = 1000, 5
SIDES = re.compile(r"(.+?)[ _-]?(left|right|links|rechts|od|os)", re.I)


@dataclass
class Proposal:
    """`values`: keys of the block `data`. `images`: names below `values["path"]`. `why`, `doubts`: as in Roles."""

    values: dict[str, Any]
    images: list[str]
    why: list[str] = field(default_factory=list)
    doubts: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


def propose(folder: Path, label_files: Sequence[Path], data: Data) -> Proposal:
    """Look at the folder and the label files, those in it when none are given; `data`: what params.yaml says now.

    Raises LacunaError with every reason why nothing can be proposed.
    """
    if not folder.is_dir():
        raise LacunaError(f"{folder}: no such folder; name the one with the images")
    missing = [path for path in label_files if not path.is_file()]
    images: list[Path] = []
    others: list[Path] = []
    for path, is_image in find_files(folder):
        (images if is_image else others).append(path)
    problems = [f"{path}: no such label file" for path in missing]
    names = sorted(path.relative_to(folder).as_posix() for path in images)
    if not names and not label_files and any("idx" in path.name for path in others):
        find_parts(folder)
        values = {"source": "idx", "path": str(folder), "labels": str(folder), "targets": {}, "group_column": ""}
        return Proposal(values, [], ["idx files, as MNIST has them"])
    if not names:
        problems.append(
            f"{folder}: no image in it; {len(others)} other files: {first_few([path.name for path in others])}"
        )
    if problems:
        raise LacunaError("; ".join(problems))
    candidates = list(label_files) or find_label_files(folder, others)
    parts = tables_of_parts(folder, [path for path in candidates if path.is_relative_to(folder)])
    candidates = [folder] * bool(parts) + [path for path in candidates if path not in parts]
    tried: list[str] = []
    found: list[tuple[int, Proposal]] = []
    for path in candidates:
        for sheet in (path.suffix.lower() in EXCEL_SUFFIXES and sheet_names(path)) or [""]:
            in_sheet = data.model_copy(update={"sheet": sheet})
            try:
                found.append(_from_label_file(folder, path, parts if path == folder else [path], names, in_sheet))
            except LacunaError as error:
                tried.append(str(error))
    if found:
        best = max(found, key=lambda one: one[0])[1]
        if unused := [one.values["labels"] for _, one in found if one is not best]:
            best.why.append(
                f"not used: {listed(unused)}, which name images as well; --labels names another. Tables of the parts "
                "are read together when they lie in folders called train, val and test, and data.labels is the folder"
            )
        return best
    if label_files:
        raise LacunaError("; ".join(tried))
    return _from_folders(folder, names, tried)


def _from_folders(folder: Path, names: list[str], tried: list[str]) -> Proposal:
    parents = [PurePosixPath(name).parts[:-1] for name in names]
    below = "/".join(_common(parents))
    if below and below.lower() not in SPLIT_WORDS:  # the archive's own folder around those of the classes
        folder, names = folder / below, [name.removeprefix(f"{below}/") for name in names]
    places = find_places(names)
    classes = {place.name for place in places if place.name}
    if len(classes) < 2:
        more = [f"and {len(tried) - MOST_TOLD} more files"] * (len(tried) > MOST_TOLD)
        said = f"; {'; '.join(tried[:MOST_TOLD] + more)}" if tried else ""
        raise LacunaError(
            f"{folder}: {len(names)} images, but no label file that names them and no class folders{said}; name "
            "the label file by --labels"
        )
    why = [f"no label file names the images; their {len(classes)} folders are the classes: {listed(sorted(classes))}"]
    if any(place.split for place in places):
        why.append(f"the folders above are the split: {listed(sorted({place.split for place in places}))}")
    values = {
        "source": "folders",
        "path": str(folder),
        "labels": str(folder),
        "targets": {DEFAULT_TARGET: "categorical"},
    }
    return Proposal(values | {"group_column": ""}, names, why)


def _from_label_file(
    folder: Path, path: Path, files: Sequence[Path], names: list[str], data: Data
) -> tuple[int, Proposal]:
    """What one label file would give, and how many images it names. Raises LacunaError where it names none."""
    source = "table" if path.is_dir() else guess_source(path)
    finder = ImageFinder(names)
    values: dict[str, Any] = {"source": source, "path": str(folder), "labels": str(path), "targets": {}}
    plain = {
        "group_column": "",
        "split_column": "",
        "columns": [],
        "sheet": data.sheet,
        "labels_without_images": "error",
    }
    values |= plain
    if source == "table":
        return _from_table(folder, files, names, finder, data, values)
    from lacuna.data.labels.sources import SOURCES

    read = SOURCES[source](data.model_copy(update=values), names)
    matched = {place[0] for place in finder.find(read.image) if len(place) == 1}
    if not matched:
        raise LacunaError(f"{path}: names none of the {len(names)} images, such as {shortened(names[0])}")
    if source == "labels_txt":
        values["targets"] = _kinds_of_text(read, data.unknown)
    proposal = Proposal(values, names, [f"{path}: labels as {source} has them"])
    return len(matched), _narrowed(proposal, folder, names, sorted(matched))


def _kinds_of_text(read: LabelTable, unknown: Sequence[str]) -> dict[str, str]:
    """The targets of a text of names and words, where some say more than present and absent; none where not."""
    kinds = {}
    for name, column in read.labels.items():
        is_binary = all(says_present(word) or says_absent(word) or word in ("", *unknown) for word in column.words)
        kinds[name] = "binary" if is_binary else "categorical"
    return kinds if "categorical" in kinds.values() else {}


def _from_table(
    folder: Path, files: Sequence[Path], names: list[str], finder: ImageFinder, data: Data, values: dict[str, Any]
) -> tuple[int, Proposal]:
    first, path = files[0], values["labels"]
    table, said = open_as_it_is(first, data)
    several = f" in each of {len(files)} folders, which are the split" if len(files) > 1 else ""
    why = [f"{path}: a table of {len(table.header)} columns{several}{said}"]
    if any(len(found) == 1 for found in finder.find(header_words(table.header))):
        values["columns"] = [NAMELESS.format(number) for number in range(1, len(table.header) + 1)]
        why.append("its first line names an image: there is no header, and columns are called column_1, column_2, ...")
    told = data.model_copy(
        update={"columns": tuple(values["columns"]), "encoding": encoding_of(said), "image_column": ""}
    )
    values["encoding"] = told.encoding
    tables = [read_columns(open_table(file, told)) for file in files]
    columns = {
        name: WordColumn.joined([table[name] for table in tables])
        for name in tables[0]
        if all(name in table for table in tables)
    }
    image_columns = find_image_columns(columns, finder, len(names))
    if not image_columns:
        raise LacunaError(
            f"{path}: no column names images, such as {shortened(names[0])}; its columns: {listed(table.header)}"
        )
    first_images = columns[image_columns[0]]
    place_of = [place[0] if len(place) == 1 else -1 for place in finder.find(first_images)]
    roles = assign_roles(
        columns, image_columns, data.unknown, first_images.recoded(place_of).astype(np.int64), data.min_class_count
    )
    for name, target in roles.targets.items():
        own = columns.get(target.get("column", name) if isinstance(target.get("column", name), str) else "")
        if (
            own is not None
            and target["kind"] == "categorical"
            and classes_in_names(own, columns[image_columns[0]]) > 0.9
        ):
            why.append(f"the images' names tell the class of {name!r}: was it labelled by name?")
    places = finder.find(columns[image_columns[0]])
    matched = sorted({place[0] for name in image_columns for place in finder.find(columns[name]) if len(place) == 1})
    n_words, n_found = len(places), sum(len(place) == 1 for place in places)
    why.append(f"column {listed(image_columns)} names the images: {n_found} of {n_words} are there")
    if n_found < (1 - data.max_rejected) * n_words:
        values["labels_without_images"] = "ignore"
        why.append(f"labels of {n_words - n_found} images that are not there are ignored")
    values["image_column"] = image_columns[0] if len(image_columns) == 1 else image_columns
    values |= {"group_column": roles.group, "split_column": roles.split} | _words_of(roles, data)
    twice = [name for name, n in Counter(table.header).items() if n > 1]
    roles.left_out += [(name, "stands several times in the header") for name in twice]
    if len(roles.targets) > MOST_TARGETS:
        raise LacunaError(
            f"{path}: {len(roles.targets)} columns could be targets, more than {MOST_TARGETS}; keep those to learn in "
            "the file"
        )
    if not values["targets"]:
        reasons = [f"{shortened(name)}: {why}" for name, why in dict(roles.left_out).items()][:5]
        raise LacunaError(
            f"{path}: column {listed(image_columns)} names images, but there is no column to learn"
            f"{': ' if reasons else ', it is the only one'}{'; '.join(reasons)}"
        )
    proposal = Proposal(values, names, why + roles.why, roles.doubts, roles.left_out)
    return len(matched), _narrowed(proposal, folder, names, matched)


def _words_of(roles: Roles, data: Data) -> dict[str, Any]:
    """The targets and the words that mean unknown, present and absent: for all targets alike where that is possible."""
    unknown = [*data.unknown, *sorted(roles.unknown - set(data.unknown))]
    binary = [target for target in roles.targets.values() if "positive" in target and "" not in target["negative"]]
    positive = list(dict.fromkeys([*data.positive, *(word for target in binary for word in target["positive"])]))
    negative = list(dict.fromkeys([*data.negative, *(word for target in binary for word in target["negative"])]))
    values: dict[str, Any] = {"unknown": unknown}
    if not (set(unknown) & set(negative) or set(positive) & set(negative) or set(unknown) & set(positive)):
        values |= {"positive": positive, "negative": negative}
        for target in binary:
            for key in ("positive", "negative", "unknown"):
                target.pop(key, None)
    else:  # the same word means one thing here and another there: each target has its own
        values["unknown"] = [word for word in unknown if word not in MINUS]
        for target in binary:
            target["unknown"] = [*values["unknown"], *(word for word in target.get("unknown", ()) if word in MINUS)]
    if roles.tags:
        values["tags"] = roles.tags
    shown = {name: target["kind"] if list(target) == ["kind"] else target for name, target in roles.targets.items()}
    return {**values, "targets": shown}


def _common(parents: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The folders that all paths begin with."""
    lowest, highest = min(parents), max(parents)
    same = [left == right for left, right in zip(lowest, highest, strict=False)]
    return lowest[: same.index(False) if False in same else len(same)]


def _narrowed(proposal: Proposal, folder: Path, names: list[str], matched: Sequence[int]) -> Proposal:
    """The images in the deepest folder that holds all that have labels, and folders that are groups."""
    parents = [PurePosixPath(names[place]).parts[:-1] for place in matched]
    common = _common(parents)
    n_common, below = len(common), "/".join(common)
    values, images, why = dict(proposal.values), names, list(proposal.why)
    if below and not Path(values["labels"]).is_dir():
        values["path"] = str(folder / below)
        images = [name.removeprefix(f"{below}/") for name in names if name.startswith(f"{below}/")]
        why.append(f"the images with labels lie in {values['path']}: {len(images)} of {len(names)}")
    rest = [parts[n_common:] for parts in parents]
    tops = [parts[0] for parts in rest if parts]
    doubts = list(proposal.doubts)
    stems = [PurePosixPath(names[place]).stem for place in matched]
    pairs = Counter(side[1] for stem in stems if (side := SIDES.fullmatch(stem)))
    if not values["group_column"] and sum(n for n in pairs.values() if n > 1) > 0.5 * len(matched):
        why.append(
            f"images come in pairs of left and right, such as {shortened(stems[0])}, but no column says which belong "
            "together: a pair may be split between training and test; add such a column and set group_column"
        )
    if not values["group_column"] and len(set(tops)) > 9 and 1.2 * len(set(tops)) < len(tops) == len(rest):
        values["group_folders"] = 1
        why.append(
            f"images lie in {len(set(tops))} folders, such as {shortened(tops[0])}: those of one stay in one part"
        )
        doubts.append(("images of one folder belong together", "data.group_folders=0"))
    return dataclasses.replace(proposal, values=values, images=images, why=why, doubts=doubts)
