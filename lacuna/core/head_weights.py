"""What stands on the features: standardization, maybe a hidden layer, and a layer of logits."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats
from lacuna.errors import LacunaError
from lacuna.io.atomic import load_arrays, save_arrays

MAX_HEAD_BYTES = 2_000_000_000

FEATURES_AT_ONCE = 4096

HEAD_ALONE = "head"
"""The name of the head on the frozen network among the models of which one is kept."""


@dataclass(frozen=True)
class HeadWeights:
    """Logits = x @ weights + bias, with x = (features - mean) / scale; a hidden layer may add to them.

    float64: mean, scale (d,); weights (d, n_logits); bias (n_logits,). mean and scale are those of the training images:
    what a feature adds is measured from the average image. hidden: weights (d, units), bias (units,) and the weights of
    its units in the logits (units, n_logits): relu(x @ hidden[0] + hidden[1]) @ hidden[2] is added. Without it the head
    is linear.
    """

    mean: Floats
    scale: Floats
    weights: Floats
    bias: Floats
    hidden: tuple[Floats, Floats, Floats] | None = None

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

    def slopes_at(self, features: NDArray[np.float32], weights: Floats) -> Floats:
        """The slopes (n, d) of scores, each a sum of logits with weights (n, n_logits), in the features (n, d).

        Those of a linear head are the same for all images, whatever their features. With a hidden layer they are those
        at these features, where a unit that is off adds nothing.
        """
        if self.hidden is None:
            return weights @ self.slopes().T
        into, shift, out = self.hidden
        on = ((features - self.mean) / self.scale) @ into + shift > 0
        slopes: Floats = (weights @ self.weights.T + (on * (weights @ out.T)) @ into.T) / self.scale
        return slopes

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits float32 (n, n_logits) of features (n, d), which may be memory-mapped."""
        found = np.empty((len(features), len(self.bias)), np.float32)
        for start in range(0, len(features), FEATURES_AT_ONCE):
            inside = slice(start, start + FEATURES_AT_ONCE)
            x = (np.asarray(features[inside], np.float64) - self.mean) / self.scale
            logits = x @ self.weights + self.bias
            if self.hidden is not None:
                logits += np.maximum(x @ self.hidden[0] + self.hidden[1], 0) @ self.hidden[2]
            found[inside] = logits
        return found

    def scaled(self, share: float) -> "HeadWeights":
        """The head whose features add that share of what they did to the logits; the bias stays."""
        hidden = self.hidden
        if hidden is not None:
            hidden = (*hidden[:2], share * hidden[2])
        return replace(self, weights=share * self.weights, hidden=hidden)

    def with_columns(self, mean: Floats, scale: Floats, weights: Floats) -> "HeadWeights":
        """The head on more features, whose `weights` (more, n_logits) add to the logits."""
        hidden = self.hidden
        if hidden is not None:
            hidden = (np.concatenate([hidden[0], np.zeros((len(mean), self.n_hidden))]), *hidden[1:])
        return HeadWeights(
            np.concatenate([self.mean, mean]),
            np.concatenate([self.scale, scale]),
            np.concatenate([self.weights, weights]),
            self.bias,
            hidden,
        )

    def arrays(self) -> dict[str, Floats]:
        """All that it consists of, by the names that it has in a file."""
        arrays = {"mean": self.mean, "scale": self.scale, "weights": self.weights, "bias": self.bias}
        return arrays if self.hidden is None else arrays | dict(zip(HIDDEN, self.hidden, strict=True))

    def save(self, path: Path) -> None:
        """Write a `.npz`; the same content gives the same bytes."""
        save_arrays(path, self.arrays())

    @classmethod
    def load(cls, path: Path) -> "HeadWeights":
        """Read what `save` wrote. Raises LacunaError when it is missing, damaged or of impossible shapes."""
        arrays = load_arrays(path, MAX_HEAD_BYTES)
        try:
            found = {name: array.astype(np.float64) for name, array in arrays.items()}
            mean, scale, weights, bias = (found[name] for name in ("mean", "scale", "weights", "bias"))
            into, shift, out = (found[name] for name in HIDDEN) if found.keys() & set(HIDDEN) else (None, None, None)
        except (KeyError, TypeError, ValueError) as error:
            raise LacunaError(f"{path}: not the weights of a head ({error}); run `dvc repro train_warmup`") from None
        shapes = [scale.shape == mean.shape == (mean.size,), weights.shape == (mean.size, bias.size), bias.ndim == 1]
        if into is not None and shift is not None and out is not None:
            shapes += [into.shape == (mean.size, shift.size), out.shape == (shift.size, bias.size), shift.ndim == 1]
        if not all(shapes) or not all(np.isfinite(part).all() for part in found.values()) or (scale <= 0).any():
            raise LacunaError(f"{path}: not the weights of a head: shapes or values; run `dvc repro train_warmup`")
        hidden = None if into is None or shift is None or out is None else (into, shift, out)
        return cls(mean, scale, weights, bias, hidden)


HIDDEN = ("hidden_weights", "hidden_bias", "hidden_logits")
