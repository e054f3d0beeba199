"""The runtime `keras`: the trained network as Keras runs it, to compare the exported ones with. They are several times
faster.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from numpy.typing import NDArray

from lacuna.config.backbone import Backbone
from lacuna.config.blocks import Features
from lacuna.core.feature_maps import Output
from lacuna.core.feature_store import FeatureLayout
from lacuna.core.targets import Targets
from lacuna.features.backbones import load_weights
from lacuna.features.backend import keras
from lacuna.inference.runtimes import RUNTIMES, ExportedNetwork
from lacuna.io.atomic import read_json, write_json
from lacuna.training.model import TrainedNetwork, head_weights, save_weights
from lacuna.training.trained import Trained, empty_network

WEIGHTS, STRUCTURE = RUNTIMES["keras"].files

NOT_BUILT_FROM: dict[str, Any] = {"weights": "none", "mean": (0.0,) * 3, "std": (1.0,) * 3}
"""What a backbone's layers do not depend on, with values that say nothing."""


@dataclass(frozen=True)
class Structure:
    """What a trained network is built from, apart from its weights."""

    backbone: Backbone
    features: Features
    image_size: int
    targets: Targets
    trained: Trained


def save_keras_network(network: TrainedNetwork, structure: Structure, folder: Path) -> None:
    """Write a network that `lacuna.training.trained.load_trained` built: its weights and its structure."""
    save_weights(network.model, folder / WEIGHTS)
    trained = structure.trained
    content = {
        "backbone": structure.backbone.model_dump(mode="json", exclude=set(NOT_BUILT_FROM)),
        "features": structure.features.model_dump(mode="json", exclude={"max_gb"}),
        "image_size": structure.image_size,
        "targets": structure.targets.to_json(),
        "kept": trained.kept,
        "layout": network.layout.to_json(),
        "unfreeze": trained.unfreeze,
        "hidden_units": head_weights(network.head).n_hidden,
    }
    write_json(folder / STRUCTURE, content)


def load_keras_network(folder: Path) -> ExportedNetwork:
    """The network that `save_keras_network` wrote, ready for images. Raises as `load_model` does."""
    network = load_model(folder)
    plain = keras.Model(network.image, [network.logits, network.features])
    with_maps, names = network.with_maps, network.layout.map_names

    def infer(images: NDArray[np.uint8], maps: bool = False) -> Output:
        logits, features, *found = (with_maps if maps else plain).predict_on_batch(images)
        return Output(logits, features, dict(zip(names, found, strict=True)) if maps else {})

    return infer


def load_model(folder: Path) -> TrainedNetwork:
    """Read what `save_keras_network` wrote.

    Raises ValueError, TypeError or KeyError for a damaged structure, LacunaError for weights that do not fit.
    """
    content = read_json(folder / STRUCTURE)
    network = empty_network(
        Backbone(**NOT_BUILT_FROM, **content["backbone"]),
        Features(max_gb=1.0, **content["features"]),
        content["image_size"],
        Targets.from_json(content["targets"]),
        Trained(content["kept"], FeatureLayout.from_json(content["layout"]), content["unfreeze"]),
        content["hidden_units"],
    )
    load_weights(network.model, folder / WEIGHTS, "trained weights")
    return network
