"""What is decided for the images of a part in some replicates, as far as metrics ask for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lacuna.calibration.consistency import Constraint
from lacuna.calibration.cross_fit import CrossFit
from lacuna.calibration.model import Fit, decide
from lacuna.calibration.population import Resample
from lacuna.core.predictions import Predictions
from lacuna.core.scores import Labels
from lacuna.core.targets import Targets


@dataclass(frozen=True)
class Decided:
    """Some replicates of images, and per target the decisions and those of the target alone, (replicates, n). The ranks
    of the true class (replicates, n) stand for targets of which a metric asks for them, by place; those of unknown
    labels mean nothing."""

    part: Predictions
    resample: Resample
    together: Sequence[Labels]
    alone: Sequence[Labels]
    ranks: Mapping[int, Labels]

    @classmethod
    def by_fits(
        cls,
        targets: Targets,
        fits: Sequence[Fit],
        part: Predictions,
        resample: Resample,
        constraints: Sequence[Constraint],
        top_k: int,
    ) -> "Decided":
        """By calibrations with a row for each replicate of `resample`."""
        return cls._of(targets, part, resample, _decide_and_rank(targets, fits, part, constraints, top_k), top_k)

    @classmethod
    def by_folds(cls, fitted: CrossFit, constraints: Sequence[Constraint], top_k: int) -> "Decided":
        """Each image by the calibrations fitted without its fold."""
        targets = fitted.targets
        found = fitted.apply(lambda fits, part: _decide_and_rank(targets, fits, part, constraints, top_k))
        return cls._of(targets, fitted.validation, fitted.resample, found, top_k)

    @classmethod
    def _of(
        cls, targets: Targets, part: Predictions, resample: Resample, found: Sequence[Sequence[Labels]], top_k: int
    ) -> "Decided":
        together, alone, ranks = found
        return cls(part, resample, together, alone or together, dict(zip(_ranked(targets, top_k), ranks, strict=True)))


def _ranked(targets: Targets, top_k: int) -> list[int]:
    """The places of the targets of which it is asked whether the true class is among the top_k most probable."""
    return [index for index, target in enumerate(targets) if target.n_classes > top_k]


def _decide_and_rank(
    targets: Targets, fits: Sequence[Fit], part: Predictions, constraints: Sequence[Constraint], top_k: int
) -> tuple[Sequence[Labels], Sequence[Labels], Sequence[Labels]]:
    """By the replicates of `fits`, all (replicates, n): the decisions of each target, where there are constraints those
    of each target alone, and the ranks of the true class of the targets that are `_ranked`."""
    together, alone = decide(targets, fits, part.logits, constraints)
    ranks = []
    for index in _ranked(targets, top_k):
        known = np.flatnonzero(part.labels[:, index] >= 0)
        of_target = np.zeros(together[index].shape, np.int16)
        of_target[:, known] = fits[index].true_ranks(
            part.logits[known][:, targets.slices[index]], part.labels[known, index]
        )
        ranks.append(of_target)
    return together, alone if constraints else (), ranks
