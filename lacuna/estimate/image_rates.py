"""What the images themselves cost: decoding, comparing, hashing, one pass over their pixels."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lacuna.analysis.explore.pixels import measure_pixels
from lacuna.config.data import Data
from lacuna.core.targets import Target, Targets
from lacuna.core.working_image import measure_light
from lacuna.data.images.duplicates import find_duplicates
from lacuna.data.images.find import find_files
from lacuna.estimate.rates import CostLine, Decoding, busy_seconds, fit_line, measure_decoding

FIRST_FOUND = 2000
"""The sample is spread over so many images of the folder: to list all of a large one takes minutes."""

N_FABRICATED, FABRICATED_SIZE = 12, (640, 480)
COMPARED_IMAGES = 128, 512
HASHED_BYTES = 2**24


@dataclass(frozen=True)
class ImageRates:
    """decoding: of an image file; `own`: whether the reader's own were decoded or fabricated ones.

    compare: thumbnail, hash and search for near duplicates. light, pixels: seconds of an image. hashed: seconds of a
    byte, by the MD5 that DVC takes.
    """

    own: bool
    decoding: Decoding
    compare: CostLine
    light: float
    pixels: CostLine
    hashed: float


def measure_images(data: Data) -> ImageRates:
    """Measure the images at `data.path`, or fabricated ones where it has none that are files. Writes temporary files
    alone."""
    with _sample(data) as (own, folder, names):
        decoding = measure_decoding(folder, names, data)
    some = np.random.default_rng(0).integers(
        0, 256, (max(COMPARED_IMAGES), data.image_size, data.image_size, 3), np.uint8
    )
    side, content = data.image_size, bytes(HASHED_BYTES)
    with TemporaryDirectory() as workspace:
        compare = fit_line(
            lambda n: find_duplicates(some[:n], rms=data.duplicate_rms, workspace=Path(workspace)), *COMPARED_IMAGES
        )
    few = min(COMPARED_IMAGES)
    return ImageRates(
        own=own,
        decoding=decoding,
        compare=compare,
        light=busy_seconds(lambda: [measure_light(one, side, side, data.resize) for one in some[:few]]) / few,
        pixels=fit_line(lambda n: _look(some[:n], data), *COMPARED_IMAGES),
        hashed=busy_seconds(lambda: hashlib.md5(content, usedforsecurity=False).digest()) / HASHED_BYTES,
    )


@contextmanager
def _sample(data: Data) -> Iterator[tuple[bool, Path, list[str]]]:
    """Whether they are the reader's own, their folder, and names of images in it."""
    folder = Path(data.path)
    if data.source != "idx" and folder.is_dir():
        images = (path.relative_to(folder).as_posix() for path, is_image in find_files(folder) if is_image)
        if names := list(islice(images, FIRST_FOUND)):
            yield True, folder, names
            return
    with TemporaryDirectory() as made:
        names = [f"{number}.jpg" for number in range(N_FABRICATED)]
        generator = np.random.default_rng(0)
        for name in names:
            coarse = generator.integers(0, 256, (12, 16, 3), np.uint8)  # a photo is smooth for the most part
            Image.fromarray(coarse).resize(FABRICATED_SIZE, Image.Resampling.BICUBIC).save(Path(made, name))
        yield False, Path(made), names


def _look(images: NDArray[np.uint8], data: Data) -> None:
    """What `explore` and no other stage does with each image."""
    n, side, _, _ = images.shape
    targets = Targets((Target("t0", "binary", ("absent", "present")),))
    shapes = np.full((n, 2), side, np.int64)
    measure_pixels(images, np.arange(n), shapes, np.zeros((n, 1), np.int16), targets, data.resize)
