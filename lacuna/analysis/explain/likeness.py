"""The classes that are taken for each other, and how alike their mean images are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.calibration.cross_fit import Judgement
from lacuna.core.pixels import MeanImages
from lacuna.core.scores import Floats, Labels
from lacuna.core.targets import Targets
from lacuna.io.progress import progress
from lacuna.stats.numbers import rounded

MEAN_SIDE = 32
"""Mean images have at most so many cells a side."""

MEAN_BATCH = 256

MOST_CONFUSED = 5

FEWEST_PAIRS = 10
"""Among fewer pairs of classes than so many, to be more alike than a share of them says little."""


@dataclass(frozen=True)
class ConfusedPair:
    """Images of class `actual` that were decided to be `predicted`: `rows` of the judgement, of `of` known ones.

    `likeness`, -1 to 1, is how alike the two classes' mean images are, as `pixels.correlate` has it, `rank` the share
    of all pairs of classes that are less alike; NaN where there is no mean image, or too few pairs.
    """

    actual: int
    predicted: int
    rows: tuple[int, ...]
    of: int
    likeness: float
    rank: float


def mean_images(
    images: NDArray[np.uint8], row: NDArray[np.int64], labels: Labels, targets: Targets
) -> list[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Per target the mean image of each class (n_classes, cells, cells, 3), 0 to 255, and how many images each is of.

    images: all working images, of which the n at `row` count, with labels (n, n_targets).
    """
    by_class = MeanImages(targets, images.shape[1], MEAN_SIDE)
    starts = range(0, len(row), MEAN_BATCH)
    for start in progress(starts, total=len(starts), what="mean images", unit="batches"):
        chosen = slice(start, start + MEAN_BATCH)
        by_class.add(np.asarray(images[row[chosen]]), labels[chosen])
    return list(zip(by_class.means(), by_class.counts, strict=True))


def confused_pairs(judgement: Judgement, alike: Floats) -> list[ConfusedPair]:
    """The commonest mistakes of a target, at most MOST_PAIRS.

    alike: of the classes' mean images (n_classes, n_classes), as `pixels.correlate` has it.
    """
    n = judgement.target.n_classes
    wrong = np.flatnonzero(judgement.known & ~judgement.right)
    cells = judgement.labels[wrong].astype(np.intp) * n + judgement.decisions[wrong]
    counts = np.bincount(cells, minlength=n * n)
    order = np.argsort(-counts, kind="stable")[:MOST_CONFUSED]
    every = alike[np.triu_indices(n, 1)]
    every = every[~np.isnan(every)]
    pairs = []
    for cell in order[counts[order] > 0].tolist():
        actual, predicted = divmod(cell, n)
        value = float(alike[actual, predicted])
        rank = float((every < value).mean()) if len(every) >= FEWEST_PAIRS and not np.isnan(value) else float("nan")
        of = int((judgement.labels == actual).sum())
        pairs.append(ConfusedPair(actual, predicted, tuple(wrong[cells == cell].tolist()), of, value, rank))
    return pairs


def list_pairs(judgement: Judgement, pairs: Sequence[ConfusedPair]) -> list[tuple[object, ...]]:
    """Rows of confused_pairs.csv."""
    classes = judgement.target.classes
    return [
        (
            judgement.target.name,
            classes[pair.actual],
            classes[pair.predicted],
            len(pair.rows),
            pair.of,
            *("" if np.isnan(value) else rounded(value) for value in (pair.likeness, pair.rank)),
        )
        for pair in pairs
    ]


PAIRS_HEADER = ("target", "actual", "predicted", "images", "of", "likeness", "more_alike_than")
