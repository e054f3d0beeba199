"""Bringing images to the size that the backbone sees, in the network, so that they can be stored at another."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.features.backend import keras, ops


class SquareResize(keras.layers.Layer):  # type: ignore[misc]
    """Resizes square images: (n, s, s, channels) → float32 (n, size, size, channels), neither rounded nor clipped.

    Every interpolation is linear and acts on rows and columns alike, so a matrix W (size, s) holds it: W x Wᵀ. That is
    the same in every runtime, where OpenVINO knows no bicubic and neither it nor ONNX a Lanczos resize operation.
    """

    def __init__(self, size: int, interpolation: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size
        self.interpolation = interpolation

    def build(self, shape: tuple[Any, ...]) -> None:
        self.matrix = resize_matrix(shape[1], self.size, self.interpolation)

    def call(self, images: Any) -> Any:
        _, height, _, channels = images.shape
        # Without transposes: OpenVINO 2026.4 moves those through the layers that follow and then fuses per-channel
        # constants with the wrong axis, which fails to compile or, before a Gather, computes something else.
        x = ops.matmul(self.matrix, ops.cast(images, "float32"))
        x = ops.matmul(self.matrix, ops.reshape(x, (-1, height, self.size * channels)))
        return ops.reshape(x, (-1, self.size, self.size, channels))


def resize_matrix(stored: int, size: int, interpolation: str) -> NDArray[np.float32]:
    """W (size, stored) of `SquareResize`: what Keras' own resize makes of the unit matrix, with antialiasing where
    images are shrunk."""
    unit = np.eye(stored, dtype=np.float32)[None, :, :, None]
    shrinks = size < stored and interpolation != "nearest"
    resized = ops.image.resize(unit, (size, stored), interpolation=interpolation, antialias=shrinks)
    matrix: NDArray[np.float32] = ops.convert_to_numpy(resized)[0, :, :, 0]
    return matrix
