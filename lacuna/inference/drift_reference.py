"""What new images are compared with for drift: properties of training images, and coordinates of validation images in
the network's features. Part of the bundle, in the file of the out-of-distribution detector.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.core.working_image import Light, Origin
from lacuna.errors import LacunaError
from lacuna.inference.ood import MAX_DETECTOR_BYTES, MEND, OodDetector
from lacuna.io.atomic import load_arrays

MOST_PROPERTIES = 5000
MOST_COORDINATES = 2000
"""At most so many images of each are kept in the file; more would show smaller shifts than matter."""

COMPARED_AXES = 32
"""The axes of largest variance along which the network's features are compared."""

CATEGORICAL = ("format", "mode")
NUMERIC = ("width", "height", "bytes", "brightness", "contrast", "colour")
"""Properties of an image: Pillow's names of format and mode; pixels after the EXIF turn, bytes of the file; the mean of
its grey values (0 to 255), their standard deviation, and how far its channels lie apart on average (0 to 255)."""


@dataclass(frozen=True)
class Properties:
    """Properties of n images by name: `categorical` text (n,) each, `numeric` float32 (n,) each."""

    categorical: dict[str, NDArray[np.str_]]
    numeric: dict[str, NDArray[np.float32]]

    def __len__(self) -> int:
        return len(self.categorical[CATEGORICAL[0]])

    @classmethod
    def of(cls, origins: Sequence[Origin], light: Sequence[Light]) -> "Properties":
        """From each image's file as it was, and what `measure_light` measured in its pixels."""
        categorical = {name: np.array([getattr(origin, name) for origin in origins], np.str_) for name in CATEGORICAL}
        rows = [(file.width, file.height, file.bytes, *seen) for file, seen in zip(origins, light, strict=True)]
        table = np.array(rows, np.float32).reshape(len(rows), len(NUMERIC))
        return cls(categorical, dict(zip(NUMERIC, table.T, strict=True)))


@dataclass(frozen=True)
class DriftReference:
    """Properties of training and validation images, with their groups (n,), and the coordinates float32 (m, at most
    COMPARED_AXES) of validation images, no two of one group. Training images would not do for the coordinates, because
    the network has learned these very images.
    """

    properties: Properties
    group: NDArray[np.int64]
    coordinates: NDArray[np.float32]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """As arrays to be written beside those of OodDetector."""
        return {
            **{f"reference_{name}": values for name, values in self.properties.categorical.items()},
            **{f"reference_{name}": values for name, values in self.properties.numeric.items()},
            "reference_group": self.group,
            "reference_coordinates": self.coordinates,
        }

    @classmethod
    def load(cls, path: Path) -> tuple[OodDetector, "DriftReference"]:
        """The detector and the reference that one file holds. Raises LacunaError when it is missing or damaged."""
        arrays = load_arrays(path, MAX_DETECTOR_BYTES)
        try:
            properties = Properties(
                {name: arrays[f"reference_{name}"] for name in CATEGORICAL},
                {name: arrays[f"reference_{name}"] for name in NUMERIC},
            )
            reference = cls(properties, arrays["reference_group"], arrays["reference_coordinates"])
        except KeyError as error:
            raise LacunaError(f"{path}: damaged, no {error}; {MEND}") from None
        return OodDetector.from_arrays(arrays, path), reference
