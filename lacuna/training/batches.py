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
from lacuna.training.windows import RowNumbers, Share, draw_windows, every_image, read_batches

BatchInputs = NDArray[np.float32] | list[NDArray[Any]]
"""What a network takes: one array, or one for each of its inputs."""


@dataclass(frozen=True)
class FeatureBatches:
    """Batches from the feature store. In each epoch every image comes once, in one of its views.

    Order (`lacuna.training.windows`) and views derive from (seed, epoch) alone, so that a resumed training reads what
    an uninterrupted one reads.
    arrays: one for each input of the network, (n_images, views, ...).
    """

    arrays: tuple[NDArray[np.floating[Any]], ...]
    rows: NDArray[np.int64]
    batch_size: int
    seed: int

    def __len__(self) -> int:
        return math.ceil(len(self.rows) / self.batch_size)

    def epoch(self, epoch: int, share: Share = every_image) -> Iterator[tuple[RowNumbers, BatchInputs]]:
        """Yield (indices into rows, inputs of this process's share of them) over one epoch in random order."""
        random = np.random.default_rng([self.seed, epoch])
        row_bytes = sum(_row_bytes(array, 2) for array in self.arrays)
        windows = draw_windows(len(self.rows), row_bytes, self.batch_size, random)
        views = random.integers(self.arrays[0].shape[1], size=len(self.rows))

        def read(chosen: RowNumbers) -> list[NDArray[Any]]:
            return [array[self.rows[chosen], views[chosen]] for array in self.arrays]

        for chosen, arrays in read_batches(windows, self.batch_size, share, read):
            yield chosen, _as_inputs(arrays)

    def clean(self, share: Share = every_image) -> Iterator[tuple[RowNumbers, BatchInputs]]:
        """Yield (indices into rows, inputs of this process's share of them, in view 0) in the order of rows."""
        for chosen in _in_order(len(self.rows), self.batch_size):
            own = self.rows[chosen[share(len(chosen))]]
            yield chosen, _as_inputs([array[own, np.zeros(len(own), np.int64)] for array in self.arrays])


@dataclass(frozen=True)
class ResampledBatches:
    """Batches of real images with synthetic ones among them, by the methods of FeatureBatches.

    Indices from len(real.rows) on mean synthetic images. Their features lie between those of two real images, both
    taken in the same view. Neighbours lie anywhere, so that all are permuted as a whole.
    """

    real: FeatureBatches
    synthetic: Synthetic

    def __len__(self) -> int:
        return math.ceil((len(self.real.rows) + len(self.synthetic)) / self.real.batch_size)

    def epoch(self, epoch: int, share: Share = every_image) -> Iterator[tuple[RowNumbers, NDArray[np.float32]]]:
        n, (features,), rows = len(self.real.rows), self.real.arrays, self.real.rows
        random = np.random.default_rng([self.real.seed, epoch])
        order = random.permutation(n + len(self.synthetic))
        views = random.integers(features.shape[1], size=len(order))
        first = np.concatenate([np.arange(n), self.synthetic.seed])
        for start in range(0, len(order), self.real.batch_size):
            chosen = order[start : start + self.real.batch_size]
            own = chosen[share(len(chosen))]
            inputs = np.asarray(features[rows[first[own]], views[own]], np.float32)
            made = np.flatnonzero(own >= n)
            at = own[made] - n
            towards = features[rows[self.synthetic.neighbour[at]], views[own[made]]]
            inputs[made] += self.synthetic.share[at, None] * (towards - inputs[made])
            yield chosen, inputs

    def clean(self, share: Share = every_image) -> Iterator[tuple[RowNumbers, BatchInputs]]:
        """The real images in view 0, in the order of rows."""
        return self.real.clean(share)


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

    def epoch(self, epoch: int, share: Share = every_image) -> Iterator[tuple[RowNumbers, list[NDArray[Any]]]]:
        random = np.random.default_rng([self.seed, epoch])
        windows = draw_windows(len(self.rows), _row_bytes(self.images, 1), self.batch_size, random)

        def read(chosen: RowNumbers) -> list[NDArray[Any]]:
            return [np.asarray(self.images[self.rows[chosen]])]

        for chosen, (images,) in read_batches(windows, self.batch_size, share, read):
            yield chosen, [images, draw_changes(self.augment, images, epoch)]

    def clean(self, share: Share = every_image) -> Iterator[tuple[RowNumbers, list[NDArray[Any]]]]:
        for chosen in _in_order(len(self.rows), self.batch_size):
            images = np.asarray(self.images[self.rows[chosen[share(len(chosen))]]])
            yield chosen, [images, no_changes(len(images))]


def _in_order(n: int, batch_size: int) -> Iterator[RowNumbers]:
    for start in range(0, n, batch_size):
        yield np.arange(start, min(start + batch_size, n))


def _as_inputs(arrays: list[NDArray[Any]]) -> BatchInputs:
    inputs = [np.asarray(array, np.float32) for array in arrays]
    return inputs if len(inputs) > 1 else inputs[0]


def _row_bytes(array: NDArray[Any], axes: int) -> int:
    """The bytes of what an index of the first `axes` axes takes."""
    return math.prod(array.shape[axes:]) * array.dtype.itemsize
