"""What new images are and what a model makes of them: all that `lacuna.monitoring.compare` compares with training."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Labels
from lacuna.core.working_image import Light, Origin, measure_light
from lacuna.data.images.decode import UnreadableImageError, decode, decode_with_origin
from lacuna.errors import LacunaError
from lacuna.inference.drift_reference import DIMENSIONS, Properties
from lacuna.inference.load import n_cores
from lacuna.inference.predictor import BATCH_SIZE, Decoded, Predictor

FEWEST = 20
"""New images that can be compared."""


@dataclass(frozen=True)
class Observed:
    """What n new images are and what the network says of them.

    `unfamiliar` (n,), `coordinates` float32 (n, d), decided classes `decisions` (n, n_targets), and by path why other
    files could not be read.
    """

    unfamiliar: NDArray[np.bool_]
    coordinates: NDArray[np.float32]
    decisions: Labels
    properties: Properties
    unreadable: dict[str, str]

    def __len__(self) -> int:
        return len(self.unfamiliar)


class _Image(NamedTuple):
    decoded: Decoded
    origin: Origin
    light: Light


def observe(predictor: Predictor, paths: Iterable[Path]) -> Observed:
    """Look at images, in batches: memory grows by some 300 bytes an image.

    Raises LacunaError when the bundle has nothing to compare with or fewer than FEWEST images can be read.
    """
    if predictor.detector is None:
        raise LacunaError(
            f"{predictor.folder}: this bundle says nothing of its training images; make it again: `dvc repro bundle`"
        )
    classes = [{name: index for index, name in enumerate(target.classes)} for target in predictor.bundle.targets]
    unfamiliar, coordinates, decisions = [], [], []
    origins: list[Origin] = []
    light: list[Light] = []
    unreadable: dict[str, str] = {}
    for batch in _decoded(predictor, iter(paths)):
        readable = []
        for path, one in batch:
            if isinstance(one, str):
                unreadable[str(path)] = one
            else:
                readable.append(one.decoded)
                origins.append(one.origin)
                light.append(one.light)
        if not readable:
            continue
        answers, pooled = predictor.answer_with_features(readable)
        unfamiliar += [bool(answer.unfamiliar) for answer in answers]
        coordinates.append(predictor.detector.coordinates(pooled)[:, :DIMENSIONS].astype(np.float32))
        decisions += [
            [places[one.decision] for places, one in zip(classes, answer.targets.values(), strict=True)]
            for answer in answers
        ]
    if len(unfamiliar) < FEWEST:
        raise LacunaError(
            f"drift needs at least {FEWEST} images that can be read, received {len(unfamiliar)}"
            + (f" and {len(unreadable)} that cannot" if unreadable else "")
        )
    return Observed(
        np.array(unfamiliar),
        np.concatenate(coordinates),
        np.array(decisions, np.int16),
        Properties.of(origins, light),
        unreadable,
    )


def _decoded(predictor: Predictor, paths: Iterator[Path]) -> Iterator[list[tuple[Path, _Image | str]]]:
    """Batches of images, or why they can't be read."""
    first = predictor.bundle.members[0].input
    others = {member.input for member in predictor.bundle.members} - {first}

    def one(path: Path) -> _Image | str:
        try:
            found = decode_with_origin(path, size=first.image_size, resize=first.resize, max_pixels=first.max_pixels)
            decoded = {
                wanted: decode(path, size=wanted.image_size, resize=wanted.resize, max_pixels=wanted.max_pixels)
                for wanted in others
            }
        except UnreadableImageError as error:
            return str(error)
        light = measure_light(found.pixels, found.origin.width, found.origin.height, first.resize)
        return _Image({first: found.pixels, **decoded}, found.origin, light)

    with ThreadPoolExecutor(n_cores()) as pool:
        while batch := list(islice(paths, BATCH_SIZE)):
            yield list(zip(batch, pool.map(one, batch), strict=True))
