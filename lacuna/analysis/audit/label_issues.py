"""Label issues, which known labels are probably wrong: confident learning on the images' features (Northcutt 2021).

cleanlab scores each known label by the probability that the probe gives to it, and estimates which ones are wrong.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.analysis.audit.logistic_probe import out_of_fold
from lacuna.analysis.audit.signal import ProbeResult
from lacuna.core.scores import Floats, Labels

LISTED_SHARE = 0.1
"""The known labels of a target with the lowest quality, as a share of all, that are listed whether issues or not."""


@dataclass(frozen=True)
class LabelIssues:
    """A target's known labels of classes that took part, all (n,) but `probabilities` (n, n_classes).

    `rows`: where they stand among the audited images. `given`: class indices. `likeliest`: the most probable class.
    `quality`: the label quality score, from 0, surely wrong, to 1. `wrong`: those that cleanlab calls label issues.
    """

    rows: NDArray[np.intp]
    given: Labels
    likeliest: Labels
    probabilities: Floats
    quality: Floats
    wrong: NDArray[np.bool_]

    def listed(self) -> NDArray[np.intp]:
        """Places of the labels to check, lowest quality first: what is called wrong, and at least LISTED_SHARE of all.

        A label that is itself the likeliest class is not listed."""
        order = np.argsort(self.quality, kind="stable")
        chosen = self.wrong[order] | (np.arange(len(order)) < np.ceil(LISTED_SHARE * len(order)))
        listed: NDArray[np.intp] = order[chosen & (self.given != self.likeliest)[order]]
        return listed

    def agreement(self) -> float:
        """The share of the given labels, 0 to 1, that are the probe's likeliest class."""
        return float((self.given == self.likeliest).mean())


def find_issues(features: Floats, labels: Labels, probed: ProbeResult, n_classes: int) -> LabelIssues:
    """Score the known ones among labels (n,), -1 = unknown, by features (n, d); `probed`: the probe of these labels."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    classes = (0, 1) if n_classes == 2 else probed.classes
    rows = np.flatnonzero(probed.known)
    taking_part = np.isin(labels[rows], classes)
    rows, folds = rows[taking_part], probed.folds[taking_part]
    given = labels[rows]
    probabilities = out_of_fold(features[rows], given, folds, classes)
    column = np.searchsorted(classes, given)
    quality = get_label_quality_scores(column, probabilities, method="self_confidence")
    wrong = find_label_issues(column, probabilities, n_jobs=1)
    likeliest = np.asarray(classes)[probabilities.argmax(axis=1)]
    return LabelIssues(rows, given, likeliest, probabilities, quality, np.asarray(wrong, dtype=bool))
