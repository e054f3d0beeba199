"""What to label next: unknown cells, first those that the probe is least sure of.

Where the probe is sure, and was right when it was, its class is suggested.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.analysis.audit.label_issues import LabelIssues
from lacuna.analysis.audit.logistic_probe import fit_and_predict
from lacuna.core.scores import Floats, Labels
from lacuna.core.targets import UNKNOWN

SURE = 0.95
"""Suggestions need this probability, and on known labels such probabilities must have been right as often."""

FEWEST_SURE = 20
"""Fewer known labels with such a probability are too few to tell how often it was right."""


@dataclass(frozen=True)
class UnknownCells:
    """A target's unknown cells, one per group, the highest `value` first.

    `rows` (n,): where they stand among the audited images. `value` (n,): the entropy of the probe's probabilities, from
    0, it is certain of one class, to 1, all classes are equally probable. `likeliest` (n,): class indices, with their
    `probability`. `sure` (n,): which of them are good enough to suggest. For `n_sure` known labels the probe of other
    folds had a probability of SURE or more; the share `right` of these, 0 to 1, were as it said.
    """

    rows: NDArray[np.intp]
    value: Floats
    likeliest: Labels
    probability: Floats
    sure: NDArray[np.bool_]
    n_sure: int
    right: float


def rank_unknown(features: Floats, labels: Labels, group: NDArray[np.int64], issues: LabelIssues) -> UnknownCells:
    """Rank the unknown ones among labels (n,) by features (n, d); `issues`: the known ones, scored out of fold."""
    classes = np.unique(issues.given)
    rows = np.flatnonzero(labels == UNKNOWN)
    rows = rows[np.unique(group[rows], return_index=True)[1]]  # copies would get the same label
    chances = fit_and_predict(features[issues.rows], issues.given, features[rows], classes.tolist())
    with np.errstate(divide="ignore", invalid="ignore"):
        value = -np.nan_to_num(chances * np.log(chances)).sum(axis=1) / np.log(len(classes))
    certain = issues.probabilities.max(axis=1) >= SURE
    n_sure = int(certain.sum())
    right = float((issues.given == issues.likeliest)[certain].mean()) if n_sure else 0.0
    trusted = n_sure >= FEWEST_SURE and right >= SURE
    order = np.argsort(-value, kind="stable")
    rows, value, chances = rows[order], value[order], chances[order]
    probability = chances.max(axis=1)
    sure = (probability >= SURE) & trusted
    return UnknownCells(rows, value, classes[chances.argmax(axis=1)], probability, sure, n_sure, right)
