"""The backbones: name → layers, preprocessing, native input size and ImageNet weights; or a preset of KerasHub.

Every backbone takes the stored uint8 RGB images (n, size, size, 3), resizes them if asked to, preprocesses them
itself, and puts out its last feature map (n, h, w, channels). Adding one takes a function that builds its layers,
another that fills them with weights, and a row in BACKBONES.
"""

import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lacuna.config.backbone import KERAS_HUB, Backbone
from lacuna.errors import LacunaError
from lacuna.features.backbones import efficientnet_lite, hub, keras_applications, mobilenet, small_cnn
from lacuna.features.backbones.resize import SquareResize
from lacuna.features.backend import keras


@dataclass(frozen=True)
class Architecture:
    """How to make a backbone.

    native_size: side in pixels of the images that its ImageNet weights were trained on. build: image tensor, RGB from
    0 to 255 → last feature map; each layer's name begins with its block's. load_imagenet: fills the model; None where
    there are no such weights.
    """

    native_size: int
    build: Callable[[Any], Any]
    load_imagenet: Callable[[keras.Model], None] | None


BACKBONES = {
    "efficientnet_lite0": Architecture(
        224, partial(efficientnet_lite.build, width=1.0, depth=1.0), partial(efficientnet_lite.load, variant=0)
    ),
    "efficientnet_lite1": Architecture(
        240, partial(efficientnet_lite.build, width=1.0, depth=1.1), partial(efficientnet_lite.load, variant=1)
    ),
    "efficientnet_lite2": Architecture(
        260, partial(efficientnet_lite.build, width=1.1, depth=1.2), partial(efficientnet_lite.load, variant=2)
    ),
    "efficientnet_b0": Architecture(224, keras_applications.build_b0, keras_applications.load_b0),
    "efficientnet_v2b0": Architecture(224, keras_applications.build_v2b0, keras_applications.load_v2b0),
    "mobilenet_v2": Architecture(224, mobilenet.build, mobilenet.load),
    "resnet50": Architecture(224, keras_applications.build_resnet50, keras_applications.load_resnet50),
    "small_cnn": Architecture(64, small_cnn.build, None),
}


def build_backbone(settings: Backbone, image_size: int, seen: int = 0) -> keras.Model:
    """Build the one backbone that `settings` describe for square images stored with `image_size` pixels a side.

    seen: the side of the images as the network sees them, 0: as they are stored. Raises LacunaError when the weights
    cannot be had or do not fit.

    Random weights are the same in every call: what one stage computes below the freeze boundary must be what the next
    one trains on. They neither depend on the global random state nor change it.
    """
    (name,) = settings.names
    if name not in (*BACKBONES, KERAS_HUB):
        raise LacunaError(f"backbone.name: {name} is a file, not layers of Keras; this needs another backbone")
    size = seen or image_size
    state = random.getstate()
    random.seed(0)  # Keras draws the seed of each initializer from here
    try:
        stored = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
        images = SquareResize(size, settings.interpolation, name="resize")(stored) if size != image_size else stored
        features = hub.build(images, settings.weights) if name == KERAS_HUB else BACKBONES[name].build(images)
        model = keras.Model(stored, features, name=name)
    finally:
        random.setstate(state)
    if name != KERAS_HUB:
        _fill(model, settings.weights)
    return model


def _fill(model: keras.Model, weights: str) -> None:
    """Give an architecture of BACKBONES these weights."""
    load_imagenet = BACKBONES[model.name].load_imagenet
    keras_applications.normalize_as_imagenet(model)
    if weights == "imagenet":
        assert load_imagenet is not None  # `Backbone` refuses it
        load_imagenet(model)
    elif weights != "none":
        load_weights(model, Path(weights), "backbone.weights")
    keras_applications.normalize_as_imagenet(model)


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
