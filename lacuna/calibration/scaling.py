"""Scalings that make a network's logits honest: Platt's for binary targets, temperature with bias for categorical ones.

Both say: probabilities = activate(scale * logits + bias). They are fitted for many replicates at once, a replicate
being a row of weights (replicates, n) that says how often each image counts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats, Labels
from lacuna.stats.replicate_newton import ReplicateDerivatives, newton

BIAS_DEVIATION = 1.0
"""Prior standard deviation of a class's bias. At 1 an unseen class keeps the network's own odds, a handful of images
move it, and undoing a class weight of 10 (2.3 on the logit) costs as much as ten images gain."""

SCALE_DEVIATION = 1.0
"""Prior standard deviation of a categorical target's scale around 1, the network's own. Keeps separable data finite."""

SAMPLE_PROMISE, REPLICATE_PROMISE = 1e-12, 1e-4
"""A fit ends with the Newton step that promises to add less to the log likelihood; for a replicate a hundredth of
the standard error, of which the square is left."""

MANY_IMAGES, EVERY = 100_000, 16
"""A sample of more images is fitted from where one in so many of them has its optimum: fewer steps pass over all."""

NO_SLOPE = 1e-6
"""A slope below this, per standard deviation of the logits, counts as none."""


@dataclass(frozen=True)
class Scaling:
    """Scale (replicates,), never negative, and bias (replicates, n_logits). The scale is Platt's slope and, for a
    categorical target, 1 / temperature; 0 means that the logits say nothing and all images get the same."""

    scale: Floats
    bias: Floats

    def __call__(self, logits: NDArray[np.floating]) -> Floats:
        """Calibrated logits (replicates, n, n_logits) of logits (n, n_logits)."""
        scaled: Floats = self.scale[:, None, None] * logits.astype(np.float64)
        scaled += self.bias[:, None, :]
        return scaled

    def moved(self, shift: Floats) -> "Scaling":
        """With biases moved by `shift` (replicates, n_logits)."""
        return Scaling(self.scale, self.bias + shift)


def fit_platt(logits: NDArray[np.floating], labels: Labels, weights: Floats, near: Scaling | None = None) -> Scaling:
    """Platt scaling of logits (n, 1) with known labels: logistic regression on smoothed labels (Platt 1999).

    Present counts as (n1 + 1) / (n1 + 2), absent as 1 / (n0 + 2), which keeps separable data finite. Without a
    positive slope (no signal, or one class only) the probability is the constant (n1 + 1) / (n + 2). Without any
    known label the network's own probability stays. near: the fit of the sample that the weights are replicates of;
    they are fitted from there on, to far less than their noise.
    """
    present, absent = weights @ (labels == 1), weights @ (labels == 0)
    aims = np.stack([1 / (absent + 2), (present + 1) / (present + 2)], axis=1)
    centre, spread = (logits.mean(), logits.std() or 1.0) if len(logits) else (0.0, 1.0)
    standard = (logits[:, 0].astype(np.float64) - centre) / spread
    moments = np.stack([standard**2, standard, np.ones_like(standard)], axis=1)
    wanted = [weights @ ((labels == label)[:, None] * moments[:, 1:]) * aims[:, [label]] for label in (0, 1)]
    aimed = wanted[0] + wanted[1]

    def objective(x: Floats, rows: NDArray[np.intp], curved: bool) -> ReplicateDerivatives:
        drawn = weights if len(rows) == len(weights) else weights[rows]
        at = x[:1] if (x == x[:1]).all() else x  # where all replicates start, images have one probability each

        def weigh(values: Floats, of_images: Floats) -> Floats:
            shared = len(values) < len(drawn)
            weighed: Floats = (
                drawn @ (values[0][:, None] * of_images)
                if shared
                else np.multiply(values, drawn, out=values) @ of_images
            )
            return weighed

        scores = at[:, :1] * standard + at[:, 1:]
        fading = np.exp(-np.abs(scores))
        surer = 1 / (1 + fading)
        loss = np.maximum(scores, 0) - np.log(surer)
        fading *= surer
        probability = np.where(scores >= 0, surer, fading)
        fading *= surer  # the variance of the label
        value = weigh(loss, moments[:, 2:])[:, 0] - (x * aimed[rows]).sum(axis=1)
        gradient = weigh(probability, moments[:, 1:]) - aimed[rows]
        curvature = weigh(fading, moments)[:, [0, 1, 1, 2]].reshape(-1, 2, 2)
        return value, gradient, curvature + 1e-9 * np.eye(2)

    level, promise = np.log((present + 1) / (absent + 1)), REPLICATE_PROMISE if near else SAMPLE_PROMISE
    if near is None and len(labels) > MANY_IMAGES:
        near = fit_platt(logits[::EVERY], labels[::EVERY], weights[:, ::EVERY])
    if near is None:
        start = np.stack([np.zeros_like(level), level], axis=1)
    else:
        start = np.stack([near.scale * spread, near.bias[:, 0] + near.scale * centre], axis=1)
    start = np.repeat(start, len(weights) // len(start), axis=0)
    solution, _ = newton(objective, start, np.arange(len(weights)), least_promise=promise)
    slope, nothing = solution[:, 0], present + absent == 0
    scale = np.where(slope > NO_SLOPE, slope / spread, 0)
    bias = np.where(slope > NO_SLOPE, solution[:, 1] - slope * centre / spread, level)
    return Scaling(np.where(nothing, 1.0, scale), np.where(nothing, 0.0, bias)[:, None])


def fit_temperature(logits: NDArray[np.floating], labels: Labels, weights: Floats) -> Scaling:
    """Temperature and a bias per class of logits (n, n_classes) with known labels, both shrunken (see the constants).

    A temperature alone (Guo et al. 2017) cannot undo class weights. Without a positive scale the probabilities are
    the constants (n_c + 1) / (n + n_classes).
    """
    loss = _TemperatureLoss(logits, labels)

    def objective(x: Floats, rows: NDArray[np.intp], curved: bool) -> ReplicateDerivatives:
        probability, drawn = loss.probability(x), weights[rows]
        return (
            loss.value(x, probability, drawn),
            loss.gradient(x, probability, drawn),
            loss.curvature(probability, drawn),
        )

    start = np.repeat(loss.centre[None], len(weights), axis=0)
    found, _ = newton(objective, start, np.arange(len(weights)), least_promise=SAMPLE_PROMISE)
    return loss.scaling(found, weights)


class _TemperatureLoss:
    """The weighted log loss of scale and biases, x (replicates, 1 + n_classes), plus their priors, and its derivatives.

    Where x and probability have one row only, it stands for all replicates.
    """

    def __init__(self, logits: NDArray[np.floating], labels: Labels) -> None:
        self.logits, self.truth = logits.astype(np.float64), np.eye(logits.shape[1])[labels]
        self.prior = np.array([SCALE_DEVIATION**-2] + [BIAS_DEVIATION**-2] * logits.shape[1])
        self.centre = np.eye(len(self.prior))[0]

    def probability(self, x: Floats) -> Floats:
        """Of each class, (rows of x, n, n_classes)."""
        scores = x[:, :1, None] * self.logits + x[:, None, 1:]
        powers = np.exp(scores - scores.max(axis=2, keepdims=True))
        probability: Floats = powers / powers.sum(axis=2, keepdims=True)
        return probability

    def value(self, x: Floats, probability: Floats, weights: Floats) -> Floats:
        chances = np.maximum((probability * self.truth).sum(axis=2), 1e-300)
        loss: Floats = (self.prior * (x - self.centre) ** 2).sum(axis=1) / 2 - (weights * np.log(chances)).sum(axis=1)
        return loss

    def slopes(self, probability: Floats) -> Floats:
        """Of each image's loss, (rows of probability, n, 1 + n_classes)."""
        errors = probability - self.truth
        return np.concatenate([(errors * self.logits).sum(axis=2, keepdims=True), errors], axis=2)

    def pull(self, x: Floats) -> Floats:
        """The priors' slope, of the shape of x."""
        pull: Floats = self.prior * (x - self.centre)
        return pull

    def gradient(self, x: Floats, probability: Floats, weights: Floats) -> Floats:
        gradient: Floats = (weights[:, None, :] @ self.slopes(probability))[:, 0] + self.pull(x)
        return gradient

    def curvature(self, probability: Floats, weights: Floats) -> Floats:
        """The Hessians (replicates, 1 + n_classes, 1 + n_classes)."""
        mean = (probability * self.logits).sum(axis=2, keepdims=True)
        spread = (probability * self.logits**2).sum(axis=2) - mean[..., 0] ** 2
        weighted = weights[:, :, None] * probability
        curvature = np.empty((len(weights), len(self.prior), len(self.prior)))
        curvature[:, 1:, 1:] = -weighted.transpose(0, 2, 1) @ probability
        curvature[:, 0, 1:] = curvature[:, 1:, 0] = (weights[:, None, :] @ (probability * (self.logits - mean)))[:, 0]
        curvature[:, 0, 0] = (weights * spread).sum(axis=1)
        diagonal = np.arange(len(self.prior))
        curvature[:, diagonal[1:], diagonal[1:]] += weighted.sum(axis=1)
        curvature[:, diagonal, diagonal] += self.prior
        return curvature

    def scaling(self, x: Floats, weights: Floats) -> Scaling:
        """The scaling that x stands for; constant probabilities where the scale is not positive."""
        flat = x[:, :1] <= 0
        bias = np.where(flat, np.log(weights @ self.truth + 1), x[:, 1:]) if flat.any() else x[:, 1:]
        return Scaling(np.where(flat, 0, x[:, :1])[:, 0], bias)


