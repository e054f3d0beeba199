"""Look at new images and at what a model predicts for them: all that `lacuna.monitoring.drift` compares with
training."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lacuna.core.feature_maps import IMAGES_AT_ONCE
from lacuna.core.scores import Floats, Labels
from lacuna.core.working_image import Light, Origin, measure_light
from lacuna.data.images.decoders import decoders
from lacuna.data.images.headers import UnreadableImageError
from lacuna.errors import LacunaError
from lacuna.inference.drift_reference import COMPARED_AXES, Properties
from lacuna.inference.predictor import NetworkInputs, Predictor
from lacuna.io.cores import n_cores

FEWEST_NEW_IMAGES = 20
"""With fewer new images nothing is compared."""


@dataclass(frozen=True)
class Observed:
    """The properties of n new images and the network's output for them.

    `unfamiliar` (n,), `coordinates` float32 (n, d) in standard deviations, `decisions` int16 (n, n_targets) are the
    indices of decided classes, `probabilities` by target (n, n_classes) are calibrated, `unreadable` says by path why
    other files could not be read.
    """

    unfamiliar: NDArray[np.bool_]
    coordinates: NDArray[np.float32]
    decisions: Labels
    probabilities: list[Floats]
    properties: Properties
    unreadable: dict[str, str]

    def __len__(self) -> int:
        return len(self.unfamiliar)


class _Image(NamedTuple):
    decoded: NetworkInputs
    origin: Origin
    light: Light


def observe(predictor: Predictor, paths: Iterable[Path]) -> Observed:
    """Predict and measure images, in batches: memory grows by some 300 bytes an image, and 8 for each class.

    Raises LacunaError when the bundle has nothing to compare with or fewer than FEWEST_NEW_IMAGES images can be read.
    """
    if predictor.detector is None:
        raise LacunaError(
            f"{predictor.folder}: this bundle says nothing of its training images; make it again: `dvc repro bundle`"
        )
    classes = [{name: index for index, name in enumerate(target.classes)} for target in predictor.bundle.targets]
    unfamiliar, coordinates, decisions = [], [], []
    probabilities: list[list[list[float]]] = [[] for _ in classes]
    origins: list[Origin] = []
    light: list[Light] = []
    unreadable: dict[str, str] = {}
    for batch in _decoded(predictor, iter(paths)):
        readable = []
        for path, image in batch:
            if isinstance(image, str):
                unreadable[str(path)] = image
            else:
                readable.append(image.decoded)
                origins.append(image.origin)
                light.append(image.light)
        if not readable:
            continue
        predictions, pooled = predictor.predict_decoded_with_features(readable)
        unfamiliar += [bool(prediction.unfamiliar) for prediction in predictions]
        coordinates.append(predictor.detector.coordinates(pooled)[:, :COMPARED_AXES].astype(np.float32))
        decisions += [
            [places[target.decision] for places, target in zip(classes, prediction.targets.values(), strict=True)]
            for prediction in predictions
        ]
        for prediction in predictions:
            for of_target, said in zip(probabilities, prediction.targets.values(), strict=True):
                of_target.append(list(said.probabilities.values()))
    if len(unfamiliar) < FEWEST_NEW_IMAGES:
        raise LacunaError(
            f"drift needs at least {FEWEST_NEW_IMAGES} images that can be read, received {len(unfamiliar)}"
            + (f" and {len(unreadable)} that cannot" if unreadable else "")
        )
    return Observed(
        np.array(unfamiliar),
        np.concatenate(coordinates),
        np.array(decisions, np.int16),
        [np.array(of_target) for of_target in probabilities],
        Properties.of(origins, light),
        unreadable,
    )


def _decoded(predictor: Predictor, paths: Iterator[Path]) -> Iterator[list[tuple[Path, _Image | str]]]:
    """Batches of images by path, each decoded, or the reason why it can't be read."""
    first = predictor.bundle.members[0].input
    inputs = [first, *({member.input for member in predictor.bundle.members} - {first})]
    forms = [(wanted.image_size, wanted.resize, wanted.max_pixels) for wanted in inputs]

    def decode_image(path: Path) -> _Image | str:
        try:
            found = decoders().decode(path, forms)
        except UnreadableImageError as error:
            return str(error)
        pixels, origin = found[0].pixels, found[0].origin
        light = measure_light(pixels, origin.width, origin.height, first.resize)
        return _Image({wanted: one.pixels for wanted, one in zip(inputs, found, strict=True)}, origin, light)

    with ThreadPoolExecutor(n_cores()) as pool:
        while batch := list(islice(paths, IMAGES_AT_ONCE)):
            yield list(zip(batch, pool.map(decode_image, batch), strict=True))
