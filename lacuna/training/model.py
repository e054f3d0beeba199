"""From a backbone to a model of the targets: pooling, maybe a hidden layer, dropout, a dense layer of logits."""

from pathlib import Path

import numpy as np

from lacuna.config.blocks import Backbone, Head
from lacuna.core.scores import Floats
from lacuna.core.targets import Targets
from lacuna.features.augmentation import Augmentation
from lacuna.features.augmentation_draws import CHANGES
from lacuna.features.backbones import build_backbone, load_weights
from lacuna.features.backend import keras, layers
from lacuna.io.atomic import atomic_file, reserve
from lacuna.training.statistics import TargetStatistics

BATCH_NORM_MOMENTUM = 0.9
"""The moving statistics forget where they started within an epoch of a small data set; Keras' 0.99 would not."""


def build_head(n_channels: int, targets: Targets, options: Head) -> keras.Model:
    """Pooled features (n, n_channels) → logits (n, targets.n_logits)."""
    pooled = x = keras.Input((n_channels,), name="pooled")
    if options.batch_norm:
        x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name="batch_norm")(x)
    if options.hidden_units:
        x = layers.Dense(options.hidden_units, activation="relu", kernel_initializer="he_uniform", name="hidden")(x)
    x = layers.Dropout(options.dropout, name="dropout")(x)
    return keras.Model(pooled, layers.Dense(targets.n_logits, name="logits")(x), name="head")


def fold_head(head: keras.Model) -> tuple[Floats, Floats] | None:
    """A head without hidden layer as one matrix (channels, n_logits) and bias (n_logits,); None for any other.

    In inference batch norm scales and shifts each channel, which the dense layer's weights and bias can do as well.
    """
    layers = {layer.name: layer for layer in head.layers}
    if "hidden" in layers:
        return None
    weights, bias = (np.asarray(part, np.float64) for part in layers["logits"].get_weights())
    if "batch_norm" in layers:
        norm = layers["batch_norm"]
        gamma, beta, mean, variance = (np.asarray(part, np.float64) for part in norm.get_weights())
        scale = gamma / np.sqrt(variance + norm.epsilon)
        bias = bias + (beta - mean * scale) @ weights
        weights = scale[:, None] * weights
    return weights, bias


def start_at_prior(head: keras.Model, targets: Targets, statistics: list[TargetStatistics]) -> None:
    """Set the output biases to the log prior of the known training labels, one observation added to each class.

    The first steps are then spent on the images instead of on the class frequencies (Lin et al. 2017, section 4.1).
    """
    bias = np.zeros(targets.n_logits, np.float32)
    for target, columns, statistic in zip(targets, targets.slices, statistics, strict=True):
        log_prior = np.log(np.array(statistic.counts) + 1.0) - np.log(sum(statistic.counts) + len(statistic.counts))
        bias[columns] = log_prior[1] - log_prior[0] if target.kind == "binary" else log_prior
    dense = head.get_layer("logits")
    dense.set_weights([dense.get_weights()[0], bias])


def attach_head(body: keras.Model, head: keras.Model) -> keras.Model:
    """Put a head on a tail or a whole backbone. Both share their layers with the result."""
    return keras.Model(body.input, head(layers.GlobalAveragePooling2D(name="pool")(body.output)))


def augment_in_graph(trunk: keras.Model, top: keras.Model, cutout: float) -> keras.Model:
    """Run the network from images that are changed anew each time: (images, changes) → the output of `top`.

    The trunk stays in inference mode: dropout between its blocks belongs to layers that learn.
    """
    changes = keras.Input((CHANGES,), name="changes")
    images = trunk.input
    return keras.Model([images, changes], top(trunk(Augmentation(cutout)([images, changes]), training=False)))


def save_weights(model: keras.Model, path: Path) -> None:
    """Write a network's weights, whole or not at all.

    The space is reserved first: HDF5 crashes on a full disk where OSError should be raised.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    reserve(path.parent, weights_size(model) + 2**20)
    with atomic_file(path) as partial:
        model.save_weights(partial)


def weights_size(model: keras.Model) -> int:
    """The bytes that a network's weights take in a file, its structure included."""
    return int(1.1 * 4 * model.count_params())


def load_trained(backbone: Backbone, image_size: int, targets: Targets, head: Head, weights: Path) -> keras.Model:
    """Build the whole network, images uint8 (n, size, size, 3) → logits float32 (n, n_logits), with trained weights."""
    body = build_backbone(backbone.model_copy(update={"weights": "none"}), image_size)
    model = attach_head(body, build_head(body.output_shape[-1], targets, head))
    load_weights(model, weights, "trained weights")
    return model
