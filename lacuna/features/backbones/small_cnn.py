"""Three convolution layers, trained from scratch: what a pretrained backbone should beat.

No batch norm, because Lacuna keeps it in inference mode, where one without pretrained statistics does nothing.
"""

from typing import Any

from lacuna.features.backend import layers

CHANNELS = (32, 64, 128)


def build(images: Any) -> Any:
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(images)
    for index, channels in enumerate(CHANNELS):
        if index:
            x = layers.MaxPooling2D(name=f"b{index}_pool")(x)
        x = layers.Conv2D(
            channels, 3, padding="same", activation="relu", kernel_initializer="he_normal", name=f"b{index}_conv"
        )(x)
    return x
