"""The pixels of working images: how light they are, the mean image of each class, how alike two of these are."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lacuna.core.files_table import FileInfo
from lacuna.core.scores import Floats, Labels
from lacuna.core.targets import Targets
from lacuna.core.working_image import Resize, measure_light


def brightness(images: NDArray[np.uint8], rows: NDArray[np.int64], files: Sequence[FileInfo], resize: Resize) -> Floats:
    """How light the images at `rows` are, (len(rows),), 0 to 255, as `measure_light` has it: padding does not count.

    files: the lines of files.csv of these rows.
    """
    return np.array(
        [
            measure_light(images[row], file.width, file.height, resize).brightness
            for row, file in zip(rows.tolist(), files, strict=True)
        ]
    )


class MeanImages:
    """Sums up images by class, chunk by chunk, in blocks of pixels so that no side has more than `most_side` of them.

    `counts`: per target the images of each class, int64 `(n_classes,)`.
    """

    counts: list[NDArray[np.int64]]

    def __init__(self, targets: Targets, size: int, most_side: int) -> None:
        self.step = -(-size // most_side)
        side = size // self.step
        self.sums = [np.zeros((target.n_classes, side, side, 3)) for target in targets]
        self.counts = [np.zeros(target.n_classes, np.int64) for target in targets]

    def add(self, images: NDArray[np.uint8], labels: Labels) -> None:
        """Count images `(n, size, size, 3)` with labels `(n, n_targets)` in; a label of -1 is unknown."""
        small = self._shrink(images)
        for column, (total, counts) in enumerate(zip(self.sums, self.counts, strict=True)):
            for label in np.unique(labels[labels[:, column] >= 0, column]).tolist():
                here = labels[:, column] == label
                total[label] += small[here].sum(axis=0)
                counts[label] += here.sum()

    def means(self) -> list[NDArray[np.float32]]:
        """Per target `(n_classes, side, side, 3)`, 0 to 255; 0 for classes without images."""
        return [
            (total / np.maximum(counts, 1)[:, None, None, None]).astype(np.float32)
            for total, counts in zip(self.sums, self.counts, strict=True)
        ]

    def _shrink(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Average blocks of pixels: uint8 `(n, size, size, 3)` to `(n, side, side, 3)`."""
        step = self.step
        side = images.shape[1] // step
        total = np.zeros((len(images), side, side, 3), np.float32)
        for down in range(step):
            for across in range(step):
                total += images[:, down : side * step : step, across : side * step : step]
        total /= step**2
        return total


def correlate(means: NDArray[np.float32], counts: NDArray[np.int64], fewest: int) -> NDArray[np.float64]:
    """Whether classes depart from the mean of all images in the same way, `(n_classes, n_classes)`, -1 to 1.

    Pearson's correlation over the pixels between what the mean image of each class has more or less than the mean of
    all. The mean images themselves correlate by .9 and more in any data set: each is the average photo above all. NaN
    where a class has fewer than `fewest` images or is like the mean, and everywhere with fewer than three such classes:
    two depart in opposite ways whatever they show.
    """
    flat = means.reshape(len(means), -1).astype(np.float64)
    weights = np.where(counts >= fewest, counts, 0)
    flat -= (weights / max(weights.sum(), 1)) @ flat
    centred = flat - flat.mean(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1))
    usable = (counts >= fewest) & (length > 1e-3) & ((weights > 0).sum() > 2)
    scaled = centred / np.where(usable, length, 1)[:, None]
    result: NDArray[np.float64] = scaled @ scaled.T
    result[~usable] = np.nan
    result[:, ~usable] = np.nan
    return result
