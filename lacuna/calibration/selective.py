"""Selective prediction: how probable a decision has to be to count as an answer; the model abstains from all others.

What is answered is then right as often as promised; the share of images that get an answer is called coverage. Learn
then Test (Angelopoulos et al. 2021): probabilities on a fixed grid are tested from the strictest down, each by an
exact binomial bound, and the first that cannot be shown to keep the promise ends it. So the promise holds with the
certainty asked for, however many probabilities are tried.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats, Labels
from lacuna.core.targets import Target
from lacuna.stats.intervals import lower_bound

GRID = (0.999, 0.998, 0.995, 0.99, 0.98, 0.97, 0.96, 0.95, 0.94, 0.92, 0.9, 0.88, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.5)
"""The probabilities that are tried. They must not depend on the labels."""

DOUBT_OF_SHARES = 0.2
"""How much of the doubt that a promise leaves is spent on the class shares among all images, where those are estimated.
The rest is for the count of right answers: with few labels it is the less certain of the two."""

NEVER = math.inf
"""The probability to ask for where no promise can be kept: nothing is answered."""


@dataclass(frozen=True)
class Promise:
    """What one target may answer by itself.

    cutoffs: how probable a decided class must be, one for each class that is promised for: absent and present, or all
    classes of a categorical target together; NEVER where nothing can be promised. lacking: for each of these how many
    more labelled groups it would take, at least, before a promise could be shown; 0 where it is given, or where more
    labels are not what is missing.
    """

    cutoffs: tuple[float, ...]
    lacking: tuple[int, ...]

    @property
    def needed(self) -> int:
        """How many labelled groups are lacking where most are."""
        return max(self.lacking)

    def answers(self, target: Target, probabilities: Floats, decisions: Labels) -> NDArray[np.bool_]:
        """Which of the images (n,) get an answer; probabilities (n, n_classes), decisions (n,) are class indices."""
        stated = np.take_along_axis(probabilities, decisions[:, None].astype(np.intp), axis=1)[:, 0]
        asked = np.array(self.cutoffs)[decisions if target.kind == "binary" else np.zeros(len(decisions), np.intp)]
        answered: NDArray[np.bool_] = stated >= asked
        return answered


def promise(
    target: Target,
    labels: Labels,
    probabilities: Floats,
    decisions: Labels,
    group: NDArray[np.int64],
    precision: float,
    certainty: float,
    importance: Floats | None = None,
) -> Promise:
    """The lowest probabilities from which on at least `precision` of the answers are right, with this certainty.

    Of a binary target both "absent" and "present" have to be right that often: a rare attribute would otherwise keep
    any promise by never being found. Labels (n,) with -1 = unknown; copies of an image count once, and as wrong when
    one of them is. The labels must not have shaped model or calibration.

    importance (1 + replicates, n_classes): what a labelled image of each class stands for, in the sample and in
    bootstrap replicates. The promise is then one for all images, labelled or not; without it for labelled ones.
    """
    known = labels >= 0
    stated = np.take_along_axis(probabilities, decisions[:, None].astype(np.intp), axis=1)[:, 0]
    sides = [decisions == 0, decisions == 1] if target.kind == "binary" else [np.ones(len(labels), dtype=bool)]
    doubt = (1 - certainty) / len(sides)
    cutoffs, lacking = [], []
    for side in sides:
        here, asked, left = known & side, precision, doubt
        if importance is not None and (importance != 1).any():
            least = least_ratio(target, labels[here], decisions[here], importance, DOUBT_OF_SHARES * doubt)
            asked, left = among_labelled(precision, least), (1 - DOUBT_OF_SHARES) * doubt
        cutoff = _lowest(stated[here], (labels == decisions)[here], group[here], asked, left)
        missing = 0
        if cutoff == NEVER:
            tested = here & (stated >= GRID[-1])
            # where even all right would not do, the shares are too uncertain: at least as many as for a sure ratio
            missing = max(fewest(asked if asked < 1 else precision, left) - len(np.unique(group[tested])), 0)
        cutoffs.append(cutoff)
        lacking.append(missing)
    return Promise(tuple(cutoffs), tuple(lacking))


def least_ratio(target: Target, labels: Labels, decisions: Labels, importance: Floats, doubt: float) -> float:
    """How many images a right answer stands for, at least, for each that a wrong one does, whatever the cutoff.

    Known labels (n,), decisions (n,) of one side. The importance of the right answers' class over that of the wrong
    ones', of which there is one each in a binary target; of more classes the smallest over the largest, because the mix
    of classes changes with the cutoff. The `doubt` quantile of the sample and its replicates, of those in which each
    class that occurs is labelled; 0 where there is none.
    """
    occurring = np.unique(labels) if target.kind == "categorical" else np.arange(target.n_classes)
    told = importance[(importance[:, occurring] > 0).all(axis=1)]
    right = np.unique(labels[labels == decisions])
    if not len(told) or not len(right):
        return 0.0
    wrong = [1 - right[0]] if target.kind == "binary" else np.arange(target.n_classes)
    return float(np.quantile(told[:, right].min(axis=1) / told[:, wrong].max(axis=1), doubt))


def among_labelled(precision: float, ratio: float) -> float:
    """The precision among labelled images that stands for this one among all, where right answers weigh `ratio`.

    >>> round(among_labelled(0.9, 0.5), 4)
    0.9474
    """
    return precision / (precision + ratio * (1 - precision))


def fewest(precision: float, doubt: float) -> int:
    """How many answers, all of them right, show that at least `precision`, below 1, are: precision^n <= doubt.

    >>> fewest(0.95, 0.1)
    45
    """
    return math.ceil(math.log(doubt) / math.log(precision))


def _lowest(
    stated: Floats, right: NDArray[np.bool_], group: NDArray[np.int64], precision: float, doubt: float
) -> float:
    lowest = NEVER
    for cutoff in GRID:
        kept = stated >= cutoff
        groups, member = np.unique(group[kept], return_inverse=True)
        if precision >= 1 or len(groups) < fewest(precision, doubt):
            continue  # no outcome could show it: skipping it looks at no label
        all_right = np.bincount(member, weights=~right[kept], minlength=len(groups)) == 0
        if lower_bound(int(all_right.sum()), len(groups), doubt) < precision:
            break
        lowest = cutoff
    return lowest
