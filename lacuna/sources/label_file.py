"""What every label format is read into: rows of text, before anything is interpreted."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lacuna.errors import LacunaError
from lacuna.targets import Kind


class Row(NamedTuple):
    """One line of a label file, cells stripped of blanks. `group` and `split` are "" where nothing is given."""

    line: int
    image: str
    labels: tuple[str, ...]
    group: str = ""
    split: str = ""


@dataclass(frozen=True)
class LabelFile:
    """The rows of a label file; `targets` names the kind of each of a row's labels, in order.

    `n_skipped` lines could not be read as rows.
    """

    path: Path
    targets: dict[str, Kind]
    rows: list[Row]
    n_skipped: int = 0


def read_text(path: Path) -> str:
    """The file's text without byte order mark. Raises LacunaError when it is missing, empty or not UTF-8."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise LacunaError(f"{path}: no such file; data.labels must name the label file") from None
    except UnicodeDecodeError as error:
        raise LacunaError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    if not text.strip():
        raise LacunaError(f"{path}: the label file is empty, expected a line per image")
    return text
