"""How many numbers a model learned, counted without building it."""

from pathlib import Path

from lacuna.core.head_weights import HeadWeights
from lacuna.core.targets import Targets


def linear_size(n_features: int, targets: Targets) -> int:
    """Weights and biases of a layer of logits on `n_features` features, and each one's mean and scale in training."""
    return 2 * n_features + (n_features + 1) * targets.n_logits


def head_size(head: HeadWeights) -> int:
    """Mean and scale of each column, weights and biases of all layers."""
    return sum(array.size for array in (head.mean, head.scale, head.weights, head.bias, *(head.hidden or ())))


def stored_size(path: Path) -> int:
    """How many numbers a Keras weights file holds."""
    import h5py

    sizes: list[int] = []
    with h5py.File(path) as file:
        file.visititems(lambda _, item: sizes.append(item.size) if isinstance(item, h5py.Dataset) else None)
    return sum(sizes)
