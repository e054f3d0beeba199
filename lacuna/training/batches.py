"""What a training epoch reads: batches of cached features, or of freshly changed images."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.config.blocks import Augment
from lacuna.features.augmentation_draws import draw_changes, no_changes
from lacuna.training.mlsmote import Synthetic

BatchInputs = NDArray[np.float32] | list[NDArray[Any]]
"""What a network takes: one array, or one for each of its inputs."""


@dataclass(frozen=True)
class FeatureBatches:
    """Batches from the feature store. In each epoch every image comes once, in one of its views.

    Order and views derive from (seed, epoch) alone, so that a resumed training reads what an uninterrupted one reads.
    arrays: one for each input of the network, (n_images, views, ...).
    """

    arrays: tuple[NDArray[np.floating[Any]], ...]
    rows: NDArray[np.int64]
    batch_size: int
    seed: int

    def __len__(self) -> int:
        return math.ceil(len(self.rows) / self.batch_size)

    def epoch(self, epoch: int) -> Iterator[tuple[NDArray[np.int64], BatchInputs]]:
        """Yield (indices into rows, inputs) over one epoch in random order."""
        random = np.random.default_rng([self.seed, epoch])
        order = random.permutation(len(self.rows))
        views = random.integers(self.arrays[0].shape[1], size=len(self.rows))
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            yield chosen, self._read(self.rows[chosen], views[chosen])

    def clean(self) -> Iterator[BatchInputs]:
        """Yield the inputs of view 0 in the order of rows."""
        for start in range(0, len(self.rows), self.batch_size):
            rows = self.rows[start : start + self.batch_size]
            yield self._read(rows, np.zeros(len(rows), np.int64))

    def _read(self, rows: NDArray[np.int64], views: NDArray[np.int64]) -> BatchInputs:
        inputs = [np.asarray(array[rows, views], np.float32) for array in self.arrays]
        return inputs if len(inputs) > 1 else inputs[0]


@dataclass(frozen=True)
class ResampledBatches:
    """Batches of real images with synthetic ones among them, by the methods of FeatureBatches.

    Indices from len(real.rows) on mean synthetic images. Their features lie between those of two real images, both
    taken in the same view.
    """

    real: FeatureBatches
    synthetic: Synthetic

    def __len__(self) -> int:
        return math.ceil((len(self.real.rows) + len(self.synthetic)) / self.real.batch_size)

    def epoch(self, epoch: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        n, (features,), rows = len(self.real.rows), self.real.arrays, self.real.rows
        random = np.random.default_rng([self.real.seed, epoch])
        order = random.permutation(n + len(self.synthetic))
        views = random.integers(features.shape[1], size=len(order))
        first = np.concatenate([np.arange(n), self.synthetic.seed])
        for start in range(0, len(order), self.real.batch_size):
            chosen = order[start : start + self.real.batch_size]
            inputs = np.asarray(features[rows[first[chosen]], views[chosen]], np.float32)
            made = np.flatnonzero(chosen >= n)
            at = chosen[made] - n
            towards = features[rows[self.synthetic.neighbour[at]], views[chosen[made]]]
            inputs[made] += self.synthetic.share[at, None] * (towards - inputs[made])
            yield chosen, inputs

    def clean(self) -> Iterator[BatchInputs]:
        """Yield the inputs of view 0 of the real images, in the order of rows."""
        return self.real.clean()


@dataclass(frozen=True)
class ImageBatches:
    """Batches straight from the working images, freshly changed in every epoch, by the methods of FeatureBatches."""

    images: NDArray[np.uint8]
    augment: Augment
    rows: NDArray[np.int64]
    batch_size: int
    seed: int

    def __len__(self) -> int:
        return math.ceil(len(self.rows) / self.batch_size)

    def epoch(self, epoch: int) -> Iterator[tuple[NDArray[np.int64], list[NDArray[Any]]]]:
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.rows))
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            images = np.asarray(self.images[self.rows[chosen]])
            yield chosen, [images, draw_changes(self.augment, images, epoch)]

    def clean(self) -> Iterator[list[NDArray[Any]]]:
        for start in range(0, len(self.rows), self.batch_size):
            images = np.asarray(self.images[self.rows[start : start + self.batch_size]])
            yield [images, no_changes(len(images))]
