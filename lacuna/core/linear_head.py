"""A head that is linear in the features: what every image's logits are, and what each feature adds to them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats
from lacuna.errors import LacunaError
from lacuna.io.atomic import load_arrays, save_arrays

MAX_HEAD_BYTES = 2_000_000_000

HEAD_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class LinearHead:
    """Logits = (features - mean) / scale @ weights + bias: float64 (d,), (d,), (d, n_logits), (n_logits,).

    mean and scale are those of the training images, so that what a feature adds is measured from the average image.
    """

    mean: Floats
    scale: Floats
    weights: Floats
    bias: Floats

    def slopes(self) -> Floats:
        """The logits' slopes (d, n_logits) in the features as they are."""
        slopes: Floats = self.weights / self.scale[:, None]
        return slopes

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits float32 (n, n_logits) of features (n, d), which may be memory-mapped."""
        found = np.empty((len(features), len(self.bias)), np.float32)
        for start in range(0, len(features), HEAD_ROWS_AT_ONCE):
            inside = slice(start, start + HEAD_ROWS_AT_ONCE)
            standardized = (np.asarray(features[inside], np.float64) - self.mean) / self.scale
            found[inside] = standardized @ self.weights + self.bias
        return found

    def save(self, path: Path) -> None:
        """Write a `.npz`; the same content gives the same bytes."""
        save_arrays(path, {"mean": self.mean, "scale": self.scale, "weights": self.weights, "bias": self.bias})

    @classmethod
    def load(cls, path: Path) -> "LinearHead":
        """Read what `save` wrote. Raises LacunaError when it is missing, damaged or of another shape."""
        arrays: dict[str, NDArray[Any]] = load_arrays(path, MAX_HEAD_BYTES)
        try:
            head = cls(*(arrays[name].astype(np.float64) for name in ("mean", "scale", "weights", "bias")))
        except (KeyError, TypeError, ValueError) as error:
            raise LacunaError(f"{path}: not a linear head ({error}); run `dvc repro train_warmup`") from None
        d, k = head.weights.shape if head.weights.ndim == 2 else (-1, -1)
        finite = all(np.isfinite(part).all() for part in (head.mean, head.scale, head.weights, head.bias))
        if head.mean.shape != (d,) or head.scale.shape != (d,) or head.bias.shape != (k,) or not finite:
            raise LacunaError(f"{path}: not a linear head, impossible shapes or values; run `dvc repro train_warmup`")
        return head
