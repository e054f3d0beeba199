"""How frequent each class is among all images of the validation part, where only some are labelled.

Labels may be missing for a reason: who ticks what is present leaves the labelled cells with too many "present". From
the cross-fitted probabilities of the unlabelled images follows the share among all (see `lacuna.stats.label_shift`),
whether the two differ by more than chance, and whether label shift describes the difference at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from lacuna.calibration.cells import MOST_UNDIVIDED, ScoreCells, divide
from lacuna.calibration.cross_fit import CrossFit
from lacuna.calibration.model import Fit
from lacuna.calibration.population import Bootstrap, Population, Prevalence, Resample
from lacuna.config.blocks import Evaluate
from lacuna.core.groups import distinct
from lacuna.core.predictions import Predictions
from lacuna.core.scores import Floats, Labels, activate
from lacuna.core.targets import UNKNOWN, Target, counted_classes
from lacuna.stats.bags import BAG_GROUPS, without_own
from lacuna.stats.bootstrap import NUMBERS_AT_ONCE
from lacuna.stats.label_shift import Priors, Start, priors_in_chunks
from lacuna.stats.mixture_fit import PLACE, SHAPE, gap_errors, gap_p, mixture_gaps, moved_gaps, rank_moments
from lacuna.stats.multiple_testing import westfall_young
from lacuna.stats.permutation import permute_groups

SHARE_BINS = 64
"""Of cells within a fold. Shares are sums over all images, and need no finer ones."""

RELABELLINGS = 999
"""Of which images are labelled, behind the p-value of selective labelling."""

MOST_PERMUTED = 2 * BAG_GROUPS
"""Of more groups, so many drawn at random are asked: differences that these do not show are next to none."""


def estimate_population(fitted: CrossFit, evaluate: Evaluate, correcting_only: bool = False) -> Population:
    """Estimate and test each target's class shares, with `evaluate.bootstrap` replicates over groups.

    fitted: to the labelled images. Without `light` the test of label shift sees only what the scores show. Figures are
    corrected where labels are shown to be missing by their value, and `evaluate.population` asks. correcting_only:
    shares that could correct nothing, those of targets without selective labelling, are not told and cost nothing.
    """
    targets, part = fitted.targets, fitted.validation
    features = part.light
    # Shares need probabilities alone. This rule's threshold follows from the parameters, so that none is looked for.
    fitted = replace(fitted, options=fitted.options.model_copy(update={"rule": "cost", "rules": {}}))
    scores = [_scores(target, part.logits[:, columns]) for target, columns in zip(targets, targets.slices, strict=True)]
    place, shape = ([rank_moments(values, degrees) for values in scores] for degrees in (PLACE, SHAPE))
    selected_p = _selected_p(part, scores, evaluate.seed)
    asked = [index for index, p in enumerate(selected_p) if not correcting_only or p <= 1 - evaluate.confidence]
    starts = [Start() for _ in targets]
    found: list[list[tuple[Priors, Floats, Floats, Floats | None]]] = [[] for _ in targets]

    def estimate(
        images: Sequence[_Images], fitted: CrossFit, resample: Resample, rows: NDArray[np.intp] | slice
    ) -> None:
        for index in asked:
            priors = images[index].priors(fitted, resample.weights, starts[index])
            where = part.labels[rows, index], resample.weights, priors.unlabelled
            gaps, errors = (measure(shape[index][rows], *where) for measure in (mixture_gaps, gap_errors))
            moved = None if features is None else moved_gaps(place[index][rows], features[rows], *where)
            found[index].append((priors, gaps, errors, moved))

    estimate([_Images.of(fitted, index) for index in range(len(targets))], fitted, fitted.resample, slice(None))
    drawn = Bootstrap.of(targets, part, evaluate, None, evaluate.seed)
    for block in drawn.blocks() if asked else ():
        near = fitted.within(block)
        images = [_Images.of(near, index, in_cells=True) for index in range(len(targets))]
        for resample in block.replicates:
            estimate(images, near.refit(resample), resample, slice(None) if block.rows is None else block.rows)

    prevalences = []
    for target, p, chunks in zip(targets, selected_p, found, strict=True):
        if not chunks:
            prevalences.append(Prevalence(Priors.untold(target.n_classes), p, None))
            continue
        shares, of_scores, of_errors, of_features = zip(*chunks, strict=True)
        errors = without_own(np.concatenate(of_errors), drawn.bags)
        tests = [gap_p(drawn.pool(np.concatenate(of_scores)), errors)]
        if features is not None:
            tests.append(gap_p(drawn.pool(np.concatenate(of_features))))
        prevalences.append(Prevalence(Priors.joined(shares, drawn.pool), p, _smallest(tests)))
    return Population.of(prevalences, evaluate)


@dataclass(frozen=True)
class _Images:
    """The images of one target, or, for replicates of a binary one with many, their cells within the folds."""

    index: int
    logits: NDArray[np.floating]
    labels: Labels
    folds: NDArray[np.integer]
    cells: ScoreCells | None = None

    @classmethod
    def of(cls, fitted: CrossFit, index: int, in_cells: bool = False) -> "_Images":
        part, target = fitted.validation, fitted.targets[index]
        logits, labels = part.logits[:, fitted.targets.slices[index]], part.labels[:, index]
        if not in_cells or target.kind == "categorical" or len(labels) <= MOST_UNDIVIDED:
            return cls(index, logits, labels, fitted.folds)
        cells = divide(logits, labels, fitted.folds, SHARE_BINS)
        return cls(index, cells.logits, cells.labels, cells.block, cells)

    def priors(self, fitted: CrossFit, weights: Floats, start: Start) -> Priors:
        """The class shares in replicates with weights (replicates, n), each image's probabilities by the fit without
        its fold."""
        counted = weights if self.cells is None else self.cells.sums(weights)
        n_classes = fitted.targets[self.index].n_classes

        def probabilities(some: slice) -> Floats:
            found = np.empty((some.stop - some.start, len(self.labels), n_classes))
            for fold, fits in fitted.fits.items():
                inside = self.folds == fold
                found[:, inside] = fits[self.index].rows(some).probabilities(self.logits[inside])
            return found

        return priors_in_chunks(probabilities, self.labels, counted, n_classes, start)


def fitted_priors(fit: Fit, logits: NDArray[np.floating], labels: Labels, weights: Floats, start: Start) -> Priors:
    """The class shares of a target in replicates with weights (replicates, n), by the probabilities of a calibration
    that saw none of the images."""
    return priors_in_chunks(
        lambda some: fit.rows(some).probabilities(logits), labels, weights, fit.target.n_classes, start
    )


def _scores(target: Target, logits: NDArray[np.floating]) -> Floats:
    """The network's own probabilities of the classes that count (n, m): no label of validation had a part in them."""
    return activate(target, logits)[:, list(counted_classes(target))]


