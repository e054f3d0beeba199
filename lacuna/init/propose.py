"""The block `data` that fits a folder and its label file, and why."""

import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from lacuna.config.data import Data
from lacuna.core.manifest import SPLIT_WORDS
from lacuna.data.images.class_folders import find_places
from lacuna.data.images.find import find_files
from lacuna.data.images.idx import find_parts
from lacuna.data.labels.label_table import LabelTable
from lacuna.data.labels.match_images import ImageFinder
from lacuna.data.labels.sources.folders import DEFAULT_TARGET
from lacuna.data.labels.tables.excel_sheet import sheet_names
from lacuna.errors import LacunaError
from lacuna.init.binary_words import says_absent, says_present
from lacuna.init.find_labels import READ_AS_FOLDER, find_label_files, group_files, guess_source, without_sidecars
from lacuna.init.from_names import suggest_pattern
from lacuna.init.from_table import propose_from_table
from lacuna.init.proposal import Proposal, common_folders, narrowed
from lacuna.io.names import first_few, listed, shortened
from lacuna.io.plurals import number_of

EXCEL_SUFFIXES = (".xlsx", ".xls", ".xlsm")
MOST_TOLD = 5
PART_LIKE = re.compile(
    r"(train|test|val|valid|dev|eval)(ing|ation|uate)?[ _-]?(images|set|data|imgs)?[ _-]?\d*"
    r"|(part|fold|batch|chunk|shard|set|split|images?|imgs?|photos?|pictures?|data)[ _-]?\d+",
    re.I,
)


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
            f"{folder}: no image in it; {number_of(len(others), 'other file')}: "
            + first_few([path.name for path in others])
        )
    if problems:
        raise LacunaError("; ".join(problems))
    found: list[tuple[int, Proposal]] = []
    apart: list[tuple[list[Path], str]] = []
    files_there, tried = without_sidecars(find_label_files(folder, others), names)
    pending = group_files(folder, list(label_files) or files_there)
    for files in pending:
        for sheet in (files[0].suffix.lower() in EXCEL_SUFFIXES and sheet_names(files[0])) or [""]:
            in_sheet = data.model_copy(update={"sheet": sheet})
            try:
                found.append(_from_label_files(folder, files, names, in_sheet))
            except LacunaError as error:
                tried.append(str(error))
                if len(files) > 1:  # each may be read by itself
                    apart.append((files, str(error)))
                    pending += [[path] for path in files]
    if found:
        best = max(found, key=lambda one: one[0])[1]
        alone = Path(best.values["labels"])
        best.why += [f"not read together: {reason}" for files, reason in apart if alone in files]
        if unused := [one.values["labels"] for _, one in found if one is not best]:
            best.why.append(
                f"not used: {listed(unused)}, which name images as well; --labels names another. Files of "
                "the parts are read together where they, or their folders, are called train, val and test"
            )
        return best
    if label_files:
        raise LacunaError("; ".join(tried))
    return _from_folders(folder, names, tried)


def _from_folders(folder: Path, names: list[str], tried: list[str]) -> Proposal:
    parents = [PurePosixPath(name).parts[:-1] for name in names]
    below = "/".join(common_folders(parents))
    if below and below.lower() not in SPLIT_WORDS:  # the archive's own folder around those of the classes
        folder, names = folder / below, [name.removeprefix(f"{below}/") for name in names]
    places = find_places(names)
    classes = {place.name for place in places if place.name}
    if len(classes) < 2:
        more = [f"and {number_of(len(tried) - MOST_TOLD, 'more file')}"] * (len(tried) > MOST_TOLD)
        said = f"; {'; '.join(tried[:MOST_TOLD] + more)}" if tried else ""
        raise LacunaError(
            f"{folder}: {number_of(len(names), 'image')}, but no label file that names them and no class folders"
            f"{said}; name the label file by --labels. {suggest_pattern(names)}"
        )
    if all(PART_LIKE.fullmatch(name) for name in classes):
        raise LacunaError(
            f"{folder}: its folders {listed(sorted(classes))} read like parts of a data set, not like classes; rename "
            "them to train, val and test where folders of classes lie in them, or name the label file by --labels. "
            + suggest_pattern(names)
        )
    folders = listed(sorted(classes))
    why = [f"no label file has labels of the images; their {len(classes)} folders are the classes: {folders}"]
    why += [f"not used: {reason}" for reason in tried[:MOST_TOLD]]
    if any(place.split for place in places):
        why.append(f"the folders above are the split: {listed(sorted({place.split for place in places}))}")
    values = {
        "source": "folders",
        "path": str(folder),
        "labels": str(folder),
        "targets": {DEFAULT_TARGET: "categorical"},
    }
    return Proposal(values | {"group_column": ""}, names, why)


def _from_label_files(folder: Path, files: Sequence[Path], names: list[str], data: Data) -> tuple[int, Proposal]:
    """What one label file, or those of the parts, would give, and how many images it names.

    Raises LacunaError where it names none.
    """
    source = guess_source(files[0])
    is_file = len(files) == 1 and source not in READ_AS_FOLDER
    path = files[0] if is_file else Path(os.path.commonpath([file.parent for file in files]))
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
        return propose_from_table(folder, files, names, finder, data, values)
    from lacuna.data.labels.sources import SOURCES

    read = SOURCES[source](data.model_copy(update=values), names)
    matched = {place[0] for place in finder.find(read.image) if len(place) == 1}
    if not matched:
        raise LacunaError(f"{path}: names none of the {len(names)} images, such as {shortened(names[0])}")
    if source == "labels_txt":
        values["targets"] = _kinds_of_text(read, data.unknown)
    several = listed([file.relative_to(path).as_posix() for file in files]) if len(files) > 1 else ""
    why = [
        f"{path}: labels as {source} has them",
        *([f"{several} are read together, and are the split"] if several else []),
    ]
    proposal = Proposal(values, names, why)
    return len(matched), narrowed(proposal, folder, names, sorted(matched))


def _kinds_of_text(read: LabelTable, unknown: Sequence[str]) -> dict[str, str]:
    """The targets of a text of names and words, where some say more than present and absent; none where not."""
    kinds = {}
    for name, column in read.labels.items():
        is_binary = all(says_present(word) or says_absent(word) or word in ("", *unknown) for word in column.words)
        kinds[name] = "binary" if is_binary else "categorical"
    return kinds if "categorical" in kinds.values() else {}
