"""What a linear probe sees: an AUC with its interval, the chance that it is luck, and a verdict in words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.config.blocks import Audit
from lacuna.core.scores import Floats, Labels
from lacuna.presentation.audit_verdicts import SignalVerdict
from lacuna.stats.auc import auc_interval, fold_auc
from lacuna.stats.multiple_testing import westfall_young
from lacuna.stats.permutation import permuted_correlations, share_reached
from lacuna.stats.ridge_probe import Folds, Probe, random_folds

CLEAR = 0.6
"""An AUC whose interval reaches below this is weak, however sure it is that there is something."""

FEWEST_GROUPS = 10
"""A class takes part when so many groups are in it and as many are not: two a fold on average."""


@dataclass(frozen=True)
class ProbeResult:
    """What a probe found of one labelling, on its known images alone.

    `known` (n,): which images these are. `classes`: those that took part, of a binary labelling 1 alone. `skipped`:
    the number of groups of each class that had too few. `folds` (n_known,) and `scores` (n_known, n_classes) belong to
    the known images. `auc`, `low` and `high`, 0 to 1, are NaN when no class takes part. `correlations` (1 +
    permutations,): of scores and labels, the given labelling first; empty when nothing was permuted.
    """

    known: NDArray[np.bool_]
    folds: Folds
    scores: Floats
    classes: tuple[int, ...]
    skipped: dict[int, int]
    groups: int
    auc: float
    low: float
    high: float
    correlations: Floats

    @property
    def enough(self) -> bool:
        """Whether a class had enough groups for the probe to be run."""
        return bool(self.classes)

    @property
    def p(self) -> float:
        """The p-value of this labelling alone; 1 when no class takes part, NaN when nothing was permuted."""
        if not self.enough:
            return 1.0
        return share_reached(self.correlations) if len(self.correlations) else np.nan


def run_probe(
    features: Floats,
    labels: Labels,
    group: NDArray[np.int64],
    n_classes: int,
    permutations: int,
    confidence: float,
    audit: Audit,
) -> ProbeResult:
    """Probe `features` (n, d) for `labels` (n,), -1 = unknown, among groups (n,); 0 permutations leave p at NaN.

    AUC and interval come from all known images, the permutations from at most `audit.max_groups` of their groups.
    """
    known = labels >= 0
    features, labels, group = features[known], labels[known], group[known]
    classes, skipped = eligible_classes(labels, group, n_classes)
    n_groups = len(np.unique(group))
    correlations: Floats = np.zeros(0)
    if not classes:
        nothing = np.zeros((len(labels), 0))
        folds = np.zeros(len(labels), dtype=np.intp)
        return ProbeResult(known, folds, nothing, (), skipped, n_groups, np.nan, np.nan, np.nan, correlations)
    folds = random_folds(group, audit.seed)
    probe = Probe(features, folds)
    scores = probe.scores(labels, classes)
    auc, pulls = fold_auc(labels, scores, folds, classes)
    fewest = min(len(np.unique(group[(labels == index) == inside])) for index in classes for inside in (True, False))
    low, high = auc_interval(auc, pulls, group, fewest, confidence)
    if permutations:
        chosen = sample_groups(group, audit.max_groups, audit.seed)
        if not chosen.all():
            folds_of_sample = random_folds(group[chosen], audit.seed)
            probe = Probe(features[chosen], folds_of_sample)
        present = [index for index in classes if (labels[chosen] == index).any()]
        correlations = permuted_correlations(probe, labels[chosen], group[chosen], present, permutations, audit.seed)
    return ProbeResult(known, folds, scores, classes, skipped, n_groups, auc, low, high, correlations)


def adjust(results: Sequence[ProbeResult]) -> list[float]:
    """The p-values of one question asked of several targets, adjusted for their number; 1 where no class took part."""
    probed = [place for place, result in enumerate(results) if result.enough]
    adjusted = [1.0] * len(results)
    if probed:
        for place, p in zip(probed, westfall_young(np.stack([results[i].correlations for i in probed])), strict=True):
            adjusted[place] = p
    return adjusted


def permutations_for(audit: Audit) -> int:
    """`audit.permutations`, and at least so many that a p-value can be half of `audit.alpha`.

    The smallest p that m permutations can give is 1 / (m + 1), before and after `adjust`.
    """
    return max(audit.permutations, int(np.ceil(2 / audit.alpha)) - 1)


def eligible_classes(
    labels: Labels, group: NDArray[np.int64], n_classes: int
) -> tuple[tuple[int, ...], dict[int, int]]:
    """The classes of known labels that a probe is run for, and the number of groups of those that are too rare."""
    inside = [len(np.unique(group[labels == index])) for index in range(n_classes)]
    outside = [len(np.unique(group[labels != index])) for index in range(n_classes)]
    enough = [min(pair) >= FEWEST_GROUPS for pair in zip(inside, outside, strict=True)]
    skipped = {index: count for index, count in enumerate(inside) if count < FEWEST_GROUPS}
    if n_classes == 2:
        return ((1,), {}) if all(enough) else ((), skipped)
    return tuple(index for index in range(n_classes) if enough[index]), skipped


def sample_groups(group: NDArray[np.int64], at_most: int, seed: int) -> NDArray[np.bool_]:
    """Which images (n,) belong to a random sample of whole groups."""
    names = np.unique(group)
    if len(names) <= at_most:
        return np.ones(len(group), dtype=bool)
    chosen = np.random.default_rng(seed).choice(names, at_most, replace=False)
    return np.isin(group, chosen)


def verdict_of(result: ProbeResult, adjusted: float, alpha: float) -> SignalVerdict:
    """A verdict on one labelling: `adjusted` is its p-value after the correction for many targets."""
    if not result.enough:
        return SignalVerdict.TOO_FEW
    if adjusted > alpha:
        return SignalVerdict.NO_SIGNAL
    return SignalVerdict.LEARNABLE if result.low >= CLEAR else SignalVerdict.WEAK
