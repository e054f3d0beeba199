"""Backbones of keras.applications, each with one graph for all weights: the exported network is the trained one."""

from collections.abc import Callable
from typing import Any

import numpy as np

from lacuna.errors import LacunaError
from lacuna.features.backend import keras, layers, ops

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)
"""Of blue, green and red in ImageNet, from 0 to 255: what ResNet50's weights were trained on."""


def build_b0(images: Any) -> Any:
    """EfficientNet-B0. Keras adds another rescaling layer only when it loads the ImageNet weights itself.

    Instead, `normalize_as_imagenet` sets its normalization to what that amounts to.
    """
    return _layers_of(keras.applications.EfficientNetB0, images)


def build_v2b0(images: Any) -> Any:
    """EfficientNetV2-B0, whose layers preprocess images in themselves."""
    return _layers_of(keras.applications.EfficientNetV2B0, images)


def build_resnet50(images: Any) -> Any:
    """ResNet50 (He et al. 2015), fed with blue, green and red less their means, as Caffe did it."""
    x = SwapRedAndBlue(name="swap_red_and_blue")(images)
    x = layers.Rescaling(1.0, offset=[-mean for mean in CAFFE_MEAN], name="rescale")(x)
    return _layers_of(keras.applications.ResNet50, x)


class SwapRedAndBlue(keras.layers.Layer):  # type: ignore[misc]
    """RGB ↔ BGR on the last axis."""

    def call(self, images: Any) -> Any:
        return ops.take(images, [2, 1, 0], axis=-1)


def load_b0(model: keras.Model) -> None:
    _fill(model, keras.applications.EfficientNetB0)


def load_v2b0(model: keras.Model) -> None:
    _fill(model, keras.applications.EfficientNetV2B0)


def load_resnet50(model: keras.Model) -> None:
    _fill(model, keras.applications.ResNet50)


def _layers_of(application: Callable[..., keras.Model], images: Any) -> Any:
    return application(include_top=False, weights=None, input_tensor=images).output


def _fill(model: keras.Model, application: Callable[..., keras.Model]) -> None:
    """Fill a model with the ImageNet weights from Keras' cache or download."""
    try:
        source = application(include_top=False, weights="imagenet")
    except Exception as error:  # urllib, ssl, socket and keras each raise their own
        reason = " ".join(str(error).split())[:200]
        raise LacunaError(
            f"backbone.weights: the ImageNet weights of {model.name} could not be downloaded ({reason}); "
            "set backbone.weights to a local file or to none, or use efficientnet_lite0, which needs no download"
        ) from None
    model.set_weights(source.get_weights())


def normalize_as_imagenet(model: keras.Model) -> None:
    """Set B0's normalization to ImageNet's mean and variance, whatever a weights file holds; others have none.

    Keras' own files hold the standard deviation in the variance's place, to be mended by the rescaling layer that
    Keras adds.
    """
    for layer in model.layers:
        if isinstance(layer, layers.Normalization) and layer.weights:
            mean, variance, *count = layer.get_weights()
            layer.set_weights(
                [np.reshape(IMAGENET_MEAN, mean.shape), np.reshape(np.square(IMAGENET_STD), variance.shape), *count]
            )
            layer.finalize_state()
