"""A project of a few small images as prepare leaves it, and its training stages run in it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lacuna.config.params import Params
from lacuna.core.manifest import Manifest
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Target, Targets
from lacuna.features.backend import keras
from lacuna.io.atomic import write_json
from lacuna.training.trained import load_trained
from stages.featurize import featurize
from stages.train_finetune import train_finetune
from stages.train_warmup import train_warmup
from tests.shards import load_rows, save_rows
from tests.tiny_project import write_params

TARGETS = Targets(
    (Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("absent", "present")))
)
N, N_TRAIN, SIZE = 88, 24, 32
TEST = slice(72, N)
Stage = Callable[[Params], Mapping[str, Any]]

STAGES: tuple[Stage, ...] = (featurize, train_warmup, train_finetune)
SMALL: dict[str, Any] = {
    "data.targets": {"kind": "categorical", "red": "binary"},
    "data.image_size": SIZE,
    "augment.views": 2,
    "features.stages": ["b10"],
    "finetune.epochs": 4,
    "finetune.unfreeze": "top",
    "train.batch_size": 9,
    "calibrate.folds": 2,
    "evaluate.bootstrap": 50,
}
WEAK = {
    "warmup.solver": "sgd",
    "warmup.epochs": 1,
    "warmup.learning_rate": 1e-6,
    "finetune.learning_rate": 0.002,
    "evaluate.confidence": 0.5,
}
"""A head that hardly leaves its random weights, so that fine-tuning is kept."""
ONE_SHAPE: dict[str, Any] = {"train.batch_size": 8, "augment.views": 1}
"""All parts are whole batches and no image is changed: each network is compiled once."""
SMALL_CNN = {
    "backbone.name": "small_cnn", "backbone.weights": "none", "features.stages": "all", "finetune.unfreeze": "b2",
}  # fmt: skip
CLOSE = 0.02
"""Boundary maps are stored in 16 bits: so much may logits of the same image differ."""


def write_data(folder: Path) -> None:
    """Write what ingest and prepare would have written."""
    random = np.random.default_rng(0)
    labels = np.stack([np.arange(N) % 3, np.arange(N) // 3 % 2], axis=1).astype(np.int16)
    images = random.integers(0, 100, (N, SIZE, SIZE, 3), dtype=np.uint8)
    images[labels[:, 1] == 1, :, :, 0] += 150
    images[np.arange(N) % 3 == 1, ::2] += 50
    labels[random.random(labels.shape) < 0.2] = -1
    data = folder / "data"
    (data / "images").mkdir(parents=True)
    (data / "prepared").mkdir()
    save_rows(data / "images/pixels", images)
    TARGETS.save(data / "prepared/targets.json")
    names = np.array([f"{i}.png" for i in range(N)])
    split = np.array(["train"] * N_TRAIN + ["val"] * (TEST.start - N_TRAIN) + ["test"] * (N - TEST.start))
    rows = np.arange(N, dtype=np.int64)
    Manifest(names, rows, split, rows, labels).save(data / "prepared/manifest.csv", TARGETS)
    learned = labels[:N_TRAIN]
    counts = [np.bincount(learned[learned[:, i] >= 0, i], minlength=n).tolist() for i, n in enumerate((3, 2))]
    write_json(
        data / "prepared/class_weights.json",
        {
            name: {"known_share": sum(count) / N_TRAIN, "counts": count, "weights": [1.0] * len(count)}
            for name, count in zip(TARGETS.names, counts, strict=True)
        },
    )


def run_in(folder: Path, changes: dict[str, Any], stages: Sequence[Stage] = STAGES) -> list[Mapping[str, Any]]:
    """Run the stages in the working folder with changed parameters; return what each says of its run."""
    keras.utils.clear_session()  # weight files hold the numbers Keras gives to layers, from 1 in each process
    params = write_params(folder, SMALL | changes)
    return [stage(params) for stage in stages]


def assert_network_predicts(folder: Path, changes: dict[str, Any], targets: Targets = TARGETS) -> None:
    """The network from models/trained gives the logits in data/predictions."""
    params = write_params(folder, SMALL | changes)
    network = load_trained(params.backbone, params.features, SIZE, targets, folder / "models/trained")
    test = Predictions.load(folder / "data/predictions/test.npz")
    images = load_rows(folder / "data/images/pixels")[TEST]
    np.testing.assert_allclose(network.model(images), test.logits, rtol=1e-3, atol=CLOSE)
