"""Where a target is worse than elsewhere: images cut by size, brightness, file format and every other target's class.

With many slices some look bad by luck. A slice is called worse only when Fisher's exact test, one image per group, says
so after Holm's correction over all slices of all targets, and the bootstrap over groups agrees.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

from lacuna.calibration.cross_fit import Judgement
from lacuna.config.blocks import Evaluate
from lacuna.core.files_table import FileInfo
from lacuna.core.groups import distinct
from lacuna.core.pixels import brightness
from lacuna.core.scores import Floats, Labels
from lacuna.core.targets import Targets
from lacuna.core.working_image import Resize
from lacuna.stats.bootstrap import group_weights, interval
from lacuna.stats.multiple_testing import holm

FEWEST_IN_SLICE = 20
"""A slice, and the rest of the images, must have as many known groups to be looked at."""

WEIGHTS_AT_ONCE = 100


@dataclass(frozen=True)
class Partition:
    """One way to divide the images into slices: `member` (n,) is each one's slice among `names`, -1 = unknown."""

    by: str
    names: tuple[str, ...]
    member: Labels


@dataclass(frozen=True)
class Slice:
    """How often a target is right (`accuracy`) on the images of a slice and on the rest, among known labels.

    `low` to `high` is the interval of `difference`, slice less rest. `p` is the chance to see so few right ones in a
    slice that is like the rest, `adjusted` the same after Holm's correction.
    """

    target: str
    by: str
    name: str
    images: int
    groups: int
    accuracy: float
    rest: float
    low: float
    high: float
    p: float
    adjusted: float
    shown: bool

    @property
    def difference(self) -> float:
        return self.accuracy - self.rest

    @property
    def title(self) -> str:
        return f"{self.by}: {self.name}"


def partition_images(
    targets: Targets,
    labels: Labels,
    files: Sequence[FileInfo],
    images: NDArray[np.uint8],
    row: NDArray[np.int64],
    resize: Resize,
) -> list[Partition]:
    """All partitions of n images, by labels (n, n_targets), lines of files.csv and pixels of `images` at `row`."""
    side = np.array([(file.width * file.height) ** 0.5 for file in files])
    light = brightness(images, row, files, resize) / 2.55
    formats, member = np.unique([file.format for file in files], return_inverse=True)
    return [
        into_thirds("image size", side, "px"),
        into_thirds("brightness", light, "%"),
        Partition("format", tuple(formats.tolist()), member),
        *(Partition(target.name, target.classes, labels[:, index]) for index, target in enumerate(targets)),
    ]


def into_thirds(by: str, values: Floats, unit: str) -> Partition:
    """Low, middle and high values, equally many images in each where values are not tied."""
    edges = np.unique(np.quantile(values, [1 / 3, 2 / 3], method="lower")) if len(values) else np.empty(0)
    edges = edges[edges < values.max(initial=-np.inf)]
    texts = [f"{edge:.0f}" for edge in edges]
    if not texts:
        return Partition(by, ("all",), np.zeros(len(values), np.intp))
    between = [f"{low} to {high} {unit}" for low, high in pairwise(texts)]
    names = (f"up to {texts[0]} {unit}", *between, f"above {texts[-1]} {unit}")
    return Partition(by, names, np.searchsorted(edges, values, side="left"))


class Candidate(NamedTuple):
    """A slice that is large enough to be examined: a target, a partition and the place of the slice in it, and the
    masks (n,) of the images in the slice and of the rest."""

    judgement: Judgement
    partition: Partition
    place: int
    inside: NDArray[np.bool_]
    outside: NDArray[np.bool_]


