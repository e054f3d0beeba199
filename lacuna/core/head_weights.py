"""What stands on the features: standardization, maybe a hidden layer, and a layer of logits."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats
from lacuna.errors import LacunaError
from lacuna.io.atomic import load_arrays, save_arrays

MAX_HEAD_BYTES = 2_000_000_000

ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class HeadWeights:
    """Logits = x @ weights + bias, with x = (features - mean) / scale, or relu(x @ hidden_weights + hidden_bias).

    float64: mean, scale (d,); weights (d, n_logits), with a hidden layer (units, n_logits); bias (n_logits,). mean and
    scale are those of the training images: what a feature adds is measured from the average image. `hidden` holds a
    hidden layer's weights (d, units) and bias (units,); without one the head is linear.
    """

    mean: Floats
    scale: Floats
    weights: Floats
    bias: Floats
    hidden: tuple[Floats, Floats] | None = None

    @property
    def linear(self) -> bool:
        return self.hidden is None

    @property
    def n_hidden(self) -> int:
        """Units of the hidden layer, 0 without one."""
        return 0 if self.hidden is None else len(self.hidden[1])

    def slopes(self) -> Floats:
        """A linear head's slopes (d, n_logits) of the logits in the features as they are."""
        assert self.linear
        slopes: Floats = self.weights / self.scale[:, None]
        return slopes

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits float32 (n, n_logits) of features (n, d), which may be memory-mapped."""
        found = np.empty((len(features), len(self.bias)), np.float32)
        for start in range(0, len(features), ROWS_AT_ONCE):
            inside = slice(start, start + ROWS_AT_ONCE)
            x = (np.asarray(features[inside], np.float64) - self.mean) / self.scale
            if self.hidden is not None:
                x = np.maximum(x @ self.hidden[0] + self.hidden[1], 0)
            found[inside] = x @ self.weights + self.bias
        return found

    def save(self, path: Path) -> None:
        """Write a `.npz`; the same content gives the same bytes."""
        arrays = {"mean": self.mean, "scale": self.scale, "weights": self.weights, "bias": self.bias}
        if self.hidden is not None:
            arrays |= {"hidden_weights": self.hidden[0], "hidden_bias": self.hidden[1]}
        save_arrays(path, arrays)

    @classmethod
    def load(cls, path: Path) -> "HeadWeights":
        """Read what `save` wrote. Raises LacunaError when it is missing, damaged or of impossible shapes."""
        arrays = load_arrays(path, MAX_HEAD_BYTES)
        try:
            found = {name: array.astype(np.float64) for name, array in arrays.items()}
            mean, scale, weights, bias = (found[name] for name in ("mean", "scale", "weights", "bias"))
            hidden = (found["hidden_weights"], found["hidden_bias"]) if "hidden_weights" in found else None
        except (KeyError, TypeError, ValueError) as error:
            raise LacunaError(f"{path}: not the weights of a head ({error}); run `dvc repro train_warmup`") from None
        below = len(mean) if hidden is None else len(hidden[1])
        shapes = [scale.shape == mean.shape == (mean.size,), weights.shape == (below, bias.size), bias.ndim == 1]
        if hidden is not None:
            shapes.append(hidden[0].shape == (mean.size, hidden[1].size))
        if not all(shapes) or not all(np.isfinite(part).all() for part in found.values()) or (scale <= 0).any():
            raise LacunaError(f"{path}: not the weights of a head: shapes or values; run `dvc repro train_warmup`")
        return cls(mean, scale, weights, bias, hidden)
