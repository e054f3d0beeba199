"""The small CNN from scratch that a pretrained network has to beat, trained on the same images and labels."""

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lacuna.config.backbone import Backbone
from lacuna.config.blocks import Augment, Baseline, Head, Optimizer, Train
from lacuna.core.manifest import Manifest, Part
from lacuna.core.targets import Targets
from lacuna.features import backend
from lacuna.features.augmentation import Augmentation
from lacuna.features.augmentation_draws import CHANGES
from lacuna.features.backbones import build_backbone
from lacuna.features.backend import keras
from lacuna.features.stages import ChannelMean
from lacuna.io.atomic import create_array
from lacuna.training.batches import ImageBatches
from lacuna.training.data import LabelledBatches
from lacuna.training.history import EpochRow
from lacuna.training.loop import Phase, predict_logits, train_phase
from lacuna.training.model import build_head, start_at_prior
from lacuna.training.statistics import TargetStatistics

BACKBONE = Backbone(name="small_cnn", weights="none", interpolation="bilinear", mean=(0, 0, 0), std=(1, 1, 1))
HEAD_OPTIONS = Head(dropout=0.3, hidden_units=0)
OPTIMIZER = Optimizer(
    name="adam",
    momentum=0.9,
    weight_decay=0.0,
    schedule="cosine",
    ramp=0.1,
    plateau_factor=0.3,
    plateau_patience=2,
    average=0.0,
)
BATCH_SIZE = 32
LEARNING_RATE = 3e-3
"""With the ramp of a tenth of the steps: at a constant 1e-3 small images leave the prior late or never."""

MOST_SHOWN = 40_000
"""So many images are shown in training, give or take an epoch: a baseline must not cost more than the model."""


@dataclass(frozen=True)
class SmallCnn:
    """The trained network on small images, the validation part's small images (n, size, size, 3) and their logits."""

    network: keras.Model
    images: NDArray[np.uint8]
    logits: NDArray[np.float32]


def train_small_cnn(
    targets: Targets,
    manifest: Manifest,
    images: NDArray[np.uint8],
    augment: Augment,
    train: Train,
    options: Baseline,
) -> SmallCnn:
    """Train all layers of `small_cnn` by plain cross-entropy; the epoch with the lowest validation log loss is kept.

    Nothing that `train` says of the network's training changes this one (`plain_training`). No epoch ends the training
    early: it starts at the prior, which it may take some epochs to leave. Images (n, size, size, 3) larger than
    `options.cnn_size` are shrunk once, into a temporary file. Test images are not read.
    """
    backend.make_reproducible(options.seed)
    longest = math.ceil(MOST_SHOWN / len(manifest.part("train")))
    statistics = label_statistics(targets, manifest.part("train").labels)
    with tempfile.TemporaryDirectory() as folder:
        small = _shrink(images, manifest, options.cnn_size, Path(folder))
        backbone = build_backbone(BACKBONE, small.shape[1])
        head = build_head(backbone.output_shape[-1], targets, HEAD_OPTIONS)
        start_at_prior(head, targets, statistics)
        plain = plain_training(train, options.seed)
        phase = Phase(
            "small CNN",
            targets,
            statistics,
            plain,
            OPTIMIZER,
            LEARNING_RATE,
            min(options.cnn_epochs, longest),
            patience=None,
        )

        def labelled(name: Part) -> LabelledBatches:
            part = manifest.part(name)
            return LabelledBatches(ImageBatches(small, augment, part.row, plain.batch_size, plain.seed), part.labels)

        network = keras.Model(backbone.input, head(ChannelMean()(backbone.output)))
        pictures, changes = keras.Input(backbone.input_shape[1:], dtype="uint8"), keras.Input((CHANGES,))
        model = keras.Model([pictures, changes], network(Augmentation(augment.cutout)([pictures, changes])))
        train_phase(phase, model, labelled("train"), labelled("val"), on_epoch=_print_epoch)
        asked = np.array(small[manifest.part("val").row])
        return SmallCnn(network, asked, predict_logits(model, labelled("val")))


def learned_numbers(network: keras.Model) -> int:
    """How many numbers of a network its training changed."""
    return sum(math.prod(weight.shape) for weight in network.trainable_weights)


def label_statistics(targets: Targets, labels: NDArray[np.int16]) -> list[TargetStatistics]:
    """Known share and class counts of each target in training labels (n, n_targets); every class weighs the same."""
    statistics = []
    for index, target in enumerate(targets):
        known = labels[labels[:, index] >= 0, index]
        counts = np.bincount(known, minlength=target.n_classes).tolist()
        statistics.append(TargetStatistics(len(known) / len(labels), tuple(counts), (1.0,) * target.n_classes))
    return statistics


def plain_training(train: Train, seed: int) -> Train:
    """`train` with cross-entropy in which all known cells count alike; what other losses ask for has no effect then."""
    plain = {"loss": "cross_entropy", "label_smoothing": 0.0, "hardest": 1.0, "target_weights": {}}
    return train.model_copy(update={**plain, "targets": (), "batch_size": BATCH_SIZE, "seed": seed})


def _print_epoch(row: EpochRow) -> None:
    print(f"small CNN epoch {row['epoch']:.0f}  val_log_loss {row['val_log_loss']:.4f}", flush=True)


def _shrink(images: NDArray[np.uint8], manifest: Manifest, size: int, folder: Path) -> NDArray[np.uint8]:
    """Images of the training and validation parts, the rows of all others empty."""
    if images.shape[1] <= size:
        return images
    small = create_array(folder / "small.npy", (len(images), size, size, 3), np.uint8)
    for row in manifest.without_test().row:
        small[row] = Image.fromarray(images[row]).resize((size, size), Image.Resampling.BOX)
    return small
