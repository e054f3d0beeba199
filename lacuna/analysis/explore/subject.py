"""What is explored: the training and validation images with their labels and files. Of test it knows counts alone."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from lacuna.core.files_table import FileInfo
from lacuna.core.manifest import PARTS, Manifest
from lacuna.core.targets import UNKNOWN, Target, Targets

Counts = NDArray[np.int64]
"""Images of a target by part and class `(3, n_classes + 1)`; the last column is unknown."""


@dataclass(frozen=True)
class Subject:
    """`images`: the memory map uint8 `(n_images, size, size, 3)`. `manifest`, `files`: aligned, without test images.

    `order`: their indices in an order that depends on nothing but the images' names, int64 `(n,)`. `counts`: per target
    the images by part, test included, and class `(3, n_classes + 1)`; the last column is unknown.
    """

    images: NDArray[np.uint8]
    manifest: Manifest
    files: list[FileInfo]
    targets: Targets
    order: NDArray[np.int64]
    counts: tuple[Counts, ...]

    @classmethod
    def of(cls, images: NDArray[np.uint8], manifest: Manifest, files: list[FileInfo], targets: Targets) -> "Subject":
        """Take the training and validation part out of the whole `manifest`; `files` has a line per image."""
        shown = manifest.without_test()
        hashes = [blake2b(name.encode(), digest_size=8).digest() for name in shown.image.tolist()]
        order = np.array(sorted(range(len(shown)), key=hashes.__getitem__), dtype=np.int64)
        counts = tuple(_count(manifest, target, column) for column, target in enumerate(targets))
        return cls(images, shown, [files[row] for row in shown.row.tolist()], targets, order, counts)

    def shapes(self) -> NDArray[np.int64]:
        """Width and height of the images before they were made square, `(n, 2)`."""
        return np.array([(file.width, file.height) for file in self.files], dtype=np.int64).reshape(-1, 2)

    def examples(self, column: int, label: int, n: int, part: str = "") -> NDArray[np.int64]:
        """Up to `n` rows of the pixels with this label of a target (-1: unknown), each of another group.

        With a `part` they are of that one alone. The same images come first whatever `n` is.
        """
        manifest = self.manifest
        chosen = self.order[manifest.labels[self.order, column] == label]
        if part:
            chosen = chosen[manifest.split[chosen] == part]
        first = np.sort(np.unique(manifest.group[chosen], return_index=True)[1])[:n]
        rows: NDArray[np.int64] = manifest.row[chosen[first]]
        return rows


def _count(manifest: Manifest, target: Target, column: int) -> Counts:
    labels = manifest.labels[:, column].astype(np.int64)
    labels[labels == UNKNOWN] = target.n_classes
    counted = labels >= 0
    parts = [labels[counted & (manifest.split == part)] for part in PARTS]
    return np.stack([np.bincount(of_part, minlength=target.n_classes + 1) for of_part in parts])
