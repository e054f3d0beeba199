"""From feature maps to logits: the head, and the whole network with its pretrained and its fine-tuned layers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lacuna.config.blocks import Head
from lacuna.core.feature_store import FeatureLayout
from lacuna.core.head_weights import HeadWeights
from lacuna.core.scores import Floats
from lacuna.core.targets import Targets
from lacuna.features.backend import keras, layers
from lacuna.features.stages import Extractor, Tail, layout_with, pool_columns
from lacuna.io.atomic import atomic_file, reserve
from lacuna.training.statistics import TargetStatistics


class Standardize(layers.Layer):  # type: ignore[misc]
    """(features - mean) / scale, of the training images: weights that no training changes."""

    def build(self, shape: tuple[Any, ...]) -> None:
        self.mean = self.add_weight(shape=(shape[-1],), initializer="zeros", trainable=False, name="mean")
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", trainable=False, name="scale")

    def call(self, features: Any) -> Any:
        return (features - self.mean) / self.scale


def build_head(n_columns: int, targets: Targets, options: Head) -> keras.Model:
    """Features (n, n_columns) → logits (n, targets.n_logits): a linear layer, and a hidden one beside it if asked for.

    The linear layer learns what is simple, and leaves the rest to the hidden one.
    """
    features = keras.Input((n_columns,), name="features")
    x = Standardize(name="standardize")(features)
    logits = layers.Dense(targets.n_logits, name="logits")(layers.Dropout(options.dropout, name="dropout")(x))
    if options.hidden_units:
        hidden = layers.Dense(options.hidden_units, activation="relu", kernel_initializer="he_uniform", name="hidden")(
            x
        )
        hidden = layers.Dropout(options.dropout, name="hidden_dropout")(hidden)
        added = layers.Dense(targets.n_logits, use_bias=False, kernel_initializer="zeros", name="hidden_logits")(hidden)
        logits = layers.Add(name="sum")([logits, added])
    return keras.Model(features, logits, name="head")


def head_weights(head: keras.Model) -> HeadWeights:
    """The weights of a head that `build_head` built."""
    by_name = {layer.name: [np.asarray(part, np.float64) for part in layer.get_weights()] for layer in head.layers}
    (mean, scale), (weights, bias) = by_name["standardize"], by_name["logits"]
    if "hidden" not in by_name:
        return HeadWeights(mean, scale, weights, bias)
    (into, shift), (out,) = by_name["hidden"], by_name["hidden_logits"]
    return HeadWeights(mean, scale, weights, bias, (into, shift, out))


def set_standardization(head: keras.Model, mean: Floats, scale: Floats) -> None:
    head.get_layer("standardize").set_weights([mean, scale])


def set_head(head: keras.Model, weights: HeadWeights) -> None:
    """Give these weights to a head that `build_head` built with the same options."""
    set_standardization(head, weights.mean, weights.scale)
    head.get_layer("logits").set_weights([weights.weights, weights.bias])
    if weights.hidden is not None:
        head.get_layer("hidden").set_weights(list(weights.hidden[:2]))
        head.get_layer("hidden_logits").set_weights([weights.hidden[2]])


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


@dataclass(frozen=True)
class TrainedNetwork:
    """A whole network, from images uint8 (n, s, s, 3) to logits (n, n_logits), as tensors that share its layers.

    maps: the feature maps by the names that the layout has for them. features: their statistics (n, n_columns), which
    the head sees. tail: the fine-tuned layers, None where there are none.
    """

    image: Any
    maps: Mapping[str, Any]
    features: Any
    logits: Any
    layout: FeatureLayout
    head: keras.Model
    tail: Tail | None

    @property
    def model(self) -> keras.Model:
        """Images → logits."""
        return keras.Model(self.image, self.logits)

    @property
    def with_maps(self) -> keras.Model:
        """Images → logits, features, and the maps in the order of `layout.map_names`."""
        maps = [self.maps[name] for name in self.layout.map_names]
        return keras.Model(self.image, [self.logits, self.features, *maps])


def build_network(extractor: Extractor, head: keras.Model, tail: Tail | None) -> TrainedNetwork:
    """Put a head on an extractor's features, and on those of a fine-tuned tail beside them if there is one."""
    image, maps, layout = extractor.body.input, extractor.maps_of(extractor.layout), layout_with(extractor.layout, tail)
    if tail is not None:
        maps[tail.block.map_name] = tail.map(extractor.body.get_layer(tail.boundary).output)
    features = pool_columns(maps, layout)
    return TrainedNetwork(image, maps, features, head(features), layout, head, tail)


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
