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

NEVER = math.inf
"""The probability to ask for where no promise can be kept: nothing is answered."""


@dataclass(frozen=True)
class Promise:
    """What one target may answer by itself.

    cutoffs: how probable a decided class must be, one for each class that is promised for: absent and present, or all
    classes of a categorical target together; NEVER where nothing can be promised. needed: how many more labelled groups
    it would take, at least, before a promise could be shown; 0 where it is given, or where more labels are not what is
    missing.
    """

    cutoffs: tuple[float, ...]
    needed: int

    def answers(self, target: Target, probabilities: Floats, decisions: Labels) -> NDArray[np.bool_]:
        """Which of the images (n,) get an answer; probabilities (n, n_classes), decisions (n,) are class indices."""
        stated = np.take_along_axis(probabilities, decisions[:, None].astype(np.intp), axis=1)[:, 0]
        asked = np.array(self.cutoffs)[decisions if target.kind == "binary" else np.zeros(len(decisions), np.intp)]
        answered: NDArray[np.bool_] = stated >= asked
        return answered

    def describe(self, answered: int, n_images: int) -> str:
        """What it comes to on a batch of images, and why not all are decided.

        >>> Promise((0.8,), 0).describe(30, 40)
        'decides 75% of 40 images'
        >>> Promise((NEVER,), 45).describe(0, 40)
        'decides 0% of 40 images: not enough labels, about 45 more needed'
        """
        coverage = f"decides {answered / n_images:.0%} of {n_images:,} images"
        if self.needed:
            return f"{coverage}: not enough labels, about {self.needed:,} more needed"
        if all(cutoff == NEVER for cutoff in self.cutoffs):
            return f"{coverage}: even its most certain answers are wrong too often"
        return coverage


def promise(
    target: Target,
    labels: Labels,
    probabilities: Floats,
    decisions: Labels,
    group: NDArray[np.int64],
    precision: float,
    certainty: float,
) -> Promise:
    """The lowest probabilities from which on at least `precision` of the answers are right, with this certainty.

    Of a binary target both "absent" and "present" have to be right that often: a rare attribute would otherwise keep
    any promise by never being found. Labels (n,) with -1 = unknown; copies of an image count once, and as wrong when
    one of them is. The labels must not have shaped model or calibration.
    """
    known = labels >= 0
    stated = np.take_along_axis(probabilities, decisions[:, None].astype(np.intp), axis=1)[:, 0]
    sides = [decisions == 0, decisions == 1] if target.kind == "binary" else [np.ones(len(labels), dtype=bool)]
    doubt = (1 - certainty) / len(sides)
    cutoffs, needed = [], 0
    for side in sides:
        here = known & side
        cutoff = _lowest(stated[here], (labels == decisions)[here], group[here], precision, doubt)
        cutoffs.append(cutoff)
        if cutoff == NEVER:
            tested = here & (stated >= GRID[-1])
            needed = max(needed, fewest(precision, doubt) - len(np.unique(group[tested])))
    return Promise(tuple(cutoffs), max(needed, 0))


def fewest(precision: float, doubt: float) -> int:
    """How many answers, all of them right, show that at least `precision` are: precision^n <= doubt.

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
        if len(groups) < fewest(precision, doubt):
            continue  # no outcome could show it: skipping it looks at no label
        all_right = np.bincount(member, weights=~right[kept], minlength=len(groups)) == 0
        if lower_bound(int(all_right.sum()), len(groups), doubt) < precision:
            break
        lowest = cutoff
    return lowest
