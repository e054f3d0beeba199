"""What a backbone costs, whichever kind it is: its size, and a function to measure its time."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.config.backbone import KERAS_HUB, ONNX, Backbone
from lacuna.config.blocks import Features
from lacuna.features.onnx_backbone import build_onnx_backbone, count_weights, features_of
from lacuna.features.stages import build_extractor, feature_network


def first_alone(backbone: Backbone, features: Features) -> tuple[Backbone, Features]:
    """The first backbone at the first size: all that neighbours and linear probe see."""
    return backbone.each()[0], features.model_copy(update={"sizes": features.sizes[:1]})


def size_and_run(
    backbone: Backbone, features: Features, image_size: int
) -> tuple[int, Callable[[NDArray[np.uint8]], Any]]:
    """How many weights the backbones have, and a function of images uint8 (n, s, s, 3) that computes its features.

    Layers of Keras have random weights, which are as fast and read nothing; a preset of KerasHub has its own.
    """
    if backbone.name == ONNX:
        own = build_onnx_backbone(backbone, features, image_size)
        return count_weights(own), features_of(own)
    if backbone.name != KERAS_HUB:
        backbone = backbone.model_copy(update={"weights": "none"})
    extractor = build_extractor(backbone, features, image_size)
    size = sum(body.count_params() for (_, side), body in extractor.bodies.items() if side == extractor.sizes[0])
    return size, feature_network(extractor).predict_on_batch
