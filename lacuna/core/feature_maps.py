"""Feature maps, and what each of their places adds to a score: exact, because features are statistics over positions.

A mean is a sum of shares, one a position, and so is a standard deviation: each position's squared distance from the
mean, divided by N times the deviation. With a head that is linear in them every score is a sum of shares of positions
too, the class activation map (Zhou et al. 2016) of all stages together.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lacuna.core.feature_store import SMALLEST_VARIANCE, FeatureLayout
from lacuna.core.scores import Floats, Labels
from lacuna.core.targets import Targets

IMAGES_AT_ONCE = 32

MOST_CELLS = 56
"""Heat maps have at most so many cells a side: finer ones show single pixels, and make answers of the service large."""

Maps = NDArray[np.float32]


class Output(NamedTuple):
    """What a network puts out for n images: logits float32 (n, n_logits), features float32 (n, n_columns), which its
    head sees, and the feature maps float32 (n, h, w, channels) by name, none unless they were asked for."""

    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    maps: Mapping[str, NDArray[np.float32]]

    def take(self, rows: NDArray[np.intp]) -> "Output":
        """The same of some of the images."""
        return Output(self.logits[rows], self.features[rows], {name: maps[rows] for name, maps in self.maps.items()})


def contrasts(targets: Targets, index: int, classes: Labels) -> Floats:
    """What is explained for each image, as weights of the logits (n, n_logits), given its class (n,) of a target.

    The logit of a binary target, negative for "absent". Of a categorical target a class's logit less the mean of all
    its classes: adding the same to every class's logit changes no probability, and must not change a map.
    """
    target, columns = targets[index], targets.slices[index]
    weights = np.zeros((len(classes), targets.n_logits))
    if target.kind == "binary":
        weights[:, columns] = np.where(classes == 1, 1.0, -1.0)[:, None]
    else:
        weights[:, columns] = np.eye(target.n_classes)[classes] - 1 / target.n_classes
    return weights


def heat_maps(maps: Mapping[str, NDArray[np.float32]], layout: FeatureLayout, slopes: Floats, mean: Floats) -> Maps:
    """What each place of n images adds to a score, (n, h, w), on the grid of the finest map.

    maps: the feature maps (n, h, w, channels) by the layout's names. slopes: the score's slope for an image in each
    feature as it is (n, n_columns). mean: the features (n_columns,) from which what an image adds is measured. The mean
    of a heat map is slopes · (features - mean): the score without its bias where it is linear in the features.
    """
    sides = [maps[name].shape[1:3] for name in layout.map_names]
    grid = min(max(h for h, _ in sides), MOST_CELLS), min(max(w for _, w in sides), MOST_CELLS)
    total = np.zeros((len(slopes), *grid))
    for name in layout.map_names:
        shares = [
            _SHARES[block.statistic](maps[name], slopes[:, columns], mean[columns])
            for block, columns in layout.slices()
            if block.map_name == name
        ]
        total += _resample(np.sum(shares, axis=0), grid)
    return total.astype(np.float32)


def _shares_of_means(maps: NDArray[np.float32], slopes: Floats, mean: Floats) -> Floats:
    """Of maps (n, h, w, channels), times the number of positions: (n, h, w)."""
    return _weigh(maps, slopes) - (slopes @ mean)[:, None, None]


def _shares_of_deviations(maps: NDArray[np.float32], slopes: Floats, mean: Floats) -> Floats:
    """Of maps (n, h, w, channels), times the number of positions: (n, h, w).

    SMALLEST_VARIANCE belongs to no position, so each has its share of it: they add up to the deviation, and a constant
    channel is no division by zero.
    """
    squares = np.square(maps - maps.mean(axis=(1, 2), keepdims=True))
    deviation = np.sqrt(squares.mean(axis=(1, 2), dtype=np.float64) + SMALLEST_VARIANCE)
    everywhere = (slopes * (SMALLEST_VARIANCE / deviation - mean)).sum(axis=1)
    shares: Floats = _weigh(squares, slopes / deviation) + everywhere[:, None, None]
    return shares


_SHARES: dict[str, Callable[[NDArray[np.float32], Floats, Floats], Floats]] = {
    "mean": _shares_of_means,
    "deviation": _shares_of_deviations,
}


def _weigh(maps: NDArray[np.float32], weights: Floats) -> Floats:
    """The sums over channels (n, h, w) of maps (n, h, w, channels), each image by weights of its own (n, channels)."""
    n, h, w, channels = maps.shape
    sums = maps.reshape(n, h * w, channels) @ weights.astype(np.float32)[:, :, None]
    return sums.reshape(n, h, w).astype(np.float64)


def enlarge(maps: Maps, size: int) -> Maps:
    """Maps (n, h, w) → (n, size, size) as the image has pixels, of the same means."""
    return _resample(maps, (size, size)).astype(np.float32)


def _resample(maps: NDArray[np.floating], grid: tuple[int, int]) -> Floats:
    """Maps (n, h, w) with another number of cells (n, *grid), straight lines between the centres of the given cells.

    A new cell holds the mean of these lines over its area: that keeps the mean of the whole map for any two grids,
    where lines that are read at the new cells' centres keep it only if one grid divides the other.
    """
    resampled: Floats = _spread(maps.shape[1], grid[0]) @ maps @ _spread(maps.shape[2], grid[1]).T
    return resampled


@cache
def _spread(n: int, size: int) -> Floats:
    """What each of n cells in a row adds to each of `size` cells over the same length, (size, n).

    Beyond the outermost centres the lines are level. Each row sums to 1 and each column to size / n.
    """
    if n == size:
        return np.eye(n)
    edges, centres = np.linspace(0, n, size + 1), np.arange(n) + 0.5
    points = np.union1d(edges, centres)  # between two of these every line is straight, so trapezoids are exact
    heights = np.stack([np.interp(points, centres, one) for one in np.eye(n)], axis=1)
    areas = np.diff(points)[:, None] * (heights[1:] + heights[:-1]) / 2
    spread = np.zeros((size, n))
    np.add.at(spread, np.searchsorted(edges, (points[1:] + points[:-1]) / 2) - 1, areas)
    return spread * size / n
