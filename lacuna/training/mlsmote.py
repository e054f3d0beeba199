"""MLSMOTE: synthetic training features where the rarer label of a binary target is scarce (Charte et al. 2015)."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.core.targets import UNKNOWN, Targets
from lacuna.errors import LacunaError
from lacuna.training.statistics import TargetStatistics

NEIGHBOURS = 5


@dataclass(frozen=True)
class Synthetic:
    """Synthetic images: features seed + share * (neighbour - seed), and labels (m, n_targets), -1 unknown.

    seed, neighbour: places (m,) of real images among those that were resampled; share (m,): from 0 to 1.
    """

    seed: NDArray[np.int64]
    neighbour: NDArray[np.int64]
    share: NDArray[np.float32]
    labels: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.seed)


def imbalance_ratios(labels: NDArray[np.int16], targets: Targets) -> dict[int, float]:
    """By index of each binary target: how many known cells hold its commoner label for one that holds the rarer.

    Only targets of which both labels are known somewhere have a ratio. The paper's ratio compares how often a label
    occurs with how often the most frequent one does; with gaps that would call a target rare for being seldom labelled.
    """
    ratios = {}
    for index, target in enumerate(targets):
        counts = np.bincount(labels[labels[:, index] >= 0, index], minlength=target.n_classes)
        if target.kind == "binary" and counts.min() > 0:
            ratios[index] = float(counts.max() / counts.min())
    return ratios


def mlsmote(
    features: NDArray[np.floating[Any]], rows: NDArray[np.int64], labels: NDArray[np.int16], targets: Targets, seed: int
) -> Synthetic:
    """Make one synthetic image from each image that has a scarce label.

    rows (n,): where in `features` (n_all, channels; only what is needed is read) the images stand that labels
    (n, n_targets) belong to, those of the training part. A binary target's rarer label is scarce when
    its imbalance ratio is above 1 and not below the mean ratio. The neighbour of a seed is drawn from the five nearest
    (Euclid) that hold the same scarce label, the point between them evenly. The synthetic image keeps the scarce
    label; its other labels are voted by the known cells of the seed and its neighbours, and stay unknown where none is
    known or the vote is tied. With fewer than two images that hold a label nothing can be made of it.

    Raises LacunaError when no target is binary.
    """
    from sklearn.neighbors import NearestNeighbors

    if not any(target.kind == "binary" for target in targets):
        raise LacunaError(
            "params.yaml: warmup.resample: mlsmote needs a binary target, and every learned one is categorical; "
            "expected none"
        )
    ratios = imbalance_ratios(labels, targets)
    random = np.random.default_rng(seed)
    made: list[Synthetic] = []
    for index, ratio in ratios.items():
        if ratio == 1 or ratio < np.mean(list(ratios.values())) * (1 - 1e-9):
            continue
        rarer = int(np.argmin(np.bincount(labels[labels[:, index] >= 0, index], minlength=2)))
        minority = np.flatnonzero(labels[:, index] == rarer)
        k = min(NEIGHBOURS, len(minority) - 1)
        if k == 0:
            continue
        search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(features[rows[minority]])
        near = minority[search.kneighbors(return_distance=False)]  # of each image, itself left out
        drawn = near[np.arange(len(minority)), random.integers(k, size=len(minority))]
        voted = np.stack(
            [_vote(labels[np.column_stack([minority, near]), i], targets[i].n_classes) for i in range(len(targets))],
            axis=1,
        )
        voted[:, index] = rarer
        share = random.uniform(size=len(minority)).astype(np.float32)
        made.append(Synthetic(minority, drawn, share, voted))
    if not made:
        nothing = np.empty(0, np.int64)
        return Synthetic(nothing, nothing, np.empty(0, np.float32), np.empty((0, len(targets)), np.int16))
    return Synthetic(
        *(np.concatenate([getattr(part, name) for part in made]) for name in ("seed", "neighbour", "share", "labels"))
    )


def resampled_statistics(statistics: list[TargetStatistics], labels: NDArray[np.int16]) -> list[TargetStatistics]:
    """The statistics of the labels (n, n_targets) after resampling: counted anew, weights scaled back to mean 1."""
    renewed = []
    for index, statistic in enumerate(statistics):
        known = labels[labels[:, index] >= 0, index]
        counts = np.bincount(known, minlength=len(statistic.counts))
        mean = float(np.mean(np.array(statistic.weights)[known])) if len(known) else 1.0
        renewed.append(
            replace(
                statistic,
                known_share=len(known) / len(labels),
                counts=tuple(counts.tolist()),
                weights=tuple(weight / mean for weight in statistic.weights),
            )
        )
    return renewed


def _vote(labels: NDArray[np.int16], n_classes: int) -> NDArray[np.int16]:
    """The most frequent known class of each row (m, voters); unknown without a known one or with a tie."""
    votes = np.stack([(labels == k).sum(axis=1) for k in range(n_classes)], axis=1)
    most = votes.max(axis=1)
    decided = (most > 0) & ((votes == most[:, None]).sum(axis=1) == 1)
    return np.where(decided, votes.argmax(axis=1), UNKNOWN).astype(np.int16)
