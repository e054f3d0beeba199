"""The idx files of the MNIST family: labels by number, named by `classes.txt` where that lies beside them."""

from collections.abc import Sequence
from pathlib import Path

from lacuna.config.blocks import Data
from lacuna.core.targets import Kind
from lacuna.data.images.idx import SPLITS, find_parts, read_classes
from lacuna.data.labels.sources.folders import DEFAULT_TARGET
from lacuna.data.labels.sources.label_file import LabelFile, LabelRow


def read_idx(data: Data, _: Sequence[str] = ()) -> LabelFile:
    """Read the label files in the folder `data.labels`; the official test part stays the test part.

    Raises LacunaError at a file that is missing, damaged or does not fit its images, and at a label that `classes.txt`
    has no name for.
    """
    path = Path(data.labels)
    targets: dict[str, Kind] = dict(data.targets) or {DEFAULT_TARGET: "categorical"}
    classes = read_classes(path)
    rows = []
    for part in find_parts(path):
        labels = part.read_labels(classes).tolist()
        words = labels if classes is None else [classes[label] for label in labels]
        named = zip(part.image_names(), words, strict=True)
        rows += [LabelRow(0, image, (str(word),), "", SPLITS[part.name]) for image, word in named]
    return LabelFile(path, targets, rows)
