"""What is taken of a backbone: statistics of the feature map that each of its stages ends with, from the image up.

A stage is what lies between two changes of the map's size or channels: its last block's last layer puts out the map.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lacuna.config.backbone import Backbone
from lacuna.config.blocks import Features
from lacuna.core.feature_store import SMALLEST_VARIANCE, ColumnBlock, FeatureLayout
from lacuna.errors import LacunaError
from lacuna.features.backbones import build_backbone
from lacuna.features.backend import keras, layers, ops
from lacuna.features.freeze_boundary import block_depths, block_of, cut


class ChannelMean(layers.Layer):  # type: ignore[misc]
    """Mean of each channel over positions: (n, h, w, channels) → (n, channels)."""

    def call(self, maps: Any) -> Any:
        return ops.mean(maps, axis=(1, 2))


class ChannelDeviation(layers.Layer):  # type: ignore[misc]
    """Standard deviation of each channel over positions: (n, h, w, channels) → (n, channels).

    SMALLEST_VARIANCE is added, so that a constant channel has a slope to learn by.
    """

    def call(self, maps: Any) -> Any:
        away = maps - ops.mean(maps, axis=(1, 2), keepdims=True)
        return ops.sqrt(ops.mean(away * away, axis=(1, 2)) + SMALLEST_VARIANCE)


STATISTICS: dict[str, Any] = {"mean": ChannelMean, "deviation": ChannelDeviation}


@dataclass(frozen=True)
class Extractor:
    """The backbones at each size of `features.sizes`, and the layout of the features that are taken of them.

    bodies: images uint8 (n, s, s, 3) → last feature map, by the backbone as `ColumnBlock` names it and the size that
    the network sees. They share no weights: fine-tuning changes the first, and the others stay as they are.
    built_from: what `build_extractor` was given. By that it is sent to another process, and built there again.
    """

    bodies: Mapping[tuple[str, int], keras.Model]
    layout: FeatureLayout
    built_from: tuple[Backbone, Features, int] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        if self.built_from is None:
            raise TypeError("expected an extractor of build_extractor's: other networks cannot be sent")
        return build_extractor, self.built_from

    @property
    def body(self) -> keras.Model:
        """The first backbone at the first size, the body that fine-tuning changes."""
        return next(iter(self.bodies.values()))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides in pixels of the images as the network sees them."""
        return tuple(dict.fromkeys(size for _, size in self.bodies))

    def maps(self) -> dict[str, Any]:
        """The tensors of the maps that the layout names, each a function of its own body's input."""
        return {
            block.map_name: map_of(self.bodies[block.backbone, block.size], block.stage) for block in self.layout.blocks
        }

    def maps_of(self, layout: FeatureLayout) -> dict[str, Any]:
        """The tensors of the maps that a part of the layout names, all functions of the first body's input."""
        found: dict[str, Any] = {}
        for key, body in self.bodies.items():
            tensors = {
                block.map_name: map_of(body, block.stage)
                for block in layout.blocks
                if (block.backbone, block.size) == key
            }
            if tensors and body is not self.body:
                name = "_".join(("maps", *map(str, filter(None, key))))
                there = keras.Model(body.input, list(tensors.values()), name=name)(self.body.input)
                tensors = dict(zip(tensors, there if isinstance(there, list) else [there], strict=True))
            found |= tensors
        return found


@dataclass(frozen=True)
class Tail:
    """The layers above the freeze boundary in a backbone of their own, which fine-tuning trains.

    boundary: the name of the layer at the boundary. at_image: it is the image as it is stored, because every layer
    learns. map, means: boundary map (n, h, w, channels) → last feature map, and its means (n, channels). body: the
    backbone that they are the top of. block: what the layout calls these means.
    """

    boundary: str
    at_image: bool
    map: keras.Model
    means: keras.Model
    body: keras.Model
    block: ColumnBlock


