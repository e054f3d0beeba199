"""Losses over labels with gaps: an unknown cell adds nothing, neither to the value nor to the gradient."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lacuna import backend  # noqa: F401, must come before keras

import keras  # isort: skip
from keras import ops

from lacuna.files import read_json
from lacuna.targets import Targets


@dataclass(frozen=True)
class TargetStatistics:
    """What the known training labels say of one target: class counts and weights, and the share of images known."""

    known_share: float
    counts: tuple[int, ...]
    weights: tuple[float, ...]


def load_statistics(path: Path, targets: Targets) -> list[TargetStatistics]:
    """Read class_weights.json, one entry per target in their order."""
    content = read_json(path)
    return [
        TargetStatistics(entry["known_share"], tuple(entry["counts"]), tuple(entry["weights"]))
        for entry in (content[name] for name in targets.names)
    ]


class MaskedLoss(keras.losses.Loss):  # type: ignore[misc]
    """Focal loss or cross-entropy, averaged over targets; each target over its known cells.

    For a target with known share s in training, a batch of n images adds the sum over its known cells divided by n·s,
    the count that was to be expected. Dividing by the count found would let the few known cells of a sparse target
    swing the gradient from batch to batch. A batch without any known cell gives 0.

    The focal factor (1 - p)^gamma (Lin et al. 2017, eq. 4 and 5) comes from the unweighted probability p of the true
    class. `alpha` weighs "present" against "absent" in binary targets, scaled so that 0.5 leaves both as they are;
    class weights multiply on top when `weighted`.

    call: labels (n, n_targets) with -1 for unknown, logits (n, n_logits) → one value per image, to be averaged.
    """

    def __init__(
        self,
        targets: Targets,
        statistics: list[TargetStatistics],
        kind: Literal["focal", "cross_entropy"] = "cross_entropy",
        gamma: float = 0.0,
        alpha: float = 0.5,
        weighted: bool = False,
    ) -> None:
        super().__init__(name=kind)
        self.targets = targets
        self.statistics = statistics
        self.gamma = gamma if kind == "focal" else 0.0
        self.alpha = alpha if kind == "focal" else 0.5
        self.weighted = weighted

    def call(self, y_true: Any, y_pred: Any) -> Any:
        total = ops.zeros_like(y_pred[:, 0])
        for index, target in enumerate(self.targets):
            labels = ops.cast(y_true[:, index], "int32")
            known = ops.cast(labels >= 0, y_pred.dtype)
            classes = ops.maximum(labels, 0)
            log_p = log_probability(target.kind, classes, y_pred[:, self.targets.slices[index]])
            factor = known / self.statistics[index].known_share
            if self.gamma:
                factor *= ops.maximum(-ops.expm1(log_p), 1e-7) ** self.gamma
            if target.kind == "binary":
                factor *= ops.where(classes == 1, 2 * self.alpha, 2 * (1 - self.alpha))
            if self.weighted:
                factor *= ops.take(ops.convert_to_tensor(self.statistics[index].weights, y_pred.dtype), classes)
            total -= factor * log_p
        return total / len(self.targets)


def log_probability(kind: str, classes: Any, logits: Any) -> Any:
    """The log-probability (n,) of the classes (n,) under the logits (n, n_logits) of one target."""
    if kind == "binary":
        return ops.log_sigmoid(ops.where(classes == 1, logits[:, 0], -logits[:, 0]))
    return ops.sum(ops.log_softmax(logits) * ops.one_hot(classes, logits.shape[-1], dtype=logits.dtype), axis=-1)
