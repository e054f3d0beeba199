"""The block that EfficientNet-Lite and MobileNetV2 are made of, and how to fill it from torch's tensors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from lacuna.features.backend import keras, layers


@dataclass(frozen=True)
class Convention:
    """What frameworks do differently: batch norm's epsilon, and where a convolution of stride 2 pads an even image.

    TensorFlow pads below and to the right, torch all around, so that the same kernel falls on other pixels.
    """

    epsilon: float
    pads_all_around: bool


TENSORFLOW = Convention(epsilon=1e-3, pads_all_around=False)
TORCH = Convention(epsilon=1e-5, pads_all_around=True)


def convolve(
    x: Any, channels: int, kernel: int, stride: int, name: str, convention: Convention, activate: bool = True
) -> Any:
    """Convolution, batch norm and ReLU6: the layers `name`_conv, `name`_bn and `name`_act."""
    x, padding = _pad(x, kernel, stride, name, convention)
    x = layers.Conv2D(channels, kernel, stride, padding=padding, use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(epsilon=convention.epsilon, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_act")(x) if activate else x


def inverted_residual(
    x: Any, kernel: int, stride: int, expansion: int, channels: int, drop: float, name: str, convention: Convention
) -> Any:
    """Expand, convolve per channel, project, and add the input where the shapes agree (Sandler et al. 2018).

    `drop` is the probability that a training image skips the block.
    """
    shortcut = x
    if expansion != 1:
        x = convolve(x, x.shape[-1] * expansion, 1, 1, f"{name}_expand", convention)
    depthwise = f"{name}_depthwise"
    x, padding = _pad(x, kernel, stride, depthwise, convention)
    x = layers.DepthwiseConv2D(kernel, stride, padding=padding, use_bias=False, name=f"{depthwise}_conv")(x)
    x = layers.BatchNormalization(epsilon=convention.epsilon, name=f"{depthwise}_bn")(x)
    x = layers.ReLU(6.0, name=f"{depthwise}_act")(x)
    x = convolve(x, channels, 1, 1, f"{name}_project", convention, activate=False)
    if stride == 1 and shortcut.shape[-1] == channels:
        if drop:
            x = layers.Dropout(drop, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(x)
        x = layers.Add(name=f"{name}_add")([x, shortcut])
    return x


def _pad(x: Any, kernel: int, stride: int, name: str, convention: Convention) -> tuple[Any, str]:
    if stride == 1 or not convention.pads_all_around:
        return x, "same"
    return layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x), "valid"


def fill(model: keras.Model, tensors: dict[str, NDArray[Any]], torch_names: Callable[[str], tuple[str, str]]) -> None:
    """Fill a network of these blocks with torch's tensors.

    torch_names: a part's name here (stem, b3_expand, b3_depthwise, b3_project, top) → the names of its convolution and
    its batch norm there.
    """
    for layer in model.layers:
        if not layer.weights:
            continue
        part, _, kind = layer.name.rpartition("_")
        convolution, norm = torch_names(part)
        if kind == "bn":
            fields = ("weight", "bias", "running_mean", "running_var")
            layer.set_weights([tensors[f"{norm}.{field}"] for field in fields])
        else:
            # torch: (out, in, h, w), depthwise (channels, 1, h, w)
            # Keras: (h, w, in, out), depthwise (h, w, channels, 1)
            axes = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
            layer.set_weights([tensors[f"{convolution}.weight"].transpose(axes)])