def build_extractor(backbone: Backbone, features: Features, image_size: int) -> Extractor:
    """Build every backbone for every size of `features.sizes`. Raises LacunaError as `build_backbone` does.

    Raises LacunaError too when the backbone has no stage that `features.stages` names.
    """
    first, *others = backbone.each()
    named = {"": first, **{other.names[0]: other for other in others}}
    bodies = {
        (name, size): build_backbone(one, image_size, size)
        for name, one in named.items()
        for size in features.seen(image_size)
    }
    blocks = [
        replace(block, backbone=name)
        for (name, size), body in bodies.items()
        for block in _column_blocks(body, size, features.stages)
    ]
    return Extractor(bodies, FeatureLayout(tuple(blocks)), (backbone, features, image_size))


def stages_of(body: keras.Model) -> list[str]:
    """The last block of each stage, from the image up; the last one ends with the last feature map."""
    shapes = {block: tuple(map_of(body, block).shape[1:]) for block in _blocks(body)}
    names = list(shapes)
    return [name for name, above in zip(names, [*names[1:], ""], strict=True) if shapes.get(above) != shapes[name]]


def build_tail(backbone: Backbone, features: Features, image_size: int, unfreeze: int | str) -> Tail:
    """Build the first backbone once more for the first of `features.sizes`, and cut it for fine-tuning.

    unfreeze: as `lacuna.features.freeze_boundary.cut` takes it. Raises LacunaError when there is no such block, and as
    `build_backbone` does.
    """
    size = features.seen(image_size)[0]
    body = build_backbone(backbone.each()[0], image_size, size)
    parts = cut(body, unfreeze)
    means = keras.Model(parts.tail.input, ChannelMean()(parts.tail.output), name="tail")
    block = replace(_column_blocks(body, size, "top")[-1], tuned=True)
    return Tail(parts.boundary, parts.at_image, parts.tail, means, body, block)


def layout_with(layout: FeatureLayout, tail: Tail | None) -> FeatureLayout:
    """The layout of an extractor's features with those of a tail behind them, if there is one."""
    return layout if tail is None else FeatureLayout((*layout.blocks, tail.block))


def feature_network(extractor: Extractor, boundary: str | None = None) -> keras.Model:
    """Images uint8 (n, s, s, 3) → features float32 (n, n_columns): one input for all sizes.

    boundary: the name of a layer of the first body, whose output then is the second output.
    """
    layout, image = extractor.layout, extractor.body.input
    features = pool_columns(extractor.maps_of(layout), layout)
    if boundary is None:
        return keras.Model(image, features, name="features")
    at_boundary = extractor.body.get_layer(boundary).output
    if at_boundary is image:
        at_boundary = layers.Identity(dtype=image.dtype)(image)  # an input cannot be an output
    return keras.Model(image, [features, at_boundary], name="features")


def pool_columns(maps: Mapping[str, Any], layout: FeatureLayout) -> Any:
    """The features (n, n_columns) of the maps by their names, in the order of a layout of at least one block."""
    columns = [STATISTICS[block.statistic]()(maps[block.map_name]) for block in layout.blocks]
    return layers.Concatenate(name="features")(columns) if len(columns) > 1 else columns[0]


def map_of(body: keras.Model, block: str) -> Any:
    """The output of a block's last layer."""
    return _last_layer(body, block).output


def _column_blocks(body: keras.Model, size: int, wanted: str | Sequence[str]) -> list[ColumnBlock]:
    *stages, top = stages_of(body)
    if wanted == "top":
        chosen = []
    elif wanted == "all":
        chosen = stages
    else:
        unknown = [name for name in wanted if name not in (*stages, top)]
        if unknown or len(set(wanted)) < len(wanted):
            raise LacunaError(
                f"features.stages: expected all, top or some of {', '.join((*stages, top))}, each once, received "
                f"{', '.join(wanted)}"
            )
        chosen = [name for name in stages if name in wanted]
    blocks = []
    for stage in chosen:
        channels = int(map_of(body, stage).shape[-1])
        blocks += [ColumnBlock(size, stage, "mean", channels), ColumnBlock(size, stage, "deviation", channels)]
    return [*blocks, ColumnBlock(size, top, "mean", int(body.output_shape[-1]), top=True)]


def _blocks(body: keras.Model) -> list[str]:
    """The names of the blocks with layers that can learn, from the image up."""
    return list(dict.fromkeys(block_of(name) for name in reversed(block_depths(body))))


def _last_layer(body: keras.Model, block: str) -> Any:
    return next(layer for layer in reversed(body.layers) if block_of(layer.name) == block)
