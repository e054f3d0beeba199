"""Computing the feature store: the frozen layers over every image, and over every view if fine-tuning asks for it."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.config.blocks import Augment
from lacuna.core.feature_store import BOUNDARY_FOLDER, FEATURES_FOLDER, FeatureInfo
from lacuna.errors import LacunaError
from lacuna.execution.executor import LOCAL, Executor
from lacuna.features import backend
from lacuna.features.augmentation import Augmentation
from lacuna.features.augmentation_draws import CHANGES, draw_changes, no_changes
from lacuna.features.backend import keras
from lacuna.features.feature_shards import ArrayForm, write_feature_shards
from lacuna.features.freeze_boundary import cut
from lacuna.features.frozen_pass import frozen_runner
from lacuna.features.stages import Extractor, feature_network
from lacuna.io.sharded_array import checksum, open_rows

Change = Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]

NOTHING_LEARNS = "finetune.epochs was 0 when they were computed"

CHANGED_AT_ONCE = 8
"""So many images are changed in a step, the last step filled up: with another number bytes may differ."""


def write_features(
    folder: Path,
    images: Path,
    extractor: Extractor,
    augment: Augment,
    unfreeze: int | str | None,
    max_gb: float,
    kept: Path,
    executor: Executor = LOCAL,
) -> FeatureInfo:
    """Run the frozen layers over every image and view and write the store into `folder`.

    images: the folder of their shards, (n, size, size, 3). unfreeze: what fine-tuning will train, as
    `lacuna.features.freeze_boundary.cut` takes it; None when nothing will be fine-tuned, and then neither views nor
    boundary maps are written. kept: where shards of features are kept. Raises LacunaError when the backbone has no such
    block, or when the maps take more than `max_gb`. The same bytes in every run on a machine, whatever is kept and
    whatever executor does it.
    """
    n_columns = extractor.layout.n_columns
    n_images, size = open_rows(images).shape[:2]
    views, streamed, boundary = 1, NOTHING_LEARNS, ""
    shape: tuple[int, ...] = ()
    if unfreeze is not None:
        parts = cut(extractor.body, unfreeze)
        boundary, shape = parts.boundary, parts.trunk.output_shape[1:]
        seen = None if parts.at_image else (extractor.sizes[0], extractor.sizes[0], 3)
        views, streamed = plan_store(n_images, seen, shape, n_columns, augment.views, max_gb)
    forms = {FEATURES_FOLDER: ArrayForm((views, n_columns), np.float32)}
    if not streamed:
        forms[BOUNDARY_FOLDER] = ArrayForm((views, *shape), np.float16)
    changes = augment.model_dump_json() if views > 1 else "clean"
    with ViewFeatures(extractor, None if streamed else boundary, augment, size, views) as compute:
        inputs = [changes, *backend.identity(compute.network)]
        write_feature_shards(folder, images, forms, compute, kept, inputs, executor)
    info = FeatureInfo(extractor.layout, boundary, views, streamed, checksum(folder / FEATURES_FOLDER))
    info.save(folder)
    return info


class ViewFeatures(contextlib.AbstractContextManager["ViewFeatures"]):
    """Computes features, and where asked for maps at the boundary, of every view of images: a `Compute`.

    What runs the network is opened with the first images, and closed at the end of the context; in another process it
    lives as long as that.
    """

    def __init__(self, extractor: Extractor, boundary: str | None, augment: Augment, size: int, views: int) -> None:
        """boundary: the layer whose maps are the second array, if any. size: of the images."""
        self._built_from = extractor, boundary, augment, size, views
        self._views = views
        self.network = feature_network(extractor, boundary)
        self._change = changer(augment, size)
        self._opened = contextlib.ExitStack()
        self._run = self._opened.enter_context(frozen_runner(self.network))

    def __call__(self, images: NDArray[np.uint8], rows: Sequence[int], arrays: Mapping[str, NDArray[Any]]) -> None:
        def receive(number: int, outputs: list[NDArray[np.float32]]) -> None:
            row, view = divmod(number, self._views)
            for array, output in zip(arrays.values(), outputs, strict=True):
                array[row, view] = output

        self._run(enumerate_views(images, rows, self._change, self._views), receive)

    def __reduce__(self) -> tuple[Any, ...]:
        return _build_elsewhere, self._built_from

    def __exit__(self, *_: object) -> None:
        self._opened.close()


def _build_elsewhere(
    extractor: Extractor, boundary: str | None, augment: Augment, size: int, views: int
) -> ViewFeatures:
    backend.make_reproducible(augment.seed)
    return ViewFeatures(extractor, boundary, augment, size, views)


def enumerate_views(
    images: NDArray[np.uint8], rows: Sequence[int], change: Change, views: int
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield every view of the images (size, size, 3) at `rows` with its number, row * views + view."""
    for start in range(0, len(rows), CHANGED_AT_ONCE):
        places = rows[start : start + CHANGED_AT_ONCE]
        batch = np.asarray(images[places])
        for view in range(views):
            pictures = change(batch, view) if view else batch
            for row, picture in zip(places, pictures, strict=True):
                yield row * views + view, picture


def changer(augment: Augment, size: int) -> Change:
    """A function of at most CHANGED_AT_ONCE images and a view's number: the images as they are in that view."""
    full, nothing = np.zeros((CHANGED_AT_ONCE, size, size, 3), np.uint8), no_changes(CHANGED_AT_ONCE)

    @cache
    def network() -> keras.Model:
        inputs = [keras.Input((size, size, 3), dtype="uint8"), keras.Input((CHANGES,))]
        model = keras.Model(inputs, Augmentation(augment.cutout)(inputs))
        model.compile(jit_compile=backend.jit_compile())
        return model

    def change(batch: NDArray[np.uint8], view: int) -> NDArray[np.uint8]:
        n = len(batch)
        filled, drawn = full.copy(), nothing.copy()
        filled[:n], drawn[:n] = batch, draw_changes(augment, batch, view)
        return np.asarray(network().predict_on_batch([filled, drawn]))[:n]

    return change


def plan_store(
    n_images: int, image: tuple[int, ...] | None, boundary: tuple[int, ...], columns: int, views: int, max_gb: float
) -> tuple[int, str]:
    """Decide what to keep for fine-tuning: how many views, and in words why no boundary maps, or "".

    image, boundary: shapes of an image as the network sees it, resized, and of a view at the freeze boundary. image is
    None where the boundary is the image. columns: how many the features have; without boundary maps only those of the
    clean view are kept, whatever they take. Raises LacunaError when what is to be kept takes more than `max_gb`.
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
        raise LacunaError(
            f"features.max_gb: features and maps for fine-tuning take {gb:.1f} GB, more than {max_gb:g}. Raise "
            "features.max_gb, or take less: augment.views: 0 has fine-tuning read the images and run every layer in "
            "each epoch (slow), finetune.epochs: 0 does without fine-tuning"
        )
    return views, ""
