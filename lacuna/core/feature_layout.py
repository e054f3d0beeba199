"""What the columns of the features are: statistics of feature maps, in blocks from the image up.

A network puts out a feature map after each stage of its backbone. Of each map the features hold every channel's mean
over positions, and but for the last map its standard deviation (Head2Toe, Evci et al. 2022: early maps hold what the
last one has given up). The same backbone may see images at several sizes, and a fine-tuned top may stand beside the
pretrained one.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

Statistic = Literal["mean", "deviation"]

SMALLEST_VARIANCE = 1e-8
"""What is added below the root of a standard deviation, so that a constant channel has a slope to learn by."""


@dataclass(frozen=True)
class ColumnBlock:
    """Columns that hold one statistic of the `channels` of one feature map.

    size: side in pixels of the images that the network saw. stage: the backbone's block that ends with the map. top:
    whether it is the last one. tuned: whether the map is a fine-tuned layer's.
    """

    size: int
    stage: str
    statistic: Statistic
    channels: int
    top: bool = False
    tuned: bool = False

    @property
    def map_name(self) -> str:
        """The name of the map, as exported networks call it."""
        return f"map_{self.size}_{self.stage}" + ("_tuned" if self.tuned else "")


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
        """The columns of the last map's means, of the first size and of the fine-tuned layers where there are any."""
        found = [(block, columns) for block, columns in self.slices() if block.top]
        tuned = [columns for block, columns in found if block.tuned]
        return tuned[0] if tuned else found[0][1]

    @property
    def map_names(self) -> tuple[str, ...]:
        """The names of the maps that the columns are taken from, each once."""
        return tuple(dict.fromkeys(block.map_name for block in self.blocks))

    def take(self, chosen: "np.typing.NDArray[np.bool_]") -> "FeatureLayout":
        """The layout of the blocks that a mask over the blocks chooses."""
        return FeatureLayout(tuple(block for block, kept in zip(self.blocks, chosen, strict=True) if kept))

    def to_json(self) -> list[dict[str, Any]]:
        return [asdict(block) for block in self.blocks]

    @classmethod
    def from_json(cls, content: list[dict[str, Any]]) -> "FeatureLayout":
        """What `to_json` gave. Raises TypeError for anything else."""
        return cls(tuple(ColumnBlock(**block) for block in content))
