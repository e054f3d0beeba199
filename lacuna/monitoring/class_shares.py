"""Are classes as frequent among new images as in validation? By the estimate of `python -m lacuna count`.

Decisions say it only roughly: mistakes carry over validation's shares.
"""

from itertools import chain
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats, Labels
from lacuna.inference.class_counting import CONFIDENCE, count_predicted
from lacuna.inference.predictor import Predictor
from lacuna.monitoring.observe import Observed
from lacuna.monitoring.two_sample import SMALL
from lacuna.stats.bootstrap import group_weights
from lacuna.stats.label_shift import class_priors
from lacuna.stats.numbers import in_percent

REPLICATES, AT_ONCE, SEED = 200, 50, 0


def describe_shares(predictor: Predictor, observed: Observed) -> list[str]:
    """A sentence for each target of which a class has another share than among all validation images.

    Told is the class that moved most, where the difference is not small (Cohen's h) and more than chance: both shares
    are uncertain, and these images are a sample; with Bonferroni's correction for all classes of all targets. Told is
    each target, too, that cannot be counted among these images.
    """
    targets = predictor.bundle.targets
    decided = [
        np.bincount(observed.decisions[:, index], minlength=target.n_classes) for index, target in enumerate(targets)
    ]
    counted = count_predicted(predictor, observed.probabilities, [counts.astype(np.float64) for counts in decided])
    asked = sum(1 if target.kind == "binary" else target.n_classes for target in targets)
    normal = NormalDist()
    wider = normal.inv_cdf(1 - (1 - CONFIDENCE) / 2 / asked) / normal.inv_cdf(1 - (1 - CONFIDENCE) / 2)
    sentences = []
    for of_target in counted:
        target, name = of_target.target, of_target.target.name
        if of_target.refusal:
            sentences.append(f"{name}: its class shares here are not told: {of_target.refusal}")
            continue
        all_images = predictor.bundle.calibration.targets[name].population == "all"
        shares = _validation_shares(*of_target.reference, all_images)
        before, now, n = shares[0], of_target.shares.shares, of_target.n_images
        low, high = of_target.shares.low, of_target.shares.high
        spread = normal.inv_cdf(1 - (1 - CONFIDENCE) / 2) * np.sqrt(np.nanvar(shares[1:], axis=0) + now * (1 - now) / n)
        moved = np.abs(2 * np.arcsin(np.sqrt(np.clip(now, 0, 1))) - 2 * np.arcsin(np.sqrt(before)))
        beyond = np.abs(now - before) > wider * np.hypot(np.where(now < before, high - now, now - low), spread)
        moved = np.where(beyond, moved, 0)
        place = 1 if target.kind == "binary" else int(np.argmax(moved))
        if moved[place] >= SMALL["h"]:
            sentences.append(
                f"{name} is {target.classes[place]} in about {in_percent(now[place])} "
                f"[{100 * low[place]:.0f}-{100 * high[place]:.0f}] of these images, "
                f"in {in_percent(before[place])} of all validation images"
            )
    return sentences


def _validation_shares(probabilities: Floats, labels: Labels, group: NDArray[np.int64], all_images: bool) -> Floats:
    """The class shares of validation, its own and in bootstrap replicates (1 + REPLICATES, n_classes).

    all_images: estimated for all of them, where the calibration is theirs; else those of the labelled images.
    """
    rows = np.ones(len(labels), bool) if all_images else labels >= 0
    drawn = chain([np.ones((1, int(rows.sum())))], group_weights(group[rows], REPLICATES, SEED, AT_ONCE))
    return np.concatenate([class_priors(probabilities[rows], labels[rows], weights).every for weights in drawn])
