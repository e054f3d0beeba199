"""Losses over labels with gaps: an unknown cell adds nothing, neither to the value nor to the gradient."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lacuna.config.blocks import Train
from lacuna.core.targets import Target, Targets
from lacuna.features.backend import keras, ops
from lacuna.training.statistics import TargetStatistics


def cross_entropy(target: Target, log_p: Any, options: Train) -> Any:
    """-log p."""
    return -log_p


def focal(target: Target, log_p: Any, options: Train) -> Any:
    """-(1 - p)^gamma log p (Lin et al. 2017, eq. 4)."""
    return -(_power(-ops.expm1(log_p), options.gamma) * log_p) if options.gamma else -log_p


def asymmetric(target: Target, log_p: Any, options: Train) -> Any:
    """Binary targets: of "present" -(1 - p)^gamma log p, of "absent" -p_m^gamma_negative log(1 - p_m) with
    p_m = max(p - margin, 0), p the probability of "present" (Ridnik et al. 2021, eq. 4 to 6). Categorical targets have
    cross-entropy."""
    if target.kind != "binary":
        return -log_p
    absent, present = ops.exp(log_p[:, 0]), ops.exp(log_p[:, 1])
    of_present = -(_power(absent, options.gamma) * log_p[:, 1])
    log_absent = ops.log(ops.minimum(absent + options.margin, 1)) if options.margin else log_p[:, 0]
    of_absent = -(_power(present - options.margin, options.gamma_negative) * log_absent)
    return ops.stack([of_absent, of_present], axis=-1)


def weigh_by_alpha(options: Train) -> tuple[float, float]:
    """Focal's alpha (Lin et al. 2017, eq. 5): factors of the labels "absent" and "present", scaled so that 0.5 leaves
    both as they are."""
    return 2 * (1 - options.alpha), 2 * options.alpha


@dataclass(frozen=True)
class Loss:
    """under_each_class: target, log-probabilities (n, n_classes), options → what a cell loses (n, n_classes) if its
    label is the class. label_factors: options → what multiplies a binary target's cells labelled absent, present."""

    under_each_class: Callable[[Target, Any, Train], Any]
    label_factors: Callable[[Train], tuple[float, float]] = lambda options: (1.0, 1.0)


LOSSES = {
    "cross_entropy": Loss(cross_entropy),
    "focal": Loss(focal, weigh_by_alpha),
    "asymmetric": Loss(asymmetric),
}
"""By the names that `train.loss` may have."""


class MaskedLoss(keras.losses.Loss):  # type: ignore[misc]
    """The loss that `train.loss` names, averaged over targets; each target over its known cells.

    For a target with known share s in training, a batch of n images adds the sum over its known cells divided by n·s,
    the count that was to be expected. Dividing by the count found would let the few known cells of a sparse target
    swing the gradient from batch to batch. A batch without any known cell gives 0.

    A cell's loss is the sum over the classes k of q_k times the loss under class k (see `LOSSES`). q is 1 for the label
    and 0 else; with label smoothing e the label's q is 1 - e + e/K and every other e/K (Szegedy et al. 2016, section
    7).

    The class weight of the label multiplies the cell. Target weights multiply a target's part, after they were brought
    to mean 1.

    With `hardest` below 1 only that share of the images of a batch counts, those whose known cells have the highest
    mean loss (online hard example mining, Shrivastava et al. 2016), multiplied so that a batch weighs as before.
    Images without a known cell take no part in the selection.

    Without options: the plain log loss, unweighted, all targets counting alike.

    call: labels (n, n_targets) with -1 for unknown, logits (n, n_logits) → one value per image, to be averaged.
    """

    def __init__(self, targets: Targets, statistics: list[TargetStatistics], options: Train | None = None) -> None:
        super().__init__(name=options.loss if options else "log_loss")
        self.targets = targets
        self.statistics = statistics
        self.options = options
        self.smoothing = options.label_smoothing if options else 0.0
        self.target_weights = weigh(targets, options.target_weights if options else {})

    def call(self, y_true: Any, y_pred: Any) -> Any:
        total = n_known = hardness = ops.zeros_like(y_pred[:, 0])
        for index, target in enumerate(self.targets):
            labels = ops.cast(y_true[:, index], "int32")
            known = ops.cast(labels >= 0, y_pred.dtype)
            classes = ops.maximum(labels, 0)
            wanted = ops.one_hot(classes, target.n_classes, dtype=y_pred.dtype)
            wanted = wanted * (1 - self.smoothing) + self.smoothing / target.n_classes
            losses = ops.sum(wanted * self._under_each_class(target, y_pred[:, self.targets.slices[index]]), axis=-1)
            cells = known * losses * self._cell_weights(index, classes, y_pred.dtype)
            total += cells / self.statistics[index].known_share
            hardness += cells
            n_known += known
        total /= len(self.targets)
        if self.options and self.options.hardest < 1:
            total *= keep_hardest(hardness, n_known, self.options.hardest)
        return total

    def _under_each_class(self, target: Target, logits: Any) -> Any:
        """What a cell loses (n, n_classes) under each of the classes."""
        log_p = log_probabilities(target, logits)
        return LOSSES[self.options.loss].under_each_class(target, log_p, self.options) if self.options else -log_p

    def _cell_weights(self, index: int, classes: Any, dtype: str) -> Any:
        """The weight (n,) of cells with the labels `classes`."""
        if not self.options:
            return 1.0
        weights = [weight * self.target_weights[index] for weight in self.statistics[index].weights]
        if self.targets[index].kind == "binary":
            factors = LOSSES[self.options.loss].label_factors(self.options)
            weights = [weight * factor for weight, factor in zip(weights, factors, strict=True)]
        return ops.take(ops.convert_to_tensor(weights, dtype), classes)


def weigh(targets: Targets, weights: dict[str, float]) -> list[float]:
    """A weight per target, 1 for those not named, scaled so that their mean is 1."""
    values = [weights.get(name, 1.0) for name in targets.names]
    return [value * len(values) / sum(values) for value in values]


def keep_hardest(hardness: Any, n_known: Any, share: float) -> Any:
    """A factor per image (n,): 0, or for the hardest what makes up for those left out.

    hardness: the sum (n,) of the losses of each image's known cells, of which it has n_known (n,). Their mean is
    compared, so that an image is not hard for being labelled in full.
    """
    some = n_known > 0
    mean = ops.where(some, hardness / ops.maximum(n_known, 1), -1)  # unlabelled images come last
    rank = ops.argsort(ops.argsort(-ops.stop_gradient(mean)))
    n_images = ops.sum(ops.cast(some, hardness.dtype))
    n_kept = ops.maximum(ops.ceil(n_images * share - 1e-3), 1)  # 0.3 of 10 are 3, whatever float32 makes of it
    return ops.cast(ops.cast(rank, hardness.dtype) < n_kept, hardness.dtype) * n_images / n_kept


def log_probabilities(target: Target, logits: Any) -> Any:
    """The log-probabilities (n, n_classes) that the logits (n, n_logits) of one target stand for."""
    if target.kind == "binary":
        return ops.log_sigmoid(ops.concatenate([-logits, logits], axis=-1))
    return ops.log_softmax(logits)


def _power(base: Any, exponent: float) -> Any:
    """base^exponent; from 1e-7 on, because below 1 the derivative at 0 is infinite."""
    return ops.maximum(base, 1e-7) ** exponent if exponent else ops.ones_like(base)
