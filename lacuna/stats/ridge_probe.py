"""A linear probe: how well a ridge regression on given features tells classes apart on images it has not seen.

Labels here are those of known images alone. Cross-validated over folds of whole groups. What does not depend on the
labels is worked out once, so that a thousand permuted labellings cost little more than one (module
`permutation`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from lacuna.core.groups import assign_folds
from lacuna.core.scores import Floats, Labels

FOLDS = 5

PENALTY = 0.3
"""Of the squared weights, in units of the features' mean variance times the number of images. Fixed rather than chosen
on labels, because then the permuted labellings would need a choice of their own. Between 0.03 and 1 little changes."""

Folds = NDArray[np.intp]


@dataclass(frozen=True)
class _Fold:
    """One fold's test part, and the solution for the other folds.

    `inverse` (d, d) of the training part's scatter with the penalty, `mean` (d,) of that part; `spread` (d, d) and
    `total` (d,) are the covariance and the sum of the test part.
    """

    inside: NDArray[np.intp]
    inverse: Floats
    mean: Floats
    spread: Floats
    total: Floats


class Probe:
    """A ridge regression on `features` (n, d) for each of the `folds` (n,), 0 to FOLDS - 1, without its images."""

    def __init__(self, features: Floats, folds: Folds) -> None:
        self.features, self.folds = features, folds
        self._parts = [_solve(features, folds == fold) for fold in range(FOLDS)]

    def scores(self, labels: Labels, classes: Sequence[int]) -> Floats:
        """Scores (n, n_classes) of each of `classes` against the rest, by the fold that has not seen the image."""
        members = (labels[:, None] == np.asarray(classes)).astype(np.float64)
        scores = np.zeros(members.shape)
        sums, counts = self._sums(labels[None], classes)
        for fold, part in enumerate(self._parts):
            weights = _weights(part, sums[0], counts[0], fold)
            scores[part.inside] = (self.features[part.inside] - part.mean) @ weights.T
        return scores

    def correlations(self, labels: Labels, classes: Sequence[int]) -> Floats:
        """For each of several labellings (m, n) how scores and labels correlate, (m,), all solved at once.

        Pearson's correlation of score and membership within each fold, averaged over folds and classes; 0 where a fold
        lacks members or others. It follows from sums over the classes' images, without scoring a single image.
        """
        sums, counts = self._sums(labels, classes)
        found = np.zeros(labels.shape[0])
        for fold, part in enumerate(self._parts):
            weights = _weights(part, sums, counts, fold)
            inside, size = counts[:, fold], len(part.inside)
            others = size - inside
            with np.errstate(invalid="ignore", divide="ignore"):
                apart = sums[:, fold] / inside[..., None] - (part.total - sums[:, fold]) / others[..., None]
                deviation = np.sqrt(np.maximum(np.einsum("mkd,mkd->mk", weights @ part.spread, weights), 0))
                effect = np.einsum("mkd,mkd->mk", apart, weights) / deviation
                correlation = effect * np.sqrt(inside * others) / size
            found += np.nan_to_num(correlation, posinf=0, neginf=0).sum(axis=1)
        mean: Floats = found / (FOLDS * len(classes))
        return mean

    def _sums(self, labels: Labels, classes: Sequence[int]) -> tuple[Floats, Floats]:
        """Sums of features (m, FOLDS, n_classes, d) and numbers of images (m, FOLDS, n_classes) by fold and class."""
        m, n = labels.shape
        place = np.full(int(labels.max()) + 1, -1)
        place[np.asarray(classes)] = np.arange(len(classes))
        column = place[labels]
        cell = (np.arange(m)[:, None] * FOLDS + self.folds) * len(classes) + column
        chosen = column >= 0
        images = np.broadcast_to(np.arange(n), (m, n))[chosen]
        shape = (m * FOLDS * len(classes), n)
        pick = coo_array((np.ones(len(images)), (cell[chosen], images)), shape=shape).tocsr()
        sums = (pick @ self.features).reshape(m, FOLDS, len(classes), -1)
        counts = np.bincount(cell[chosen], minlength=shape[0]).reshape(m, FOLDS, len(classes)).astype(np.float64)
        return sums, counts


def random_folds(group: NDArray[np.int64], seed: int) -> Folds:
    """Folds of whole groups, drawn without a look at the labels: else permuted labels would not be their equals."""
    return assign_folds(group, FOLDS, seed)


def ridge_weights(features: Floats, members: Floats) -> tuple[Floats, Floats]:
    """Weights (n_classes, d) and the mean (d,) to take off first, fitted to memberships (n, n_classes) of 0 and 1."""
    mean = features.mean(axis=0)
    weights: Floats = (_inverse(features - mean) @ ((features - mean).T @ members)).T
    return weights, mean


def _solve(features: Floats, test: NDArray[np.bool_]) -> _Fold:
    training, inside = features[~test], features[test]
    mean = training.mean(axis=0)
    away = inside - inside.mean(axis=0)
    spread = away.T @ away / max(len(inside), 1)
    return _Fold(np.flatnonzero(test), _inverse(training - mean), mean, spread, inside.sum(axis=0))


def _inverse(centred: Floats) -> Floats:
    scatter = centred.T @ centred
    penalty = PENALTY * max(np.trace(scatter) / len(scatter), 1e-12)
    inverse: Floats = np.linalg.inv(scatter + penalty * np.eye(len(scatter)))
    return inverse


def _weights(part: _Fold, sums: Floats, counts: Floats, fold: int) -> Floats:
    """The weights (..., n_classes, d) for a fold, from sums (..., FOLDS, n_classes, d) over all folds."""
    others = sums.sum(axis=-3) - sums[..., fold, :, :]
    n_others = counts.sum(axis=-2) - counts[..., fold, :]
    weights: Floats = (others - n_others[..., None] * part.mean) @ part.inverse
    return weights
