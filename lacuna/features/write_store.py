"""Computing the feature store: the frozen layers over every image, and over every view if fine-tuning asks for it."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.config.blocks import Augment
from lacuna.core.feature_store import BOUNDARY_FILE, FEATURES_FILE, FeatureInfo
from lacuna.features import backend
from lacuna.features.augmentation import Augmentation
from lacuna.features.augmentation_draws import CHANGES, draw_changes, no_changes
from lacuna.features.backend import keras
from lacuna.features.freeze_boundary import cut
from lacuna.features.frozen_pass import run_frozen
from lacuna.features.stages import Extractor, feature_network
from lacuna.io.atomic import create_array, sha256
from lacuna.io.progress import progress

NOTHING_LEARNS = "finetune.epochs was 0 when they were computed"

CHANGED_AT_ONCE = 8
"""So many images are changed in a step, the last step filled up: with another number bytes may differ."""


def write_features(
    folder: Path,
    images: NDArray[np.uint8],
    extractor: Extractor,
    augment: Augment,
    unfreeze: int | str | None,
    max_gb: float,
) -> FeatureInfo:
    """Run the frozen layers over every image and view and write the store into `folder`.

    images: (n, size, size, 3). unfreeze: what fine-tuning will train, as `lacuna.features.freeze_boundary.cut` takes
    it; None when nothing will be fine-tuned, and then neither views nor boundary maps are kept. Raises LacunaError when
    the backbone has no such block. The same bytes in every run on a machine.
    """
    network, n_columns = feature_network(extractor), extractor.layout.n_columns
    views, streamed, boundary = 1, NOTHING_LEARNS, ""
    boundary_store = None
    if unfreeze is not None:
        parts = cut(extractor.body, unfreeze)
        boundary, shape = parts.boundary, parts.trunk.output_shape[1:]
        seen = None if parts.at_image else (extractor.sizes[0], extractor.sizes[0], 3)
        views, streamed = plan_store(len(images), seen, shape, n_columns, augment.views, max_gb)
        if not streamed:
            network = feature_network(extractor, boundary)
            boundary_store = create_array(folder / BOUNDARY_FILE, (len(images), views, *shape), np.float16)
    features = create_array(folder / FEATURES_FILE, (len(images), views, n_columns), np.float32)

    def receive(number: int, outputs: list[NDArray[np.float32]]) -> None:
        place = divmod(number, views)
        features[place] = outputs[0]
        if boundary_store is not None:
            boundary_store[place] = outputs[1]

    pictures = enumerate_views(images, augment, views)
    run_frozen(network, progress(pictures, total=len(images) * views, what="featurize", unit="images"), receive)
    features.flush()
    info = FeatureInfo(extractor.layout, boundary, views, streamed, sha256(folder / FEATURES_FILE))
    info.save(folder)
    return info


def enumerate_views(images: NDArray[np.uint8], augment: Augment, views: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield every view of every image (size, size, 3) with its number, row * views + view."""
    change = _changes(augment, images.shape[1]) if views > 1 else None
    for start in range(0, len(images), CHANGED_AT_ONCE):
        batch = np.asarray(images[start : start + CHANGED_AT_ONCE])
        for view in range(views):
            pictures = change(batch, view) if change and view else batch
            for row, picture in enumerate(pictures, start):
                yield row * views + view, picture


def _changes(augment: Augment, size: int) -> Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]:
    """A function of at most CHANGED_AT_ONCE images and a view's number: the images as they are in that view."""
    inputs = [keras.Input((size, size, 3), dtype="uint8"), keras.Input((CHANGES,))]
    network = keras.Model(inputs, Augmentation(augment.cutout)(inputs))
    network.compile(jit_compile=backend.jit_compile())
    full, nothing = np.zeros((CHANGED_AT_ONCE, size, size, 3), np.uint8), no_changes(CHANGED_AT_ONCE)

    def change(batch: NDArray[np.uint8], view: int) -> NDArray[np.uint8]:
        n = len(batch)
        filled, drawn = full.copy(), nothing.copy()
        filled[:n], drawn[:n] = batch, draw_changes(augment, batch, view)
        return np.asarray(network.predict_on_batch([filled, drawn]))[:n]

    return change


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
