"""Which labels are probably wrong: confident learning on probabilities from images' own features (Northcutt 2021).

cleanlab ranks each known label by the probability that the probe gives to it, and estimates which ones are wrong.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.analysis.audit.logistic_probe import out_of_fold
from lacuna.analysis.audit.signal import Measured
from lacuna.core.scores import Floats, Labels

LISTED = 0.1
"""The most doubtful labels of a target, as a share of its known ones, that are listed whatever they are."""


@dataclass(frozen=True)
class Doubts:
    """A target's known labels of classes that took part, all (n,) but `probabilities` (n, n_classes).

    `rows`: where they stand among the audited images. `given`: class indices. `likeliest`: the most probable class.
    `quality`: from 0, surely wrong, to 1. `wrong`: those that cleanlab calls label errors.
    """

    rows: NDArray[np.intp]
    given: Labels
    likeliest: Labels
    probabilities: Floats
    quality: Floats
    wrong: NDArray[np.bool_]

    def listed(self) -> NDArray[np.intp]:
        """The doubtful labels, most doubtful first: what is called wrong, and at least LISTED of all.

        A label that is the likeliest class itself is no doubt."""
        order = np.argsort(self.quality, kind="stable")
        chosen = self.wrong[order] | (np.arange(len(order)) < np.ceil(LISTED * len(order)))
        listed: NDArray[np.intp] = order[chosen & (self.given != self.likeliest)[order]]
        return listed


def doubt(features: Floats, labels: Labels, measured: Measured, n_classes: int) -> Doubts:
    """Judge the known ones among labels (n,) by features (n, d); `measured` is the probe of the same labels."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    classes = (0, 1) if n_classes == 2 else measured.classes
    rows = np.flatnonzero(measured.known)
    judged = np.isin(labels[rows], classes)
    rows, folds = rows[judged], measured.folds[judged]
    given = labels[rows]
    probabilities = out_of_fold(features[rows], given, folds, classes)
    column = np.searchsorted(classes, given)
    quality = get_label_quality_scores(column, probabilities, method="self_confidence")
    wrong = find_label_issues(column, probabilities, n_jobs=1)
    likeliest = np.asarray(classes)[probabilities.argmax(axis=1)]
    return Doubts(rows, given, likeliest, probabilities, quality, np.asarray(wrong, dtype=bool))
