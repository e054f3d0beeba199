"""What a linear probe sees: an AUC with its interval, the chance that it is luck, and a verdict in words."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.config.blocks import Audit
from lacuna.core.scores import Floats, Labels
from lacuna.stats.auc import auc_interval, fold_auc
from lacuna.stats.permutation import permutation_p
from lacuna.stats.ridge_probe import Folds, Probe, random_folds

LEARNABLE = "learnable"
WEAK = "weak"
NO_SIGNAL = "no signal"
TOO_FEW = "too few labels"

CLEAR = 0.6
"""An AUC whose interval reaches below this is weak, however sure it is that there is something."""

FEWEST_GROUPS = 10
"""A class takes part when so many groups are in it and as many are not: two a fold on average."""


@dataclass(frozen=True)
class Measured:
    """What a probe found of one labelling; figures of known images only.

    `classes`: those that took part, of a binary labelling 1 alone. `skipped`: groups of each class that had too few.
    `folds` and `scores` (n_known, n_classes) belong to the known images. `p` is not yet adjusted. With no class left,
    `auc`, `low`, `high` are NaN and `p` is 1.
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
    p: float

    @property
    def enough(self) -> bool:
        return bool(self.classes)


def measure(
    features: Floats,
    labels: Labels,
    group: NDArray[np.int64],
    n_classes: int,
    permutations: int,
    confidence: float,
    audit: Audit,
) -> Measured:
    """Probe `features` (n, d) for `labels` (n,), -1 = unknown, among groups (n,); 0 permutations leave p at NaN.

    AUC and interval come from all known images, the permutations from at most `audit.max_groups` of their groups.
    """
    known = labels >= 0
    features, labels, group = features[known], labels[known], group[known]
    classes, skipped = eligible_classes(labels, group, n_classes)
    n_groups = len(np.unique(group))
    if not classes:
        nothing = np.zeros((len(labels), 0))
        folds = np.zeros(len(labels), dtype=np.intp)
        return Measured(known, folds, nothing, (), skipped, n_groups, np.nan, np.nan, np.nan, 1.0)
    folds = random_folds(group, audit.seed)
    probe = Probe(features, folds)
    scores = probe.scores(labels, classes)
    auc, pulls = fold_auc(labels, scores, folds, classes)
    fewest = min(len(np.unique(group[(labels == index) == inside])) for index in classes for inside in (True, False))
    low, high = auc_interval(auc, pulls, group, fewest, confidence)
    p = np.nan
    if permutations:
        chosen = sample_groups(group, audit.max_groups, audit.seed)
        if not chosen.all():
            folds_of_sample = random_folds(group[chosen], audit.seed)
            probe = Probe(features[chosen], folds_of_sample)
        present = [index for index in classes if (labels[chosen] == index).any()]
        p = permutation_p(probe, labels[chosen], group[chosen], present, permutations, audit.seed)
    return Measured(known, folds, scores, classes, skipped, n_groups, auc, low, high, p)


def permutations_for(n_labellings: int, audit: Audit) -> int:
    """So many that Holm's correction over the labellings could still call one of them significant, with room to spare.

    The smallest p that m permutations can give is 1 / (m + 1), and Holm multiplies it by the number of labellings.
    """
    return max(audit.permutations, int(np.ceil(2 * n_labellings / audit.alpha)) - 1)


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


def judge(measured: Measured, adjusted: float, alpha: float) -> str:
    """A verdict on one labelling: `adjusted` is its p-value after Holm's correction."""
    if not measured.enough:
        return TOO_FEW
    if adjusted > alpha:
        return NO_SIGNAL
    return LEARNABLE if measured.low >= CLEAR else WEAK
