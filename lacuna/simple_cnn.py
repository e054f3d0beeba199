"""The small CNN from scratch that a pretrained network has to beat, trained on the same images and labels."""

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lacuna import backend
from lacuna.backbones.small_cnn import CHANNELS
from lacuna.config import Params
from lacuna.files import create_array
from lacuna.network import build_head, start_at_prior
from lacuna.phases import FineTuned, fine_tune
from lacuna.training import Row
from lacuna.training_data import TrainingData

LEARNING_RATE = 1e-3

MOST_SHOWN = 150_000
"""So many images are shown in training, give or take an epoch: a baseline must not cost more than the model."""


@dataclass(frozen=True)
class SmallCnn:
    """The trained network on small images, and the validation part's small images (n, size, size, 3)."""

    tuned: FineTuned
    images: NDArray[np.uint8]


def train_small_cnn(params: Params, data: TrainingData) -> SmallCnn:
    """Train all layers of `small_cnn` by fine-tuning's rules: loss, augmentation, early stopping on validation.

    Images larger than `baseline.cnn_size` are shrunk once, into a temporary file. Test images are not read.
    """
    backend.make_reproducible(params.train.seed)
    longest = math.ceil(MOST_SHOWN / len(data.manifest.part("train")))
    changes: dict[str, dict[str, Any]] = {
        "backbone": {"name": "small_cnn", "weights": "none", "input_size": 0},
        "optimizer": {"name": "adam", "schedule": "cosine", "ramp": 0.0, "average": 0.0},
        "finetune": {
            "epochs": min(params.baseline.cnn_epochs, longest),
            "learning_rate": LEARNING_RATE,
            "unfreeze": "all",
            "layer_decay": 1.0,
        },
    }
    blocks = {block: getattr(params, block).model_copy(update=values) for block, values in changes.items()}
    params = params.model_copy(update=blocks)
    store = replace(data.store, info=replace(data.store.info, views=0, streamed="the small CNN"), boundary=None)
    head = build_head(CHANNELS[-1], data.targets, params.head)
    start_at_prior(head, data.targets, data.statistics)
    with tempfile.TemporaryDirectory() as folder:
        images = _shrink(data, params.baseline.cnn_size, Path(folder))
        small = replace(data, store=store, images=images)
        tuned = fine_tune(params, small, head, on_epoch=_print_epoch, predict=("val",))
        return SmallCnn(tuned, np.array(images[data.manifest.part("val").row]))


def _print_epoch(row: Row) -> None:
    print(f"small CNN epoch {row['epoch']:.0f}  val_log_loss {row['val_log_loss']:.4f}", flush=True)


def _shrink(data: TrainingData, size: int, folder: Path) -> NDArray[np.uint8]:
    """Images of the training and validation parts, the rows of all others empty."""
    if data.images.shape[1] <= size:
        return data.images
    small = create_array(folder / "small.npy", (len(data.images), size, size, 3), np.uint8)
    for row in data.manifest.row[data.manifest.split != "test"]:
        small[row] = Image.fromarray(data.images[row]).resize((size, size), Image.Resampling.BOX)
    return small
