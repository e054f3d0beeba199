"""The feature store: what the frozen layers put out, computed once per image and view, read in batches. No Keras here.

`features.npy` float32 (n_images, views, n_columns): the columns of `FeatureInfo.layout`, of the pretrained backbone.
`boundary.npy` float16 (n_images, views, h, w, channels): the maps at the freeze boundary, which fine-tuning starts
from. Rows are those of images.npy; view 0 is the clean image. `lacuna.features.write_store` writes it.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.core.feature_layout import FeatureLayout
from lacuna.io.atomic import read_json, write_json

FEATURES_FILE, BOUNDARY_FILE, INFO_FILE = "features.npy", "boundary.npy", "features.json"

NOTHING_LEARNS = "finetune.epochs was 0 when they were computed"


@dataclass(frozen=True)
class FeatureInfo:
    """What the store holds.

    layout: what the columns of the features are. boundary: the layer at the freeze boundary, "" if nothing was to be
    fine-tuned. views: how many, at least 1. streamed: in words why there are no boundary maps, or "" where there are.
    checksum: SHA-256 of features.npy.
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
    """The store on disk, memory-mapped."""

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
        boundary: Any = None if info.streamed else np.load(folder / BOUNDARY_FILE, mmap_mode="r")
        return cls(info, np.load(folder / FEATURES_FILE, mmap_mode="r"), boundary)


def plan_store(
    n_images: int, image: tuple[int, ...] | None, boundary: tuple[int, ...], columns: int, views: int, max_gb: float
) -> tuple[int, str]:
    """Decide what to keep for fine-tuning: how many views, and in words why no boundary maps, or "".

    image, boundary: shapes of an image as the network sees it, resized, and of a view at the freeze boundary. image is
    None where the boundary is the image. columns: how many the features have; without boundary maps only those of the
    clean view are kept, whatever they take.
    """
    view_bytes = 2 * math.prod(boundary)
    gb = n_images * views * (4 * columns + view_bytes) / 1e9
    if views == 0:
        return 1, "augment.views is 0"
    if image is None:
        return 1, "every layer of the backbone learns"
    if view_bytes > math.prod(image):
        return 1, (
            f"at the freeze boundary a view takes {view_bytes:,} bytes, more than the image that the network sees "
            f"({math.prod(image):,})"
        )
    if gb > max_gb:
        return 1, f"the features would take {gb:.1f} GB, more than features.max_gb ({max_gb:g})"
    return views, ""
