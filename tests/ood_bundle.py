"""The tiny bundle with an out-of-distribution detector. Its training images are of one colour each, rather light and
red."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lacuna.core.predictions import Predictions
from lacuna.core.working_image import Origin, measure_light
from lacuna.export.ood_fit import fit_detector
from lacuna.inference.bundle import write_bundle
from lacuna.inference.drift_reference import DriftReference, Properties
from lacuna.inference.ood import OodDetector
from lacuna.io.atomic import save_arrays
from tests.tiny_bundle import BUNDLE, PICK, SIZE, write_tiny_network, write_tiny_predictions

Pixels = NDArray[np.uint8]


def cloud(n: int, seed: int) -> np.ndarray:
    """Features (n, 20) around a common direction, of lengths from 1 to 3."""
    generator = np.random.default_rng(seed)
    directions = np.ones(20) + generator.normal(0, 0.3, (n, 20)) * np.linspace(0.2, 1, 20)
    return (directions * generator.uniform(0.2, 0.7, (n, 1))).astype(np.float32)


def training_like_pictures(n: int, seed: int) -> Pixels:
    """Pictures (n, SIZE, SIZE, 3): a colour drawn around (0.7, 0.5, 0.4), with some noise on each pixel."""
    generator = np.random.default_rng(seed)
    colours = np.array([0.7, 0.5, 0.4]) + generator.normal(0, 0.07, (n, 3))
    noisy = colours[:, None, None] + generator.normal(0, 0.05, (n, SIZE, SIZE, 3))
    return (255 * noisy.clip(0, 1)).astype(np.uint8)


def features_of(pictures: Pixels) -> NDArray[np.float32]:
    """The features of the tiny network: the mean of each channel."""
    return (pictures.mean(axis=(1, 2)) / 255).astype(np.float32)


def as_png(picture: Pixels) -> bytes:
    content = BytesIO()
    Image.fromarray(picture).save(content, "PNG")
    return content.getvalue()


def write_detector(path: Path, false_alarms: float = 0.01) -> OodDetector:
    """Fit a detector on 300 training, 250 validation and 250 test pictures, all of them PNG, and write it to `path`."""
    parts = [training_like_pictures(n, seed) for seed, n in enumerate((300, 250, 250))]
    detector = fit_detector(*map(features_of, parts), false_alarms)
    seen = np.concatenate(parts[:2])
    origins = [Origin("PNG", "RGB", SIZE, SIZE, len(as_png(one))) for one in seen]
    light = [measure_light(one, SIZE, SIZE, "pad") for one in seen]
    coordinates = detector.coordinates(features_of(parts[1])).astype(np.float32)
    reference = DriftReference(Properties.of(origins, light), np.arange(len(seen)), coordinates)
    save_arrays(path, {**detector.to_arrays(), **reference.to_arrays()})
    return detector


def write_ood_bundle(folder: Path, false_alarms: float = 0.01) -> Path:
    """The tiny bundle with `write_detector`; its validation part are these validation pictures."""
    exported = folder.with_name(folder.name + "_exported")
    for path in (exported, folder):
        path.mkdir(parents=True)
    write_tiny_network(exported)
    predictions = write_tiny_predictions(exported)
    features = features_of(training_like_pictures(250, 1))
    labels = np.stack([features[:, 2] > features[:, 1], features[:, 0] > 0.7], axis=1).astype(np.int16)
    names = np.array([f"{row}.png" for row in range(250)])
    Predictions(features @ np.array(PICK, np.float32), labels, names, np.arange(250)).save(predictions["validation"])
    write_detector(exported / "out_of_distribution.npz", false_alarms)
    write_bundle(
        folder,
        BUNDLE,
        exported=[exported],
        predictions=predictions,
        origin={"versions": {}},
        metrics={"test": {}},
        detector=exported / "out_of_distribution.npz",
    )
    return folder
