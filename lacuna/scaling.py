"""Scalings that make a network's logits honest: Platt's for binary targets, temperature with bias for categorical ones.

Both say: probabilities = activate(scale * logits + bias). They are fitted for many replicates at once, a replicate
being a row of weights (replicates, n) that says how often each image counts.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.metrics import Floats, Labels

BIAS_DEVIATION = 1.0
"""Prior standard deviation of a class's bias. At 1 an unseen class keeps the network's own odds, a handful of images
move it, and undoing a class weight of 10 (2.3 on the logit) costs as much as ten images gain."""

SCALE_DEVIATION = 1.0
"""Prior standard deviation of a categorical target's scale around 1, the network's own. Keeps separable data finite."""

NO_SLOPE = 1e-6
"""A slope below this, per standard deviation of the logits, counts as none."""

Objective = Callable[[Floats], tuple[Floats, Floats, Floats]]


@dataclass(frozen=True)
class Scaling:
    """Scale (replicates,), never negative, and bias (replicates, n_logits). The scale is Platt's slope and, for a
    categorical target, 1 / temperature; 0 means that the logits say nothing and all images get the same."""

    scale: Floats
    bias: Floats

    def __call__(self, logits: NDArray[np.floating]) -> Floats:
        """Calibrated logits (replicates, n, n_logits) of logits (n, n_logits)."""
        scaled: Floats = self.scale[:, None, None] * logits.astype(np.float64) + self.bias[:, None, :]
        return scaled


def fit_platt(logits: NDArray[np.floating], labels: Labels, weights: Floats) -> Scaling:
    """Platt scaling of logits (n, 1) with known labels: logistic regression on smoothed labels (Platt 1999).

    Present counts as (n1 + 1) / (n1 + 2), absent as 1 / (n0 + 2), which keeps separable data finite. Without a
    positive slope (no signal, or one class only) the probability is the constant (n1 + 1) / (n + 2). Without any
    known label the network's own probability stays.
    """
    present, absent = weights @ (labels == 1), weights @ (labels == 0)
    aims = np.where(labels == 1, ((present + 1) / (present + 2))[:, None], (1 / (absent + 2))[:, None])
    centre, spread = (logits.mean(), logits.std() or 1.0) if len(logits) else (0.0, 1.0)
    standard = (logits[:, 0].astype(np.float64) - centre) / spread
    moments = np.stack([standard**2, standard, np.ones_like(standard)], axis=1)

    def objective(x: Floats) -> tuple[Floats, Floats, Floats]:
        scores = x[:, :1] * standard + x[:, 1:]
        probability = sigmoid(scores)
        loss = (weights * (np.logaddexp(0, scores) - aims * scores)).sum(axis=1)
        gradient = (weights * (probability - aims)) @ moments[:, 1:]
        curvature = (weights * probability * (1 - probability)) @ moments
        return loss, gradient, curvature[:, [0, 1, 1, 2]].reshape(-1, 2, 2) + 1e-9 * np.eye(2)

    level = np.log((present + 1) / (absent + 1))
    solution = minimise(objective, np.stack([np.zeros_like(level), level], axis=1))
    slope, nothing = solution[:, 0], present + absent == 0
    scale = np.where(slope > NO_SLOPE, slope / spread, 0)
    bias = np.where(slope > NO_SLOPE, solution[:, 1] - slope * centre / spread, level)
    return Scaling(np.where(nothing, 1.0, scale), np.where(nothing, 0.0, bias)[:, None])


def fit_temperature(
    logits: NDArray[np.floating], labels: Labels, weights: Floats, start: Scaling | None = None
) -> Scaling:
    """Temperature and a bias per class of logits (n, n_classes) with known labels, both shrunken (see the constants).

    A temperature alone (Guo et al. 2017) cannot undo class weights. Without a positive scale the probabilities are
    the constants (n_c + 1) / (n + n_classes). With `start`, the optimum of the whole sample, each replicate takes a
    single Newton step from there (one-step bootstrap): they then share the costly part.
    """
    exact, truth = logits.astype(np.float64), np.eye(logits.shape[1])[labels]
    prior = np.array([SCALE_DEVIATION**-2] + [BIAS_DEVIATION**-2] * logits.shape[1])
    centre = np.eye(len(prior))[0]

    def objective(x: Floats) -> tuple[Floats, Floats, Floats]:
        scores = x[:, :1, None] * exact + x[:, None, 1:]
        powers = np.exp(scores - scores.max(axis=2, keepdims=True))
        probability = powers / powers.sum(axis=2, keepdims=True)
        chances = (probability * truth).sum(axis=2)
        distance = x - centre
        loss = -(weights * np.log(np.maximum(chances, 1e-300))).sum(axis=1) + (prior * distance**2).sum(axis=1) / 2
        errors = probability - truth
        gradient = np.concatenate([(errors * exact).sum(axis=2, keepdims=True), errors], axis=2)
        gradient = (weights[:, None, :] @ gradient)[:, 0] + prior * distance
        mean = (probability * exact).sum(axis=2, keepdims=True)
        spread = (probability * exact**2).sum(axis=2) - mean[..., 0] ** 2
        weighted = weights[:, :, None] * probability
        curvature = np.empty((len(weights), len(prior), len(prior)))
        curvature[:, 1:, 1:] = -weighted.transpose(0, 2, 1) @ np.broadcast_to(
            probability, (len(weights), *probability.shape[1:])
        )
        curvature[:, 0, 1:] = curvature[:, 1:, 0] = (weights[:, None, :] @ (probability * (exact - mean)))[:, 0]
        curvature[:, 0, 0] = (weights * spread).sum(axis=1)
        diagonal = np.arange(len(prior))
        curvature[:, diagonal[1:], diagonal[1:]] += weighted.sum(axis=1)
        curvature[:, diagonal, diagonal] += prior
        return loss, gradient, curvature

    if start is None:
        solution = minimise(objective, np.repeat(centre[None], len(weights), axis=0))
    else:
        origin = np.concatenate([start.scale[:, None], start.bias], axis=1)
        _, gradient, curvature = objective(origin)
        solution = origin - np.linalg.solve(curvature, gradient[..., None])[..., 0]
    flat = solution[:, :1] <= 0
    return Scaling(
        np.where(flat, 0, solution[:, :1])[:, 0],
        np.where(flat, np.log(weights @ truth + 1), solution[:, 1:]),
    )


def sigmoid(logits: Floats) -> Floats:
    """1 / (1 + exp(-logits)), without overflow."""
    fading = np.exp(-np.abs(logits))
    probability: Floats = np.where(logits >= 0, 1, fading) / (1 + fading)
    return probability


def minimise(objective: Objective, start: Floats) -> Floats:
    """Newton's method for convex functions of (replicates, k) numbers, each step halved while it does not descend.

    `objective` returns the values (replicates,), gradients (replicates, k) and Hessians (replicates, k, k).
    """
    x = start
    value, gradient, curvature = objective(x)
    for _ in range(50):
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        if np.abs(step).max(initial=0) < 1e-9:
            break
        for _ in range(30):
            reached = objective(x - step)
            worse = reached[0] > value + 1e-12 * (1 + np.abs(value))
            if not worse.any():
                break
            step[worse] /= 2
        x = x - step
        value, gradient, curvature = reached
    return x
