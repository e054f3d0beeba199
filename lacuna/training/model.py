"""From feature maps to logits: the head, and the whole network with its pretrained and its fine-tuned layers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lacuna.config.blocks import Head
from lacuna.core.feature_layout import FeatureLayout
from lacuna.core.head_weights import HeadWeights
from lacuna.core.scores import Floats
from lacuna.core.targets import Targets
from lacuna.features.augmentation import Augmentation
from lacuna.features.augmentation_draws import CHANGES
from lacuna.features.backend import keras, layers
from lacuna.features.stages import CutExtractor, Extractor, map_of, pool_columns
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
    """Features (n, n_columns) → logits (n, targets.n_logits)."""
    features = keras.Input((n_columns,), name="features")
    x = Standardize(name="standardize")(features)
    if options.hidden_units:
        x = layers.Dense(options.hidden_units, activation="relu", kernel_initializer="he_uniform", name="hidden")(x)
    x = layers.Dropout(options.dropout, name="dropout")(x)
    return keras.Model(features, layers.Dense(targets.n_logits, name="logits")(x), name="head")


def head_weights(head: keras.Model) -> HeadWeights:
    """The weights of a head that `build_head` built."""
    by_name = {layer.name: [np.asarray(part, np.float64) for part in layer.get_weights()] for layer in head.layers}
    hidden = tuple(by_name["hidden"]) if "hidden" in by_name else None
    return HeadWeights(*by_name["standardize"], *by_name["logits"], hidden)


def set_standardization(head: keras.Model, mean: Floats, scale: Floats) -> None:
    head.get_layer("standardize").set_weights([mean, scale])


def set_head(head: keras.Model, weights: HeadWeights) -> None:
    """Give these weights to a head that `build_head` built with the same options."""
    set_standardization(head, weights.mean, weights.scale)
    head.get_layer("logits").set_weights([weights.weights, weights.bias])
    if weights.hidden is not None:
        head.get_layer("hidden").set_weights(list(weights.hidden))


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


def augment_in_graph(trunk: keras.Model, top: keras.Model, cutout: float) -> keras.Model:
    """Run the network from images that are changed anew each time: (images, changes) → the output of `top`.

    `top` takes what `trunk` puts out. The trunk stays in inference mode: dropout between its blocks belongs to layers
    that learn.
    """
    changes = keras.Input((CHANGES,), name="changes")
    images = trunk.input
    return keras.Model([images, changes], top(trunk(Augmentation(cutout)([images, changes]), training=False)))


@dataclass(frozen=True)
class Network:
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
    tail: keras.Model | None

    @property
    def model(self) -> keras.Model:
        """Images → logits."""
        return keras.Model(self.image, self.logits)

    @property
    def with_maps(self) -> keras.Model:
        """Images → logits, features, and the maps in the order of `layout.map_names`."""
        maps = [self.maps[name] for name in self.layout.map_names]
        return keras.Model(self.image, [self.logits, self.features, *maps])


def build_network(
    extractor: Extractor, layout: FeatureLayout, head: keras.Model, tuned: CutExtractor | None
) -> Network:
    """Put a head on the features of `layout`.

    Its blocks are statistics of the extractor's maps, and the tuned ones of the maps of `tuned`, whose layers above the
    freeze boundary then stand on the extractor's map there. The two share no layers.
    """
    first = next(iter(extractor.bodies.values()))
    image = keras.Input(first.input_shape[1:], dtype="uint8", name="image")
    maps: dict[str, Any] = {}
    for body_size, body in extractor.bodies.items():
        blocks = [block for block in layout.blocks if block.size == body_size and not block.tuned]
        tensors = {block.map_name: map_of(body, block.stage) for block in blocks}
        if tuned is not None and body is first:
            tensors[BOUNDARY] = body.get_layer(tuned.boundary).output
        if tensors:
            maps |= _run(body.input, tensors, image)
    if tuned is not None:
        body = tuned.body
        tensors = {block.map_name: map_of(body, block.stage) for block in layout.blocks if block.tuned}
        maps |= _run(body.get_layer(tuned.boundary).output, tensors, maps.pop(BOUNDARY))
    features = pool_columns(maps, layout)
    return Network(image, maps, features, head(features), layout, head, None if tuned is None else tuned.tail)


BOUNDARY = "boundary"


def _run(below: Any, tensors: Mapping[str, Any], given: Any) -> dict[str, Any]:
    """The tensors above `below` by name, computed from `given` in its place."""
    above = {name: tensor for name, tensor in tensors.items() if tensor is not below}
    found = keras.Model(below, list(above.values()))(given) if above else []
    values = dict(zip(above, found if isinstance(found, list) else [found], strict=True))
    return {name: values.get(name, given) for name in tensors}


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
