"""ROC-AUC averaged over folds and classes, and how far it could be off.

The error follows from how much each image moves the AUC, added up within groups, because copies of an image are no
new evidence (DeLong, DeLong and Clarke-Pearson 1988; for groups Obuchowski 1997). A bootstrap of 500 replicates gives
the same and takes a hundred times as long, which counts where every target is probed a dozen times.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from lacuna.core.scores import Floats, Labels
from lacuna.stats.intervals import share_interval


def fold_auc(labels: Labels, scores: Floats, folds: NDArray[np.intp], classes: Sequence[int]) -> tuple[float, Floats]:
    """The AUC and what each image adds to its error (n,); NaN and zeros when no class has members and others.

    Scores (n, n_classes) of `classes`, each against the rest. The AUC is taken within each fold and averaged over the
    folds, then over the classes: scores of different folds come from different regressions and are not compared.
    """
    areas = []
    pulls = np.zeros(len(labels))
    for column, index in enumerate(classes):
        of_class = []
        pull = np.zeros(len(labels))
        for fold in np.unique(folds):
            inside = np.flatnonzero(folds == fold)
            member = labels[inside] == index
            if not member.any() or member.all():
                continue
            wins = _wins(scores[inside, column], member)
            area = float(wins[member].mean())
            of_class.append(area)
            pull[inside] = (wins - area) / np.where(member, member.sum(), (~member).sum())
        if of_class:
            areas.append(np.mean(of_class))
            pulls += pull / len(of_class)
    if not areas:
        return float("nan"), pulls
    return float(np.mean(areas)), pulls / len(areas)


def auc_interval(
    auc: float, pulls: Floats, group: NDArray[np.int64], n_trials: int, confidence: float
) -> tuple[float, float]:
    """The interval on the log-odds scale, so that it stays within 0 and 1.

    n_trials: independent comparisons behind the AUC, for the exact interval of an AUC of 0 or 1.
    """
    if auc in (0, 1):
        trials = max(n_trials, 1)
        return share_interval(trials if auc == 1 else 0, trials, confidence)
    error = np.sqrt((np.bincount(np.unique(group, return_inverse=True)[1], weights=pulls) ** 2).sum())
    reach = norm.ppf((1 + confidence) / 2) * error / (auc * (1 - auc))
    middle = np.log(auc / (1 - auc))
    low, high = (1 / (1 + np.exp(-(middle + side * reach))) for side in (-1, 1))
    return float(low), float(high)


def _wins(scores: Floats, member: NDArray[np.bool_]) -> Floats:
    """Of each member the share of others below it, of each other the share of members above it; ties count half."""
    ranks = rankdata(scores)
    wins = np.empty(len(scores))
    wins[member] = (ranks[member] - rankdata(scores[member])) / (~member).sum()
    wins[~member] = 1 - (ranks[~member] - rankdata(scores[~member])) / member.sum()
    return wins
