"""How many numbers a model learned, counted without building it."""

from lacuna.config.blocks import Head
from lacuna.core.targets import Targets


def linear_size(n_features: int, targets: Targets) -> int:
    """Weights and biases of a layer of logits on `n_features` features, and each one's mean and scale in training."""
    return 2 * n_features + (n_features + 1) * targets.n_logits


def head_size(n_columns: int, targets: Targets, options: Head) -> int:
    """What `training.model.build_head` holds: mean and scale of each column, weights and biases."""
    hidden = options.hidden_units
    if not hidden:
        return linear_size(n_columns, targets)
    return 2 * n_columns + (n_columns + 1) * hidden + (hidden + 1) * targets.n_logits
