"""Should a new model take the champion's place? Both as they answer, on test images that neither has learned from.

All intervals hold together with the confidence that is asked for (Bonferroni): of twenty true statements each at 95 %
one would be wrong by chance, and one alone is enough to move a champion.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lacuna.calibration.model import Calibration
from lacuna.config.blocks import Evaluate
from lacuna.core.predictions import Predictions
from lacuna.core.relations import relevant
from lacuna.core.targets import Targets
from lacuna.errors import LacunaError
from lacuna.evaluation.comparison import (
    COMPARED,
    ExperimentComparison,
    MetricDifference,
    align_images,
    comparison_table,
    differences,
    finished_replicates,
    of_targets,
    targets_in_common,
)
from lacuna.io.plurals import number_of

MIN_GROUPS = 20
"""With fewer groups of images in common the bootstrap's intervals are too narrow to decide by."""

MIN_OTHERS = 10
"""A target is judged where so many labelled images are of another class than the most frequent one."""

BEYOND_AN_END = 4
"""So many replicates lie beyond each end of an interval, at least."""


@dataclass(frozen=True)
class FinishedModel:
    """What a bundle tells of its model: `test` are its predictions, `digests` (n_test,) tell these images by content,
    `learned` are those of the images that it learned from or was calibrated on."""

    targets: Targets
    calibration: Calibration
    test: Predictions
    digests: NDArray[np.uint64]
    learned: NDArray[np.uint64]


@dataclass(frozen=True)
class Promotion:
    """The champion (a) beside the new model (b).

    `lost`: targets, in words, that the champion has and the new model has not, or with other classes. `unjudged`: those
    with too few labels. `n_learned`: test images of both that one of the two learned from, which are left out.
    """

    comparison: ExperimentComparison
    lost: Sequence[str]
    unjudged: Sequence[str]
    n_learned: int

    @property
    def better(self) -> list[str]:
        """In which metrics of which targets the new model is shown to be better, in words."""
        return [_named(one) for one in self.comparison.differences if one.better == "b"]

    @property
    def worse(self) -> list[str]:
        """In which it is shown to be worse; a lost target counts."""
        return [*self.lost, *(_named(one) for one in self.comparison.differences if one.better == "a")]

    @property
    def promotes(self) -> bool:
        return bool(self.better) and not self.worse

    def describe(self) -> str:
        """The table and what follows from it."""
        lines = [comparison_table(self.comparison, "champion", "new", "test image")]
        if self.n_learned:
            lines.append(f"{number_of(self.n_learned, 'test image')} left out: one of the two learned from them")
        if self.unjudged:
            lines.append(f"too few labels to judge: {', '.join(self.unjudged)}")
        lines.append(f"worse: {', '.join(self.worse) or 'nothing'}; better: {', '.join(self.better) or 'nothing'}")
        return "\n".join(lines)


def compare_held_out(champion: FinishedModel, new: FinishedModel, evaluate: Evaluate) -> Promotion:
    """Compare the two on the test images of both, by content, that neither learned from.

    Labels that contradict each other, or that one alone knows, are unknown; groups are the champion's. Figures are of
    labelled images. Raises LacunaError when no target, or too few images or labels, are in common.
    """
    targets, _ = targets_in_common(champion.targets, new.targets)
    of_champion, of_new = _held_out(champion, new.learned), _held_out(new, champion.learned)
    n_shared = len(np.intersect1d(champion.digests, new.digests))
    n_learned = n_shared - len(np.intersect1d(of_champion.image, of_new.image))
    a, b, n_contradictions = align_images(
        of_targets(of_champion, champion.targets, targets), of_targets(of_new, new.targets, targets), "test"
    )
    if (n_groups := len(np.unique(a.group))) < MIN_GROUPS:
        raise LacunaError(
            f"the two models have {number_of(len(a), 'test image')} in {number_of(n_groups, 'group')} in common that "
            f"neither learned from, expected at least {MIN_GROUPS} groups; train both on the same data and split"
        )
    judged = [name for name, labels in zip(targets.names, a.labels.T, strict=True) if _has_enough(labels)]
    if not judged:
        raise LacunaError(
            f"no target has {MIN_OTHERS} labels of another class than its most frequent one among the "
            f"{number_of(len(a), 'test image')} in common; label more test images"
        )
    tail = (1 - evaluate.confidence) / len(judged) / len(COMPARED)
    drawn = evaluate.model_copy(update={"bootstrap": max(evaluate.bootstrap, math.ceil(2 * BEYOND_AN_END / tail))})
    before, after = (
        finished_replicates(targets, part, _cut_down(model.calibration, targets), drawn)
        for part, model in ((a, champion), (b, new))
    )
    found = [one for one in differences(before, after, 1 - tail) if one.target in judged]
    return Promotion(
        ExperimentComparison(found, len(a), n_contradictions),
        [name for name in champion.targets.names if name not in targets.names],
        [name for name in targets.names if name not in judged],
        n_learned,
    )


def _held_out(model: FinishedModel, learned: NDArray[np.uint64]) -> Predictions:
    """The model's test images, named by their content, without those that itself or another one learned from."""
    unseen = ~np.isin(model.digests, np.concatenate([model.learned, learned]))
    return replace(model.test, image=model.digests.astype(np.str_), light=None).take(unseen)


def _has_enough(labels: NDArray[np.int16]) -> bool:
    counts = np.bincount(labels[labels >= 0])
    return bool(counts.sum() - counts.max(initial=0) >= MIN_OTHERS)


def _cut_down(calibration: Calibration, targets: Targets) -> Calibration:
    of_targets = {name: calibration.targets[name] for name in targets.names}
    return Calibration(of_targets, relevant(calibration.relations, targets))


def _named(difference: MetricDifference) -> str:
    return f"{difference.target} ({difference.metric.replace('_', ' ')})"
