"""The runtime `keras`: the trained network as Keras runs it, to compare the exported ones with. They are several times
faster.
"""

import os
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from numpy.typing import NDArray

from lacuna.config.blocks import Backbone, Head
from lacuna.core.targets import Targets
from lacuna.features.backend import keras
from lacuna.inference.runtimes import RUNTIMES, Network, Output
from lacuna.io.atomic import read_json, write_json
from lacuna.training.model import load_trained, save_weights

WEIGHTS, STRUCTURE = RUNTIMES["keras"].files


@dataclass(frozen=True)
class Structure:
    """What a trained network is built from, apart from its weights."""

    backbone: Backbone
    image_size: int
    targets: Targets
    head: Head


def save_keras_network(model: keras.Model, structure: Structure, folder: Path) -> None:
    """Write a network that `lacuna.training.model.load_trained` built: its weights and its structure."""
    save_weights(model, folder / WEIGHTS)
    content = {
        "backbone": structure.backbone.model_dump(mode="json", exclude={"weights"}),
        "image_size": structure.image_size,
        "targets": structure.targets.to_json(),
        "head": structure.head.model_dump(mode="json", exclude={"dropout"}),  # it acts in training only
    }
    write_json(folder / STRUCTURE, content)


def load_keras_network(folder: Path) -> Network:
    """The network that `save_keras_network` wrote, ready for images. Raises as `load_model` does."""
    both = with_features(load_model(folder))

    def infer(images: NDArray[np.uint8]) -> Output:
        return Output(*both.predict_on_batch(images))

    return infer


def load_model(folder: Path) -> keras.Model:
    """Read what `save_keras_network` wrote. Raises ValueError, TypeError or KeyError for a damaged structure."""
    content = read_json(folder / STRUCTURE)
    backbone = Backbone(weights="none", **content["backbone"])
    head = Head(dropout=0.0, **content["head"])
    targets = Targets.from_json(content["targets"])
    return load_trained(backbone, content["image_size"], targets, head, folder / WEIGHTS)


def with_features(model: keras.Model) -> keras.Model:
    """A trained network with two outputs: logits (n, n_logits), and the last feature map, which it pools."""
    return keras.Model(model.input, [model.output, model.get_layer("pool").input])
