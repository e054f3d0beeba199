"""Presets of KerasHub with small random networks, written to folders as its `save_to_preset` writes them."""

from pathlib import Path
from typing import Any

import keras_hub
import numpy as np
from numpy.typing import NDArray

from lacuna.config.backbone import Backbone
from lacuna.features.backend import keras

SCALE, OFFSET = [0.02, 0.015, 0.018], [-2.0, -1.5, -1.8]
"""Of red, green and blue, as presets that were trained on ImageNet have them: 255 is taken to about 2."""


def settings(preset: Path | str) -> Backbone:
    return Backbone(
        name="keras_hub", weights=str(preset), interpolation="bilinear", mean=(0, 0, 0), std=(255, 255, 255)
    )


def resnet(**changes: Any) -> Any:
    """Levels P2 with 64 channels and P3 with 8, for images of any size."""
    arguments = {
        "input_conv_filters": [64],
        "input_conv_kernel_sizes": [3],
        "stackwise_num_filters": [64, 8],
        "stackwise_num_blocks": [1, 1],
        "stackwise_num_strides": [1, 2],
        "block_type": "basic_block",
    }
    return _random(keras_hub.models.ResNetBackbone(**arguments | changes))


def efficientnet() -> Any:
    """Two levels of layers that hold layers themselves, batch norm among them."""
    return _random(
        keras_hub.models.EfficientNetBackbone(
            stackwise_width_coefficients=[1.0, 1.0],
            stackwise_depth_coefficients=[1.0, 1.0],
            stackwise_squeeze_and_excite_ratios=[0.25, 0.25],
            stackwise_kernel_sizes=[3, 3],
            stackwise_num_repeats=[1, 1],
            stackwise_input_filters=[8, 8],
            stackwise_output_filters=[8, 16],
            stackwise_expansion_ratios=[1, 4],
            stackwise_strides=[2, 2],
            stackwise_block_types=["fused", "unfused"],
        )
    )


def vit(**changes: Any) -> Any:
    """A class token and 4 x 4 patches of 8 pixels a side."""
    arguments = {
        "image_shape": (32, 32, 3),
        "patch_size": 8,
        "num_layers": 2,
        "num_heads": 2,
        "hidden_dim": 12,
        "mlp_dim": 24,
        "dropout_rate": 0.1,
    }
    return _random(keras_hub.models.ViTBackbone(**arguments | changes))


def dinov2() -> Any:
    """A class token, five registers, which make a square with it and the patches, and 2 x 2 patches; no own norm."""
    return _random(
        keras_hub.models.DINOV2Backbone(
            patch_size=16,
            num_layers=1,
            hidden_dim=8,
            num_heads=2,
            intermediate_dim=16,
            num_register_tokens=4,
            image_shape=(32, 32, 3),
            position_embedding_shape=(32, 32),
        )
    )


def save(folder: Path, network: Any, converter: type[Any] | None = None) -> Any:
    """Write the preset, with an image converter of that class; return the converter."""
    network.save_to_preset(str(folder))
    if converter is None:
        return None
    made = converter(scale=SCALE, offset=OFFSET)
    made.save_to_preset(str(folder))
    return made


def save_resnet(folder: Path, **changes: Any) -> Any:
    """Write the preset of `resnet`; return the network and its converter in one function of images 0 to 255."""
    network = resnet(**changes)
    converter = save(folder, network, keras_hub.layers.ResNetImageConverter)
    return lambda images: np.asarray(network(np.asarray(converter(images.astype(np.float32)))))


def pictures(size: int, n: int = 2) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def _random(network: keras.Model) -> keras.Model:
    """Weights that let every image through: positive scales and variances, small kernels."""
    random = np.random.default_rng(1)
    for variable in network.weights:
        shape = variable.shape
        values = random.normal(0, (2 / np.prod(shape[:-1])) ** 0.5, shape) if len(shape) > 1 else None
        variable.assign(random.uniform(0.5, 1.5, shape) if values is None else values)
    return network
