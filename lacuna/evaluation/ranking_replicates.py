"""Ranking metrics of many replicates, as many at a time as memory allows."""

from collections.abc import Mapping, Sequence

import numpy as np

from lacuna.calibration.population import CHUNK_CELLS, Resample
from lacuna.core.predictions import Predictions
from lacuna.core.scores import Floats, activate, ranking_metrics
from lacuna.core.targets import Targets


def joined(chunks: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    """Each metric in the replicates of all chunks."""
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


class Rankings:
    """The ranking metrics of a target in all replicates, of as many at a time as memory allows.

    They need no decisions, which come a few replicates at a time where classes are many, and are cheapest together:
    images are sorted once for each class and batch of replicates.
    """

    def __init__(self, targets: Targets, index: int) -> None:
        self._targets, self._index = targets, index
        self._part: Predictions | None = None
        self._waiting: list[Floats] = []
        self._done: list[dict[str, Floats]] = []

    def add(self, part: Predictions, resample: Resample) -> None:
        if part is not self._part:
            if self._waiting:
                self._rank()
            known = part.labels[:, self._index] >= 0
            self._part, self._labels = part, part.labels[known, self._index]
            logits = part.logits[known][:, self._targets.slices[self._index]]
            self._scores = activate(self._targets[self._index], logits)
        self._waiting.append(resample.of_known(self._index, part.labels[:, self._index]))
        if sum(map(len, self._waiting)) * len(self._labels) >= CHUNK_CELLS:
            self._rank()

    def finish(self) -> dict[str, Floats]:
        """The metrics, each (replicates,), in the order in which replicates were added."""
        if self._waiting:
            self._rank()
        return joined(self._done)

    def _rank(self) -> None:
        self._done.append(ranking_metrics(self._labels, self._scores, np.concatenate(self._waiting)))
        self._waiting = []
