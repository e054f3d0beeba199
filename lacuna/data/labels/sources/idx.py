"""The idx files of the MNIST family: labels by number, named by `classes.txt` where that lies beside them."""

from collections.abc import Sequence
from pathlib import Path

from lacuna.config.data import Data
from lacuna.core.targets import Kind
from lacuna.data.images.idx import SPLITS, find_parts, read_classes
from lacuna.data.labels.label_table import LabelRow, LabelTable
from lacuna.data.labels.sources.folders import DEFAULT_TARGET


def read_idx(data: Data, _: Sequence[str] = ()) -> LabelTable:
    """Read the label files in the folder `data.labels`; the official test part stays the test part.

    Raises LacunaError at a file that is missing, damaged or does not fit its images, and at a label that `classes.txt`
    has no name for.
    """
    path = Path(data.labels)
    targets: dict[str, Kind] = dict.fromkeys(data.targets or [DEFAULT_TARGET], "categorical")
    classes = read_classes(path)
    rows = []
    for part in find_parts(path):
        labels = part.read_labels(classes).tolist()
        words = labels if classes is None else [classes[label] for label in labels]
        named = zip(part.image_names(), words, strict=True)
        rows += [LabelRow(0, image, (str(word),), "", SPLITS[part.name]) for image, word in named]
    return LabelTable.of_rows(path, targets, rows)
