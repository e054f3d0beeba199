"""What is taken of a backbone: statistics of the feature map that each of its stages ends with, from the image up.

A stage is what lies between two changes of the map's size or channels: its last block's last layer puts out the map.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lacuna.config.blocks import Backbone, Features
from lacuna.core.feature_layout import SMALLEST_VARIANCE, ColumnBlock, FeatureLayout
from lacuna.errors import LacunaError
from lacuna.features.backbones import build_backbone
from lacuna.features.backend import keras, ops
from lacuna.features.freeze_boundary import block_depths, block_of


class ChannelMean(keras.layers.Layer):  # type: ignore[misc]
    """Mean of each channel over positions: (n, h, w, channels) → (n, channels)."""

    def call(self, maps: Any) -> Any:
        return ops.mean(maps, axis=(1, 2))


class ChannelDeviation(keras.layers.Layer):  # type: ignore[misc]
    """Standard deviation of each channel over positions: (n, h, w, channels) → (n, channels).

    SMALLEST_VARIANCE is added, so that a constant channel has a slope to learn by.
    """

    def call(self, maps: Any) -> Any:
        away = maps - ops.mean(maps, axis=(1, 2), keepdims=True)
        return ops.sqrt(ops.mean(away * away, axis=(1, 2)) + SMALLEST_VARIANCE)


STATISTICS = {"mean": ChannelMean, "deviation": ChannelDeviation}


@dataclass(frozen=True)
class Extractor:
    """The backbone at each size of `features.sizes`, and the layout of the features that are taken of it.

    bodies: images uint8 (n, s, s, 3) → last feature map, by the size that the network sees. They share no weights:
    fine-tuning changes the first, and the others stay as they are.
    """

    bodies: Mapping[int, keras.Model]
    layout: FeatureLayout

    def maps(self) -> dict[str, Any]:
        """The tensors of the maps that the layout names, each a function of its own body's input."""
        return {block.map_name: map_of(self.bodies[block.size], block.stage) for block in self.layout.blocks}


def build_extractor(backbone: Backbone, features: Features, image_size: int) -> Extractor:
    """Build the backbone for every size of `features.sizes`. Raises LacunaError as `build_backbone` does.

    Raises LacunaError too when the backbone has no stage that `features.stages` names.
    """
    bodies: dict[int, keras.Model] = {}
    for size in features.sizes:
        seen = size or image_size
        if seen in bodies:
            raise LacunaError(f"features.sizes: {seen} stands there twice, once as 0, the size of the stored images")
        bodies[seen] = build_backbone(backbone, image_size, seen)
    blocks = [block for size, body in bodies.items() for block in _column_blocks(body, size, features.stages)]
    return Extractor(bodies, FeatureLayout(tuple(blocks)))


def stages_of(body: keras.Model) -> list[str]:
    """The last block of each stage, from the image up; the last one ends with the last feature map."""
    shapes = {block: tuple(map_of(body, block).shape[1:]) for block in _blocks(body)}
    names = list(shapes)
    return [name for name, above in zip(names, [*names[1:], None], strict=True) if shapes.get(above or "") != shapes[name]]


def pool_columns(maps: Mapping[str, Any], layout: FeatureLayout) -> Any:
    """The features (n, n_columns) of the maps by their names, in the order of the layout."""
    columns = [STATISTICS[block.statistic]()(maps[block.map_name]) for block in layout.blocks]
    return keras.layers.Concatenate(name="features")(columns) if len(columns) > 1 else columns[0]


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


def map_of(body: keras.Model, block: str) -> Any:
    """The output of a block's last layer."""
    return next(layer.output for layer in reversed(body.layers) if block_of(layer.name) == block)
