"""Which images a model was made from and which it was kept from, by content: what tells whether two models may be
compared on an image that both call a test image.

Of each image the first 8 bytes of its file's SHA-256. Two of ten million images share these with a chance of three in
a million, and then one image is left out too many.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import LacunaError
from lacuna.io.atomic import load_arrays, save_arrays

MAX_SEEN_BYTES = 2_000_000_000

Digests = NDArray[np.uint64]


@dataclass(frozen=True)
class SeenImages:
    """`learned`: of training and validation, on which labels were learned and settings chosen, rising, (n_learned,).
    `test`: of the test part in the order of its predictions, (n_test,)."""

    learned: Digests
    test: Digests

    def save(self, path: Path) -> None:
        """Write a `.npz`; the same content gives the same bytes."""
        save_arrays(path, {"learned": self.learned, "test": self.test})

    @classmethod
    def load(cls, path: Path) -> "SeenImages":
        """Read what `save` wrote. Raises LacunaError for anything else."""
        arrays = load_arrays(path, MAX_SEEN_BYTES)
        whole = all(array.dtype == np.uint64 and array.ndim == 1 for array in arrays.values())
        if arrays.keys() != {"learned", "test"} or not whole:
            raise LacunaError(f"{path}: expected the digests of learned and test images; run `dvc repro bundle`")
        return cls(arrays["learned"], arrays["test"])
