"""Random changes to training images, applied in the graph: one affine resampling, colour jitter, cutout."""

from typing import Any

from lacuna.features.augmentation_draws import CHANGES, CUTOUT_GREY, GREY
from lacuna.features.backend import keras, ops


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
        grey = sum(share * x[..., i : i + 1] for i, share in enumerate(GREY))  # twice as fast as a sum over an axis
        x = grey + (x - grey) * saturation
        # Of whole numbers: a sum of floats depends on the number of threads and images, and 1e-6 tips a rounding below.
        total = ops.sum(ops.cast(ops.round(x), "int32"), axis=(1, 2, 3), keepdims=True)
        mean = ops.cast(total, "float32") / (3 * size * size)
        x = mean + (x - mean) * contrast + brightness
        position = ops.linspace(-1.0, 1.0, size)
        covered_x = ops.abs(position[None, :] - centre_x[:, None]) < self.cutout
        covered_y = ops.abs(position[None, :] - centre_y[:, None]) < self.cutout
        covered = ops.logical_and(covered_y[:, :, None], covered_x[:, None, :])[..., None]
        x = ops.where(covered, float(CUTOUT_GREY), x)
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
