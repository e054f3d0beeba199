"""Label files of lines like `image_0.jpg 1 NA 0 1`: an image and one cell per target, between blanks."""

from collections.abc import Sequence
from pathlib import Path

from lacuna.config.data import Data
from lacuna.data.labels.label_table import LabelRow, LabelTable
from lacuna.data.labels.tables.text_file import read_text
from lacuna.errors import LacunaError
from lacuna.io.names import listed


def read_labels_txt(data: Data, _: Sequence[str] = ()) -> LabelTable:
    """Read `data.labels`. Without names in `data.targets` the columns are the binary attribute_1, attribute_2, ...

    Empty lines are left out. Raises LacunaError with file and line where the number of cells is not that of targets.
    """
    path = Path(data.labels)
    targets = data.target_kinds
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
                f"received {len(cells)} labels: {line.strip()[:80]!r}"
            )
        rows.append(LabelRow(number, image, tuple(cells)))
    return LabelTable.of_rows(path, targets, rows)
