"""Random changes to training images, applied in the graph: one affine resampling, colour jitter, cutout.

What is drawn for an image depends on nothing but (seed, view or epoch, row), never on the batch it comes in.
"""

from typing import Any

from lacuna import backend  # noqa: F401, must come before keras

import keras  # isort: skip
import numpy as np
from keras import ops
from numpy.typing import NDArray

from lacuna.config import Augment

CHANGES = 9
"""Numbers drawn per image: two flips, rotation in radians, zoom, brightness, contrast, saturation, cutout's centre."""

NO_CHANGE = (1, 1, 0, 1, 0, 1, 1, -9, -9)
"""The clean image. Cutout's square lies outside of it."""

GREY = (0.299, 0.587, 0.114)


def draw_changes(augment: Augment, rows: NDArray[np.int64], turn: int) -> NDArray[np.float32]:
    """Draw the changes (len(rows), CHANGES) to the images at `rows`; `turn` numbers the view or the epoch."""
    changes = np.empty((len(rows), CHANGES), np.float32)
    for i, row in enumerate(rows):
        r = np.random.default_rng([augment.seed, turn, int(row)]).uniform(-1, 1, CHANGES)
        changes[i] = (
            -1 if augment.horizontal_flip and r[0] < 0 else 1,
            -1 if augment.vertical_flip and r[1] < 0 else 1,
            r[2] * augment.rotation * 2 * np.pi,
            1 + r[3] * augment.zoom,
            r[4] * augment.brightness * 255,
            1 + r[5] * augment.contrast,
            1 + r[6] * augment.saturation,
            r[7] if augment.cutout else -9,
            r[8] if augment.cutout else -9,
        )
    return changes


def no_changes(n: int) -> NDArray[np.float32]:
    return np.tile(np.array(NO_CHANGE, np.float32), (n, 1))


class Augmentation(keras.layers.Layer):  # type: ignore[misc]
    """Applies drawn changes: (uint8 images (n, size, size, 3), changes (n, CHANGES)) → uint8 images.

    Pixels that a rotation or a zoom brings in from outside repeat the nearest edge. Cutout fills with mid grey
    (DeVries & Taylor 2017).
    """

    def __init__(self, cutout: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cutout = cutout

    def call(self, inputs: tuple[Any, Any]) -> Any:
        images, changes = inputs
        columns = [changes[:, i] for i in range(CHANGES)]
        flip_x, flip_y, angle, zoom, brightness, contrast, saturation, centre_x, centre_y = columns
        size = images.shape[1]
        x = ops.cast(images, "float32")
        x = ops.image.affine_transform(x, _transform(flip_x, flip_y, angle, zoom, size), fill_mode="nearest")
        brightness, contrast, saturation = (c[:, None, None, None] for c in (brightness, contrast, saturation))
        grey = ops.sum(x * ops.convert_to_tensor(GREY, "float32"), axis=-1, keepdims=True)
        x = grey + (x - grey) * saturation
        mean = ops.mean(x, axis=(1, 2, 3), keepdims=True)
        x = mean + (x - mean) * contrast + brightness
        position = ops.linspace(-1.0, 1.0, size)
        covered_x = ops.abs(position[None, :] - centre_x[:, None]) < self.cutout
        covered_y = ops.abs(position[None, :] - centre_y[:, None]) < self.cutout
        covered = ops.logical_and(covered_y[:, :, None], covered_x[:, None, :])[..., None]
        x = ops.where(covered, 127.0, x)
        return ops.cast(ops.round(ops.clip(x, 0.0, 255.0)), "uint8")

    def compute_output_spec(self, inputs: tuple[Any, Any]) -> keras.KerasTensor:
        return keras.KerasTensor(inputs[0].shape, dtype="uint8")


def _transform(flip_x: Any, flip_y: Any, angle: Any, zoom: Any, size: int) -> Any:
    """Projective transforms (n, 8) from output to input pixels: about the centre, zoom, turn, then flip."""
    centre = (size - 1) / 2
    cos, sin = ops.cos(angle) / zoom, ops.sin(angle) / zoom
    a, b = flip_x * cos, -flip_x * sin
    c, d = flip_y * sin, flip_y * cos
    zero = ops.zeros_like(angle)
    shift_x = centre - centre * (a + b)
    shift_y = centre - centre * (c + d)
    return ops.stack([a, b, shift_x, c, d, shift_y, zero, zero], axis=-1)
