"""The block `data` that fits a table, or the tables of a data set's parts."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lacuna.config.data import Data
from lacuna.core.manifest import Part
from lacuna.data.labels.folder_rows import images_in_folders
from lacuna.data.labels.label_table import WordColumn
from lacuna.data.labels.match_images import ImageFinder
from lacuna.data.labels.part_files import parts_of_files, prefer_part
from lacuna.data.labels.tables.open_table import open_table
from lacuna.errors import LacunaError
from lacuna.init.columns import MINUS, Roles, assign_roles, classes_in_names
from lacuna.init.folder_columns import find_folder_column, paths_of, spread_columns
from lacuna.init.image_columns import SAMPLE, find_image_columns
from lacuna.init.proposal import Proposal, narrowed
from lacuna.init.read_columns import encoding_of, header_words, open_as_it_is, read_columns
from lacuna.io.names import listed, shortened
from lacuna.io.plurals import number_of

NAMELESS = "column_{}"
_MOST_TARGETS = 1000
_MOST_COLUMNS = 10_000

_Table = dict[str, WordColumn]


def propose_from_table(
    folder: Path, files: Sequence[Path], names: list[str], finder: ImageFinder, data: Data, values: dict[str, Any]
) -> tuple[int, Proposal]:
    """What the table or the tables of the parts would give, and how many images they name; training's come first.

    `values`: what of the block is known already. Raises LacunaError where no column names images or none is a target.
    """
    tables, why = _read(files, finder, names, data, values)
    path = values["labels"]
    columns = {
        name: WordColumn.joined([table[name] for table in tables])
        for name in tables[0]
        if all(name in table for table in tables)
    }
    image_columns = find_image_columns(columns, finder, len(names))
    if not image_columns and (column := find_folder_column(columns, names)):
        columns, said = spread_columns(columns, column, names)
        image_columns, why = [column], [*why, said]
    if not image_columns:
        raise LacunaError(
            f"{path}: no column names images, such as {shortened(names[0])}; its columns: {listed(list(columns))}"
        )
    roles = _assign(columns, image_columns, finder, data)
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
        gone = number_of(n_words - n_found, "image that is not there", "images that are not there")
        why.append(f"labels of {gone} are ignored")
    values["image_column"] = image_columns[0] if len(image_columns) == 1 else image_columns
    values |= {"group_column": roles.group, "split_column": roles.split} | words_of(roles, data)
    if len(roles.targets) > _MOST_TARGETS:
        raise LacunaError(
            f"{path}: {len(roles.targets)} columns could be targets, more than {_MOST_TARGETS}; keep those to learn in "
            "the file"
        )
    if not values["targets"]:
        reasons = [f"{shortened(name)}: {why}" for name, why in dict(roles.left_out).items()][:5]
        raise LacunaError(
            f"{path}: column {listed(image_columns)} names images, but there is no column to learn"
            f"{': ' if reasons else ', it is the only one'}{'; '.join(reasons)}"
        )
    proposal = Proposal(values, names, why + roles.why, roles.doubts, roles.left_out)
    return len(matched), narrowed(proposal, folder, names, matched)


def _read(
    files: Sequence[Path], finder: ImageFinder, names: Sequence[str], data: Data, values: dict[str, Any]
) -> tuple[list[_Table], list[str]]:
    """The tables' columns, and what was found; of parts, only those with all columns that the first is learned from."""
    first, said = open_as_it_is(files[0], data)
    why = [f"{files[0]}: a table of {number_of(len(first.header), 'column')}{said}"]
    if len(first.header) > _MOST_COLUMNS:
        raise LacunaError(
            f"{files[0]}: {len(first.header)} columns, more than the {_MOST_COLUMNS} that are looked through; expected "
            "a row for each image, and a column for each thing to learn: keep those in the file, or turn it round"
        )
    cells = header_words(first.header)
    if any(len(found) == 1 for found in finder.find(cells)) or any(images_in_folders(paths_of(cells), names)):
        values["columns"] = [NAMELESS.format(number) for number in range(1, len(first.header) + 1)]
        why.append("its first line names an image: there is no header, and columns are called column_1, column_2, ...")
    twice = [name for name, n in Counter(first.header).items() if n > 1 and not values["columns"]]
    why += [f"column {shortened(name)} stands several times in the header and is left out" for name in twice]
    values["encoding"] = encoding_of(said)
    told = data.model_copy(
        update={"columns": tuple(values["columns"]), "encoding": values["encoding"], "image_column": ""}
    )
    is_as_told = not told.columns
    tables = [read_columns(first if is_as_told and file == files[0] else open_table(file, told)) for file in files]
    if len(files) == 1:
        return tables, why
    parts = parts_of_files(Path(values["labels"]), files)
    tables = [_in_part(table, parts[file], finder, names) for file, table in zip(files, tables, strict=True)]
    wanted = _wanted(tables[0], finder, names, data)
    whole = []
    for file, table in zip(files, tables, strict=True):
        if missing := [name for name in wanted if name not in table]:
            why.append(f"{file} is left out: it has no column {listed(missing)}, so its images have no labels")
        else:
            whole.append((file, table))
    read = [file for file, _ in whole]
    if len(read) == 1:
        values["labels"] = str(read[0])
    else:
        of = listed([file.relative_to(values["labels"]).as_posix() for file in read])
        why.append(f"{values['labels']}: {of} are read together, and are the split")
    return [table for _, table in whole], why


def _in_part(table: _Table, part: Part, finder: ImageFinder, names: Sequence[str]) -> _Table:
    """The table, with each of its image columns as `prefer_part` reads it."""
    near = {name: _near(column, part, finder, names) for name, column in table.items()}
    return table | {name: near[name] for name in find_image_columns(near, finder, len(names))}


def _near(column: WordColumn, part: Part, finder: ImageFinder, names: Sequence[str]) -> WordColumn:
    spread = column.words[:: -(-len(column.words) // SAMPLE) or 1]
    sample = WordColumn(np.arange(len(spread), dtype=np.int32), spread)
    return prefer_part(column, part, finder, names) if any(finder.find(sample)) else column


def _wanted(table: _Table, finder: ImageFinder, names: Sequence[str], data: Data) -> list[str]:
    """The columns that a table is learned from: of images and of targets, none where it cannot be told."""
    images = find_image_columns(table, finder, len(names))
    if not images:
        return []
    wanted = list(images)
    for name, target in _assign(table, images, finder, data).targets.items():
        own = target.get("column", name)
        wanted += [own] if isinstance(own, str) else own
    return wanted


def _assign(columns: _Table, image_columns: Sequence[str], finder: ImageFinder, data: Data) -> Roles:
    images = columns[image_columns[0]]
    place_of = [place[0] if len(place) == 1 else -1 for place in finder.find(images)]
    image = images.recoded(place_of).astype(np.int64)
    return assign_roles(columns, image_columns, data.unknown, image, data.min_class_count)


def words_of(roles: Roles, data: Data) -> dict[str, Any]:
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
