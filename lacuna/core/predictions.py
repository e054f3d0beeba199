"""What a trained network says of the images of one part: logits beside labels, one row per image."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import LacunaError
from lacuna.io.atomic import save_arrays


@dataclass(frozen=True)
class Predictions:
    """Logits (n, n_logits), labels (n, n_targets) with -1 = unknown, image names (n,) and groups (n,).

    Groups are the units of the bootstrap: images that are copies of each other share one.
    """

    logits: NDArray[np.float32]
    labels: NDArray[np.int16]
    image: NDArray[np.str_]
    group: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not len(self.logits) == len(self.labels) == len(self.image) == len(self.group):
            raise ValueError(
                f"expected as many logits, labels, names and groups, received {len(self.logits)}, "
                f"{len(self.labels)}, {len(self.image)} and {len(self.group)}"
            )

    def __len__(self) -> int:
        return len(self.logits)

    def take(self, rows: NDArray[Any]) -> "Predictions":
        """The images that `rows` (indices or a mask) choose."""
        return Predictions(self.logits[rows], self.labels[rows], self.image[rows], self.group[rows])

    def save(self, path: Path) -> None:
        """Write a `.npz`; the same content gives the same bytes."""
        arrays: dict[str, NDArray[Any]] = {
            "logits": np.asarray(self.logits, np.float32),
            "labels": np.asarray(self.labels, np.int16),
            "image": np.asarray(self.image, np.str_),
            "group": np.asarray(self.group, np.int64),
        }
        save_arrays(path, arrays)

    @classmethod
    def load(cls, path: Path) -> "Predictions":
        """Read a `.npz` that `save` wrote. Raises LacunaError when it is something else or holds no finite logits."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
                predictions = cls(*(content[name] for name in ("logits", "labels", "image", "group")))
        except FileNotFoundError:
            raise LacunaError(f"{path}: no such file; run `dvc repro train_finetune` first") from None
        except (ValueError, KeyError, EOFError, BadZipFile) as error:
            raise LacunaError(f"{path}: not a predictions file ({error}); run `dvc repro train_finetune`") from None
        if not np.isfinite(predictions.logits).all():
            raise LacunaError(f"{path}: some logits are not finite: the training diverged; try a lower learning rate")
        return predictions
