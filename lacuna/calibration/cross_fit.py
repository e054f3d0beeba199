"""What the model says of its validation images, by calibrations that never saw them, and how sure it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.calibration.consistency import constraints_of
from lacuna.calibration.fit import fit_replicates
from lacuna.calibration.model import decide
from lacuna.config.blocks import Calibrate
from lacuna.core.groups import assign_folds
from lacuna.core.predictions import Predictions
from lacuna.core.relations import Relations
from lacuna.core.scores import Floats, Labels
from lacuna.core.targets import Target, Targets


@dataclass(frozen=True)
class Judgement:
    """One target on the validation images.

    labels (n,), -1 = unknown; probabilities (n, n_classes); decisions (n,). `certainty` (n,), from 0 to 1, says how far
    a decision is from another one: for a binary target the way from its threshold to 0 or 1, for a categorical one the
    lead over the next class, 0 where another target overruled the most probable class.
    """

    target: Target
    labels: Labels
    probabilities: Floats
    decisions: Labels
    certainty: Floats

    @property
    def known(self) -> NDArray[np.bool_]:
        return self.labels >= 0

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the decision is the label (n,); False where the label is unknown."""
        right: NDArray[np.bool_] = self.labels == self.decisions
        return right

    def explained_class(self) -> Labels:
        """The class (n,) whose evidence a map shows: what was decided, of a binary target always "present".

        Absence has no place in an image.
        """
        return np.ones_like(self.decisions) if self.target.kind == "binary" else self.decisions


def judge(targets: Targets, validation: Predictions, options: Calibrate, relations: Relations) -> list[Judgement]:
    """Judge each image by the calibration fitted without its fold of groups, as `evaluate` does."""
    n, folds = len(validation), assign_folds(validation.group, options.folds, options.seed)
    probabilities = [np.zeros((n, target.n_classes)) for target in targets]
    decisions = np.zeros((len(targets), n), np.intp)
    thresholds = np.full((len(targets), n), np.nan)
    constraints = constraints_of(relations, targets)
    for fold in np.unique(folds):
        inside = folds == fold
        fits = fit_replicates(targets, validation, 1.0 * ~inside[None], options)
        logits = validation.logits[inside]
        together, _ = decide(targets, fits, logits, constraints)
        for index, (fit, columns) in enumerate(zip(fits, targets.slices, strict=True)):
            probabilities[index][inside] = fit.probabilities(logits[:, columns])
            decisions[index, inside] = together[index][0]
            if fit.thresholds is not None:
                thresholds[index, inside] = fit.thresholds[0]
    return [
        Judgement(
            target,
            validation.labels[:, index],
            probabilities[index],
            decisions[index],
            _certainty(probabilities[index], decisions[index], thresholds[index]),
        )
        for index, target in enumerate(targets)
    ]


def _certainty(probabilities: Floats, decisions: Labels, thresholds: Floats) -> Floats:
    if not np.isnan(thresholds).any():
        present, reach = probabilities[:, 1], np.where(decisions == 1, 1 - thresholds, thresholds)
        way: Floats = np.clip(np.abs(present - thresholds) / np.maximum(reach, 1e-9), 0, 1)
        return way
    chosen = np.take_along_axis(probabilities, decisions[:, None], axis=1)[:, 0]
    others = probabilities.copy()
    np.put_along_axis(others, decisions[:, None], -1, axis=1)
    lead: Floats = np.maximum(chosen - others.max(axis=1), 0)
    return lead
