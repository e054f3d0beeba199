"""Pooled features: the mean over positions of a network's last feature map, what its head sees of an image."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lacuna.core.scores import Floats, Labels
from lacuna.core.targets import Targets
from lacuna.io.progress import progress

POOLED_AT_ONCE = 32


def pool(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean (n, channels) of feature maps (n, h, w, channels)."""
    pooled: NDArray[np.float32] = features.mean(axis=(1, 2))
    return pooled


def pool_images(
    body: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    what: str,
) -> NDArray[np.float32]:
    """Pooled features (len(rows), channels) of the images at `rows` of `images` (n_images, size, size, 3).

    `body` makes feature maps (n, h, w, channels) of a batch; `what` names the images in the progress bar.
    """
    starts = range(0, len(rows), POOLED_AT_ONCE)
    batches = [
        pool(body(np.asarray(images[rows[start : start + POOLED_AT_ONCE]])))
        for start in progress(starts, total=len(starts), what=what, unit="batches")
    ]
    return np.concatenate(batches) if batches else np.zeros((0, 0), np.float32)


Maps = NDArray[np.float32]


def contrasts(targets: Targets, index: int, classes: Labels) -> Floats:
    """What is explained for each image, as weights of the logits (n, n_logits), given its class (n,) of a target.

    The logit of a binary target, negative for "absent". Of a categorical target a class's logit less the mean of all
    its classes: adding the same to every class's logit changes no probability, and must not change a map.
    """
    target, columns = targets[index], targets.slices[index]
    weights = np.zeros((len(classes), targets.n_logits))
    if target.kind == "binary":
        weights[:, columns] = np.where(classes == 1, 1.0, -1.0)[:, None]
    else:
        weights[:, columns] = np.eye(target.n_classes)[classes] - 1 / target.n_classes
    return weights


def weigh_channels(features: NDArray[np.float32], slopes: Floats) -> Maps:
    """Maps (n, h, w) of the last feature maps (n, h, w, channels) and each channel's slope for an image (n, channels).

    Because the head sees the mean over positions, the mean of a map is what the image adds to the score.
    """
    maps: Maps = np.einsum("nhwc,nc->nhw", features, slopes, optimize=True).astype(np.float32)
    return maps


def enlarge(maps: Maps, size: int) -> Maps:
    """Maps (n, h, w) → (n, size, size) as the image has pixels, straight lines between the centres of the cells."""
    enlarged = [Image.fromarray(heat_map).resize((size, size), Image.Resampling.BILINEAR) for heat_map in maps]
    return (
        np.stack([np.asarray(heat_map) for heat_map in enlarged]) if enlarged else np.empty((0, size, size), np.float32)
    )
