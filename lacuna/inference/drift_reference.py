"""What new images are compared with: properties of training images, and what the network makes of validation images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.core.working_image import Light, Origin
from lacuna.errors import LacunaError
from lacuna.inference.ood import MAX_BYTES, OutlierDetector
from lacuna.io.atomic import load_arrays

MOST_PROPERTIES = 5000
MOST_COORDINATES = 2000
"""At most so many images of each stand in the file; more would show smaller shifts than matter."""

DIMENSIONS = 32
"""Axes of largest variance along which the network's features are compared."""

WORDS = ("format", "mode")
NUMBERS = ("width", "height", "bytes", "brightness", "contrast", "colour")
"""Properties of an image: Pillow's names of format and mode; pixels as one sees them, bytes of the file; the mean of
its grey values (0 to 255), their standard deviation, and how far its channels lie apart in the mean."""


@dataclass(frozen=True)
class Properties:
    """Properties of n images by name: `words` (n,) each, `numbers` float32 (n,) each."""

    words: dict[str, NDArray[np.str_]]
    numbers: dict[str, NDArray[np.float32]]

    def __len__(self) -> int:
        return len(self.words[WORDS[0]])

    @classmethod
    def of(cls, origins: Sequence[Origin], light: Sequence[Light]) -> "Properties":
        """From what each file was, and what `measure_light` says of its pixels."""
        words = {name: np.array([getattr(one, name) for one in origins], np.str_) for name in WORDS}
        figures = [(one.width, one.height, one.bytes, *seen) for one, seen in zip(origins, light, strict=True)]
        table = np.array(figures, np.float32).reshape(len(figures), len(NUMBERS))
        return cls(words, dict(zip(NUMBERS, table.T, strict=True)))


@dataclass(frozen=True)
class DriftReference:
    """Properties of training and validation images, with their groups (n,), and the coordinates of validation images,
    (n, at most DIMENSIONS), no two of a group: training images would not do there, because the network has learned
    these very images.
    """

    properties: Properties
    group: NDArray[np.int64]
    coordinates: NDArray[np.float32]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """As arrays to be written beside those of OutlierDetector."""
        return {
            **{f"reference_{name}": values for name, values in self.properties.words.items()},
            **{f"reference_{name}": values for name, values in self.properties.numbers.items()},
            "reference_group": self.group,
            "reference_coordinates": self.coordinates,
        }

    @classmethod
    def load(cls, path: Path) -> tuple["OutlierDetector", "DriftReference"]:
        """Both that one file holds. Raises LacunaError when it is missing or damaged."""
        arrays = load_arrays(path, MAX_BYTES)
        try:
            properties = Properties(
                {name: arrays[f"reference_{name}"] for name in WORDS},
                {name: arrays[f"reference_{name}"] for name in NUMBERS},
            )
            reference = cls(properties, arrays["reference_group"], arrays["reference_coordinates"])
        except KeyError as error:
            raise LacunaError(f"{path}: damaged, no {error}; run `dvc repro bundle`") from None
        return OutlierDetector.from_arrays(arrays, path), reference
