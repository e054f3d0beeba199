"""What an explanation reads: the trained model's validation part, and the training labels for mean images."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.core.files_table import FileInfo, read_files
from lacuna.core.manifest import Manifest
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Targets
from lacuna.core.working_image import Resize, content_box
from lacuna.errors import LacunaError
from lacuna.io.sharded_array import open_rows

Boxes = NDArray[np.int64]


@dataclass(frozen=True)
class Inputs:
    """`targets` are those that the model predicts, `every` also those that were only prepared.

    `validation` has the labels of `every`, `known` those of `targets` for training and validation images. `files` are
    the validation images' lines of files.csv, `images` all working images. Nothing of the test part is in any of them
    but in `images`.
    """

    targets: Targets
    every: Targets
    predictions: Predictions
    validation: Manifest
    known: Manifest
    files: list[FileInfo]
    images: NDArray[np.uint8]

    def boxes(self, resize: Resize) -> Boxes:
        """Where in the working image each validation image's picture stands, (n, 4) as `content_box` has it."""
        size = self.images.shape[1]
        return np.array([content_box(file.width, file.height, size, resize) for file in self.files]).reshape(-1, 4)


def open_inputs(data: Path) -> Inputs:
    """Open what ingest, prepare and train_finetune wrote below `data`.

    Raises LacunaError when the predictions are those of other images or targets.
    """
    targets = Targets.load(data / "predictions/targets.json")
    every = Targets.load(data / "prepared/targets.json")
    predictions = Predictions.load(data / "predictions/val.npz")
    manifest = Manifest.load(data / "prepared/manifest.csv", every)
    validation = manifest.part("val")
    if not set(targets.items) <= set(every.items) or validation.image.tolist() != predictions.image.tolist():
        raise LacunaError(
            f"{data / 'predictions'}: they are of other targets or images than {data / 'prepared'}; "
            "run `dvc repro train_finetune`"
        )
    learned = [every.names.index(name) for name in targets.names]
    known = manifest.without_test()
    files = read_files(data / "images/files.csv")
    return Inputs(
        targets,
        every,
        predictions,
        validation,
        replace(known, labels=known.labels[:, learned]),
        [files[row] for row in validation.row.tolist()],
        open_rows(data / "images/pixels"),
    )
