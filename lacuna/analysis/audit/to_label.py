"""What to label next: unknown cells, those first whose answer the probe cannot foretell; the sure ones get it said."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.analysis.audit.label_errors import Doubts
from lacuna.analysis.audit.logistic_probe import fit_and_predict
from lacuna.core.scores import Floats, Labels

SURE = 0.95
"""Suggestions need this probability, and on known labels such probabilities must have been right as often."""

FEWEST_SURE = 20
"""So many known labels must stand behind that."""


@dataclass(frozen=True)
class Wanted:
    """A target's unknown cells, one per group, the most valuable first.

    `rows` (n,): where they stand among the audited images. `value` (n,): the entropy of the probabilities, 1 when
    nothing is known of the cell, 0 when all is. `likeliest` (n,): class indices, with their `probability`. `sure` (n,):
    which of them are good enough to suggest. `n_sure` known labels were foretold surely by other folds, the share
    `right` of them rightly.
    """

    rows: NDArray[np.intp]
    value: Floats
    likeliest: Labels
    probability: Floats
    sure: NDArray[np.bool_]
    n_sure: int
    right: float


def rank_unknown(features: Floats, labels: Labels, group: NDArray[np.int64], doubts: Doubts) -> Wanted:
    """Rank the unknown ones among labels (n,) by features (n, d); `doubts` has the known ones judged out of fold."""
    classes = np.unique(doubts.given)
    rows = np.flatnonzero(labels < 0)
    rows = rows[np.unique(group[rows], return_index=True)[1]]  # copies would be labelled alike
    chances = fit_and_predict(features[doubts.rows], doubts.given, features[rows], classes.tolist())
    with np.errstate(divide="ignore", invalid="ignore"):
        value = -np.nan_to_num(chances * np.log(chances)).sum(axis=1) / np.log(len(classes))
    certain = doubts.probabilities.max(axis=1) >= SURE
    n_sure = int(certain.sum())
    right = float((doubts.given == doubts.likeliest)[certain].mean()) if n_sure else 0.0
    trusted = n_sure >= FEWEST_SURE and right >= SURE
    order = np.argsort(-value, kind="stable")
    rows, value, chances = rows[order], value[order], chances[order]
    probability = chances.max(axis=1)
    sure = (probability >= SURE) & trusted
    return Wanted(rows, value, classes[chances.argmax(axis=1)], probability, sure, n_sure, right)
