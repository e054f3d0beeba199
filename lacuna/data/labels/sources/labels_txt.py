"""Label files of lines like `image_0.jpg 1 NA 0 1`: an image and one cell per target, between blanks."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lacuna.config.data import Data
from lacuna.core.targets import Kind
from lacuna.data.labels.label_table import LabelRow, LabelTable, WordColumn
from lacuna.data.labels.match_images import ImageFinder
from lacuna.data.labels.part_files import find_near, find_only_group
from lacuna.data.labels.tables.text_file import read_text
from lacuna.errors import LacunaError
from lacuna.io.names import listed
from lacuna.io.plurals import number_of


def read_labels_txt(data: Data, images: Sequence[str] = ()) -> LabelTable:
    """Read `data.labels`. Without names in `data.targets` the columns are the binary attribute_1, attribute_2, ...

    Empty lines are left out. In a folder, the files that are its parts are read, as train_list.txt and test_list.txt,
    and are the split. Raises LacunaError with file and line where the number of cells is not that of targets.
    """
    path = Path(data.labels)
    if not path.is_dir():
        return _read_file(path, data, data.target_kinds)
    targets, tables, finder = data.target_kinds, [], ImageFinder(images)
    for part, file in find_only_group(path, sorted(path.rglob("*.txt"))).items():
        table = _read_file(file, data, targets)
        targets = table.targets
        image = find_near(table.image, file.relative_to(path).parent, part, finder, images)
        tables.append(replace(table, image=image, split=WordColumn.constant(part, len(table))))
    return LabelTable.joined(path, tables)


def _read_file(path: Path, data: Data, targets: dict[str, Kind]) -> LabelTable:
    rows = []
    for number, line in enumerate(read_text(path, encoding=data.encoding).splitlines(), start=1):
        image, *cells = line.split() or [""]
        if not image:
            continue
        if not targets:
            targets = {f"attribute_{column}": "binary" for column in range(1, len(cells) + 1)}
        if len(cells) != len(targets) or not cells:
            raise LacunaError(
                f"{path}:{number}: expected an image and {len(targets) or 'some'} labels ({listed(list(targets))}), "
                f"received {number_of(len(cells), 'label')}: {line.strip()[:80]!r}"
            )
        rows.append(LabelRow(number, image, tuple(cells)))
    return LabelTable.of_rows(path, targets, rows)