def examine_slices(
    judgements: Sequence[Judgement], partitions: Sequence[Partition], group: NDArray[np.int64], settings: Evaluate
) -> list[Slice]:
    """Every slice that is large enough, of every target: those that are shown to be worse first, then by p.

    A target is not divided by its own classes: these have metrics of their own.
    """
    found = _distinct(
        [
            Candidate(judgement, partition, index, inside, outside)
            for judgement in judgements
            for partition in partitions
            if partition.by != judgement.target.name
            for index, inside, outside in _slices(judgement, partition, group)
        ]
    )
    p = _fisher([_table(judgement.right, inside, outside, group) for judgement, _, _, inside, outside in found])
    ends = _intervals(
        [(judgement.right, inside, outside) for judgement, _, _, inside, outside in found], group, settings
    )
    slices = [
        Slice(
            target=judgement.target.name,
            by=partition.by,
            name=partition.names[index],
            images=int(inside.sum()),
            groups=len(distinct(group[inside])),
            accuracy=float(judgement.right[inside].mean()),
            rest=float(judgement.right[outside].mean()),
            low=low,
            high=high,
            p=chance,
            adjusted=float(adjusted),
            shown=bool(adjusted <= 1 - settings.confidence and high < 0),
        )
        for (judgement, partition, index, inside, outside), chance, adjusted, (low, high) in zip(
            found, p, holm(p), ends, strict=True
        )
    ]
    return sorted(slices, key=lambda examined: (not examined.shown, examined.p))


def _slices(
    judgement: Judgement, partition: Partition, group: NDArray[np.int64]
) -> Iterator[tuple[int, NDArray[np.bool_], NDArray[np.bool_]]]:
    known = judgement.known & (partition.member >= 0)
    for index in np.unique(partition.member[known]).tolist():
        inside = known & (partition.member == index)
        outside = known & ~inside
        if min(len(distinct(group[part])) for part in (inside, outside)) >= FEWEST_IN_SLICE:
            yield index, inside, outside


def _distinct(found: Sequence[Candidate]) -> list[Candidate]:
    """Without slices that hold the very images of an earlier one: two targets may have a class in common."""
    distinct = {
        (candidate.judgement.target.name, candidate.inside.tobytes()): candidate for candidate in reversed(found)
    }
    return list(reversed(distinct.values()))


def _table(
    right: NDArray[np.bool_], inside: NDArray[np.bool_], outside: NDArray[np.bool_], group: NDArray[np.int64]
) -> tuple[int, int, int, int]:
    """Groups: right inside, all, right, inside. Each counts once, by its first image inside, else its first outside."""
    inner = _first_of_groups(inside, group)
    outer = _first_of_groups(outside & ~np.isin(group, group[inside]), group)
    hits = int(right[inner].sum())
    return hits, len(inner) + len(outer), hits + int(right[outer].sum()), len(inner)


def _fisher(tables: Sequence[tuple[int, int, int, int]]) -> list[float]:
    """Fisher's exact test of each table, one-sided: the chance of so few right ones inside."""
    if not tables:
        return []
    chances: list[float] = hypergeom.cdf(*np.array(tables).T).tolist()
    return chances


def _first_of_groups(chosen: NDArray[np.bool_], group: NDArray[np.int64]) -> NDArray[np.intp]:
    rows = np.flatnonzero(chosen)
    return rows[np.unique(group[rows], return_index=True)[1]]


def _intervals(
    slices: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]],
    group: NDArray[np.int64],
    settings: Evaluate,
) -> list[tuple[float, float]]:
    """Of the difference in accuracy, inside less outside, of each slice: (right, inside, outside), all (n,)."""
    if not slices:
        return []
    counted = [
        np.stack([masks.astype(np.float64) for masks in columns], axis=1)
        for columns in zip(
            *((right & inside, inside, right & outside, outside) for right, inside, outside in slices), strict=True
        )
    ]
    differences = [np.zeros((0, len(slices)))]
    for weights in group_weights(group, settings.bootstrap, settings.seed, WEIGHTS_AT_ONCE):
        hits, size, other_hits, others = (weights @ columns for columns in counted)
        with np.errstate(invalid="ignore"):
            differences.append(hits / size - other_hits / others)
    ends = [interval(samples, settings.confidence) for samples in np.concatenate(differences).T]
    return [pair or (np.nan, np.nan) for pair in ends]