class TemperatureStep:
    """What `fit_temperature` would give for replicates, by one Newton step from the whole sample's optimum.

    The curvature is the one there and the same for all replicates (one-step bootstrap, Davison & Hinkley 1997, section
    2.7): with 100 classes, computing and factorizing it for each would take ten times as long as all the rest. All that
    a replicate costs is a product of its weights with each image's slopes.
    """

    def __init__(self, logits: NDArray[np.floating], labels: Labels, optimum: Scaling, fitted_on: Floats) -> None:
        """fitted_on: the weights (1, n) that `optimum` was fitted with."""
        self._loss = _TemperatureLoss(logits, labels)
        self._origin = np.concatenate([optimum.scale[:, None], optimum.bias], axis=1)
        probability = self._loss.probability(self._origin)
        self._slopes = self._loss.slopes(probability)[0]
        self._curvature = self._loss.curvature(probability, fitted_on)[0]

    def __call__(self, weights: Floats) -> Scaling:
        """The scaling of each replicate, by its weights (replicates, n)."""
        gradient = weights @ self._slopes + self._loss.pull(self._origin)
        return self._loss.scaling(self._origin - np.linalg.solve(self._curvature, gradient.T).T, weights)


def sigmoid(logits: Floats) -> Floats:
    """1 / (1 + exp(-logits)), without overflow."""
    fading = np.exp(-np.abs(logits))
    probability: Floats = np.where(logits >= 0, 1, fading) / (1 + fading)
    return probability
