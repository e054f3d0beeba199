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

    Groups are the units of the bootstrap: images that are copies of each other share one. light (n, d), of the
    validation part: brightness, contrast and colour, on which being labelled may depend beside the label.
    """

    logits: NDArray[np.float32]
    labels: NDArray[np.int16]
    image: NDArray[np.str_]
    group: NDArray[np.int64]
    light: NDArray[np.float64] | None = None

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
        light = None if self.light is None else self.light[rows]
        return Predictions(self.logits[rows], self.labels[rows], self.image[rows], self.group[rows], light)

    def save(self, path: Path) -> None:
        """Write a `.npz`; the same content gives the same bytes."""
        arrays: dict[str, NDArray[Any]] = {
            "logits": np.asarray(self.logits, np.float32),
            "labels": np.asarray(self.labels, np.int16),
            "image": np.asarray(self.image, np.str_),
            "group": np.asarray(self.group, np.int64),
        }
        if self.light is not None:
            arrays["light"] = np.asarray(self.light, np.float64)
        save_arrays(path, arrays)

    @classmethod
    def load(cls, path: Path) -> "Predictions":
        """Read a `.npz` that `save` wrote. Raises LacunaError when it is something else or holds no finite logits."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
                light = content.get("light")
                logits, labels, image, group = (content[name] for name in ("logits", "labels", "image", "group"))
                predictions = cls(logits, labels, image, group, light)
        except FileNotFoundError:
            raise LacunaError(f"{path}: no such file; run `dvc repro train_finetune` first") from None
        except (ValueError, KeyError, EOFError, BadZipFile) as error:
            raise LacunaError(f"{path}: not a predictions file ({error}); run `dvc repro train_finetune`") from None
        if light is not None and (light.ndim != 2 or len(light) != len(predictions) or not np.isfinite(light).all()):
            raise LacunaError(f"{path}: light is not (n, d) finite numbers; run `dvc repro train_finetune`")
        if not np.isfinite(predictions.logits).all():
            raise LacunaError(f"{path}: some logits are not finite: the training diverged; try a lower learning rate")
        return predictions
