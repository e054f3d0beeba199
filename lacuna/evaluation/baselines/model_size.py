"""How many numbers a model learned, counted without building it."""

from lacuna.config.blocks import Head
from lacuna.core.targets import Targets


def linear_size(n_channels: int, targets: Targets) -> int:
    """Weights and biases of a layer of logits on `n_channels` features."""
    return (n_channels + 1) * targets.n_logits


def head_size(n_channels: int, targets: Targets, options: Head) -> int:
    """What `training.model.build_head` holds: weights, biases, and batch normalization's four numbers per channel."""
    batch_norm = 4 * n_channels if options.batch_norm else 0
    hidden = (n_channels + 1) * options.hidden_units
    return batch_norm + hidden + linear_size(options.hidden_units or n_channels, targets)
