"""The features: what the frozen layers put out, computed once per image and view, read in batches. No Keras here.

`features/` float32 (n_images, views, n_columns): statistics of feature maps, in blocks from the image up. A network
puts out a feature map after each stage of its backbone. Of each map the features hold every channel's mean over
positions, and but for the last map its standard deviation (Head2Toe, Evci et al. 2022: early maps hold what the last
one has given up). The same backbone may see images at several sizes, further backbones may follow, and a fine-tuned top
may stand beside the pretrained one.
`boundary/` float16 (n_images, views, h, w, channels): the maps at the freeze boundary, which fine-tuning starts
from. Rows, and the shards that they lie in, are those of the working images; view 0 is the clean image.
`lacuna.features.write_store` writes both.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lacuna.io.atomic import read_json, write_json
from lacuna.io.sharded_array import open_rows

FEATURES_FOLDER, BOUNDARY_FOLDER, INFO_FILE = "features", "boundary", "features.json"

Statistic = Literal["mean", "deviation"]

SMALLEST_VARIANCE = 1e-8
"""What is added below the root of a standard deviation, so that a constant channel has a slope to learn by."""


@dataclass(frozen=True)
class ColumnBlock:
    """Columns that hold one statistic of the `channels` of one feature map.

    size: side in pixels of the images that the network saw. stage: the backbone's block that ends with the map. top:
    whether it is the last one. tuned: whether the map is a fine-tuned layer's. backbone: the name of a backbone beside
    the first, whose own is "".
    """

    size: int
    stage: str
    statistic: Statistic
    channels: int
    top: bool = False
    tuned: bool = False
    backbone: str = ""

    @property
    def map_name(self) -> str:
        """The name of the map, as exported networks call it."""
        words = ("map", self.backbone, str(self.size), self.stage, "tuned" if self.tuned else "")
        return "_".join(filter(None, words))


@dataclass(frozen=True)
class FeatureLayout:
    """The blocks of columns in their order."""

    blocks: tuple[ColumnBlock, ...]

    @property
    def n_columns(self) -> int:
        return sum(block.channels for block in self.blocks)

    def slices(self) -> Iterator[tuple[ColumnBlock, slice]]:
        """Each block with the columns that it takes."""
        start = 0
        for block in self.blocks:
            yield block, slice(start, start + block.channels)
            start += block.channels

    @property
    def top(self) -> slice:
        """The columns of the last map's means, of the first size and of the first backbone as it was pretrained."""
        return next(columns for block, columns in self.slices() if block.top and not block.tuned)

    @property
    def first(self) -> slice:
        """The columns of the first backbone, as it was pretrained, at the first size: up to its last map's means."""
        return slice(0, self.top.stop)

    @property
    def map_names(self) -> tuple[str, ...]:
        """The names of the maps that the columns are taken from, each once."""
        return tuple(dict.fromkeys(block.map_name for block in self.blocks))

    def take(self, chosen: NDArray[np.bool_]) -> "FeatureLayout":
        """The layout of the blocks that a mask over the blocks chooses."""
        return FeatureLayout(tuple(block for block, kept in zip(self.blocks, chosen, strict=True) if kept))

    def to_json(self) -> list[dict[str, Any]]:
        return [asdict(block) for block in self.blocks]

    @classmethod
    def from_json(cls, content: list[dict[str, Any]]) -> "FeatureLayout":
        """What `to_json` gave. Raises TypeError for anything else."""
        return cls(tuple(ColumnBlock(**block) for block in content))


@dataclass(frozen=True)
class FeatureInfo:
    """What the store holds.

    layout: what the columns of the features are. boundary: the layer at the freeze boundary, "" if nothing was to be
    fine-tuned. views: how many, at least 1. streamed: in words why there are no boundary maps, or "" where there are.
    checksum: of the features, as `lacuna.io.sharded_array` gives.
    """

    layout: FeatureLayout
    boundary: str
    views: int
    streamed: str
    checksum: str

    def save(self, folder: Path) -> None:
        write_json(folder / INFO_FILE, vars(self) | {"layout": self.layout.to_json()})

    @classmethod
    def load(cls, folder: Path) -> "FeatureInfo":
        content = read_json(folder / INFO_FILE)
        return cls(**content | {"layout": FeatureLayout.from_json(content["layout"])})


@dataclass(frozen=True)
class FeatureStore:
    """The store on disk, memory-mapped. Both arrays are sharded (`lacuna.io.sharded_array`)."""

    info: FeatureInfo
    features: NDArray[np.float32]
    boundary: NDArray[np.float16] | None

    @property
    def pooled(self) -> NDArray[np.float32]:
        """The means of the last feature map (n_images, views, channels), a part of `features`."""
        pooled: NDArray[np.float32] = self.features[:, :, self.info.layout.top]
        return pooled

    @classmethod
    def open(cls, folder: Path) -> "FeatureStore":
        info = FeatureInfo.load(folder)
        boundary: Any = None if info.streamed else open_rows(folder / BOUNDARY_FOLDER)
        return cls(info, open_rows(folder / FEATURES_FOLDER), boundary)
