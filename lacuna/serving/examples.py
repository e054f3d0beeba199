"""The images that the page offers to try."""

from pathlib import Path

from lacuna.data.images.formats import IMAGE_SUFFIXES
from lacuna.errors import LacunaError

MOST_EXAMPLES = 12


def find_examples(folder: Path | None) -> dict[str, Path]:
    """The images in `folder`, by name, the first MOST_EXAMPLES. Raises LacunaError when there is none."""
    if folder is None:
        return {}
    files = sorted(file for file in folder.glob("*") if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
    if not files:
        raise LacunaError(f"{folder}: expected a folder of images to offer as examples, found none")
    return {file.name: file for file in files[:MOST_EXAMPLES]}
