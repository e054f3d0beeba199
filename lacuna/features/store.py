"""The feature store: what the frozen layers put out, computed once per image and view, read in batches.

`boundary.npy` float16 (n_images, views, h, w, channels): the trunk's output. `pooled.npy` float32 (n_images, views,
channels): the whole backbone's, averaged over positions. Rows are those of images.npy; view 0 is the clean image.
"""

import hashlib
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.config.blocks import Augment
from lacuna.features.augmentation_draws import draw_changes, no_changes
from lacuna.io.atomic import create_array, read_json, write_json
from lacuna.io.progress import progress


@dataclass(frozen=True)
class FeatureInfo:
    """What the store holds: the layer at the freeze boundary, how many views, and a digest of the pooled features.

    `streamed` says in words why there are no boundary features, or is empty. With 0 views only the clean pooled
    features were written.
    """

    boundary: str
    views: int
    streamed: str
    checksum: str


def write_features(
    folder: Path,
    images: NDArray[np.uint8],
    backbone: Any,
    unfreeze: int | str,
    augment: Augment,
    max_gb: float,
    batch_size: int,
) -> FeatureInfo:
    """Run the frozen layers over every image and view and write the store into `folder`.

    images: (n, size, size, 3). backbone: a Keras model as `lacuna.features.backbones.build_backbone` returns it.
    """
    from lacuna.features.augmentation import Augmentation
    from lacuna.features.backbones.enlarge import seen_size
    from lacuna.features.backend import keras
    from lacuna.features.freeze_boundary import cut

    parts = cut(backbone, unfreeze)
    shape = parts.trunk.output_shape[1:]
    changes = keras.Input((no_changes(1).shape[1],), name="changes")
    boundary = parts.trunk(Augmentation(augment.cutout)([backbone.input, changes]))
    pooled = keras.layers.GlobalAveragePooling2D()(parts.tail(boundary))
    network = keras.Model([backbone.input, changes], [boundary, pooled])
    network.trainable = False

    seen = None if parts.at_image else (seen_size(backbone), seen_size(backbone), 3)
    kept, streamed = plan_store(len(images), seen, shape, pooled.shape[-1], augment.views, max_gb)
    views = max(kept, 1)
    pooled_store = create_array(folder / "pooled.npy", (len(images), views, pooled.shape[-1]), np.float32)
    boundary_store = (
        None if streamed else create_array(folder / "boundary.npy", (len(images), views, *shape), np.float16)
    )
    checksum = hashlib.sha256()
    starts = range(0, len(images), batch_size)
    for start in progress(starts, total=len(starts), what="featurize", unit="batches"):
        rows = np.arange(start, min(start + batch_size, len(images)))
        batch = np.asarray(images[rows])
        for view in range(views):
            drawn = draw_changes(augment, batch, view) if view else no_changes(len(rows))
            at_boundary, at_top = network.predict_on_batch([batch, drawn])
            pooled_store[rows, view] = at_top
            checksum.update(at_top.tobytes())
            if boundary_store is not None:
                boundary_store[rows, view] = at_boundary
    info = FeatureInfo(parts.boundary, kept, streamed, checksum.hexdigest())
    write_json(folder / "features.json", asdict(info))
    return info


def plan_store(
    n_images: int, image: tuple[int, ...] | None, boundary: tuple[int, ...], channels: int, views: int, max_gb: float
) -> tuple[int, str]:
    """Decide what to keep: how many views of pooled features, and in words why no boundary features, or "".

    image, boundary: shapes of an image as the network sees it, enlarged, and of a view at the freeze boundary. image is
    None where the boundary is the image.
    0 views stands for the clean pooled features alone; then warm-up too reads images.
    """
    if views == 0:
        return 0, "augment.views is 0"
    view_bytes = 2 * math.prod(boundary)
    pooled_gb, boundary_gb = (n_images * views * size / 1e9 for size in (4 * channels, view_bytes))
    kept = views if pooled_gb <= max_gb else 0
    if image is None:
        return kept, "every layer of the backbone learns"
    if view_bytes > math.prod(image):
        return kept, (
            f"at the freeze boundary a view takes {view_bytes:,} bytes, more than the image that the network sees "
            f"({math.prod(image):,})"
        )
    if pooled_gb + boundary_gb > max_gb:
        return kept, f"the features would take {pooled_gb + boundary_gb:.1f} GB, more than features.max_gb ({max_gb:g})"
    return kept, ""


@dataclass(frozen=True)
class FeatureStore:
    """The store on disk, memory-mapped."""

    info: FeatureInfo
    pooled: NDArray[np.float32]
    boundary: NDArray[np.float16] | None

    @classmethod
    def open(cls, folder: Path) -> "FeatureStore":
        info = FeatureInfo(**read_json(folder / "features.json"))
        boundary = None if info.streamed else np.load(folder / "boundary.npy", mmap_mode="r")
        return cls(info, np.load(folder / "pooled.npy", mmap_mode="r"), boundary)