def _selected_p(part: Predictions, scores: Sequence[Floats], seed: int) -> list[float]:
    """Adjusted p-values of selective labelling, the smallest of each target's classes.

    Were labels missing at random, groups could swap which of their images are labelled, for all targets at once: the
    difference between the mean scores of labelled and unlabelled images is as large as in permutations. With calibrated
    probabilities that would be the slope of the prior's likelihood at no shift; the network's own owe nothing to
    validation's labels, so that the permutations are exact, for rare classes and few images too, where a bootstrap's
    interval is not.
    """
    labelled = part.labels != UNKNOWN  # too rare a class too was a label that somebody gave
    group = part.group
    if len(names := distinct(group)) > MOST_PERMUTED:
        asked = np.isin(group, np.random.default_rng(seed).choice(names, MOST_PERMUTED, replace=False))
        group, labelled, scores = group[asked], labelled[asked], [values[asked] for values in scores]
    images = np.arange(len(labelled))
    permuted = permute_groups(images, group, RELABELLINGS, seed, max(1, NUMBERS_AT_ONCE // max(1, len(images))))
    found = [
        [_differences(labelled[order, index], values) for index, values in enumerate(scores)]
        for order in chain([images[None]], permuted)
    ]
    statistics = [np.concatenate(chunks) for chunks in zip(*found, strict=True)]
    adjusted = np.array(westfall_young(np.concatenate(statistics, axis=1).T))
    ends = np.cumsum([values.shape[1] for values in scores])
    return [float(of_target.min()) for of_target in np.split(adjusted, ends[:-1])]


def _differences(masks: NDArray[np.bool_], values: Floats) -> Floats:
    """How far the means of values (n, m) inside and outside of masks (replicates, n) are apart; 0 if one is empty."""
    inside = masks.sum(axis=1)[:, None]
    outside = masks.shape[1] - inside
    sums = masks.astype(np.float64) @ values
    both = (inside > 0) & (outside > 0)
    gap: Floats = np.abs(sums / np.maximum(inside, 1) - (values.sum(axis=0) - sums) / np.maximum(outside, 1))
    return np.where(both, gap, 0)


def _smallest(tests: Sequence[float | None]) -> float | None:
    """The smallest p-value of those that could be computed, times their number (Bonferroni)."""
    done = [p for p in tests if p is not None]
    return min(1.0, len(done) * min(done)) if done else None
