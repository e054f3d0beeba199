"""The feature store: what the frozen layers put out, computed once per image and view, read in batches.

`boundary.npy` float16 (n_images, views, h, w, channels): the trunk's output. `pooled.npy` float32 (n_images, views,
channels): the whole backbone's, averaged over positions. Rows are those of images.npy; view 0 is the clean image.
"""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.config import Augment
from lacuna.files import create_array, read_json, write_json
from lacuna.progress import progress


@dataclass(frozen=True)
class FeatureInfo:
    """What the store holds. `streamed` says in words why boundary features were not written, or is empty."""

    boundary: str
    views: int
    streamed: str
    checksum: str


def write_features(
    folder: Path,
    images: NDArray[np.uint8],
    backbone: Any,
    unfreeze_layers: int,
    augment: Augment,
    max_gb: float,
    batch_size: int,
) -> FeatureInfo:
    """Run the frozen layers over every image and view and write the store into `folder`.

    images: (n, size, size, 3). backbone: a Keras model as `lacuna.backbones.build_backbone` returns it.
    """
    import keras

    from lacuna.augment import Augmentation, draw_changes, no_changes
    from lacuna.backbones import cut

    parts = cut(backbone, unfreeze_layers)
    shape = parts.trunk.output_shape[1:]
    streamed = why_stream(len(images), images.shape[1:], shape, augment.views, max_gb)
    views = max(augment.views, 1)

    changes = keras.Input((no_changes(1).shape[1],), name="changes")
    boundary = parts.trunk(Augmentation(augment.cutout)([backbone.input, changes]))
    pooled = keras.layers.GlobalAveragePooling2D()(parts.tail(boundary))
    network = keras.Model([backbone.input, changes], [boundary, pooled])
    network.trainable = False

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
            drawn = draw_changes(augment, rows, view) if view else no_changes(len(rows))
            at_boundary, at_top = network.predict_on_batch([batch, drawn])
            pooled_store[rows, view] = at_top
            checksum.update(at_top.tobytes())
            if boundary_store is not None:
                boundary_store[rows, view] = at_boundary
    info = FeatureInfo(parts.boundary, augment.views, streamed, checksum.hexdigest())
    write_json(folder / "features.json", asdict(info))
    return info


def why_stream(
    n_images: int, image_shape: tuple[int, ...], boundary_shape: tuple[int, ...], views: int, max_gb: float
) -> str:
    """Say why training should read images instead of boundary features; empty when it should not."""
    if views == 0:
        return "augment.views is 0"
    view_bytes, image_bytes = 2 * int(np.prod(boundary_shape)), int(np.prod(image_shape))
    if view_bytes > image_bytes:
        return f"a view at the freeze boundary ({view_bytes:,} bytes) is larger than its image ({image_bytes:,} bytes)"
    gb = n_images * views * view_bytes / 1e9
    if gb > max_gb:
        return f"the features would take {gb:.1f} GB, more than features.max_gb ({max_gb:g})"
    return ""


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
