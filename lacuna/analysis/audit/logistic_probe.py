"""Class probabilities from a linear probe: logistic regression, for what needs more than a ranking.

A hundred times slower than the ridge regression of `stats.ridge_probe`, so it is fitted once per fold and never
permuted.
"""

import warnings
from collections.abc import Sequence

import numpy as np

from lacuna.core.scores import Floats, Labels
from lacuna.stats.ridge_probe import Folds

STRENGTH = 0.1
"""scikit-learn's C: the inverse of the penalty on squared weights."""


def out_of_fold(features: Floats, labels: Labels, folds: Folds, classes: Sequence[int]) -> Floats:
    """Probabilities (n, n_classes) of `classes` for images whose labels (n,) are all among them, by other folds."""
    probabilities = np.zeros((len(labels), len(classes)))
    for fold in np.unique(folds):
        inside = folds == fold
        probabilities[inside] = fit_and_predict(features[~inside], labels[~inside], features[inside], classes)
    return probabilities


def fit_and_predict(features: Floats, labels: Labels, wanted: Floats, classes: Sequence[int]) -> Floats:
    """Fit to features (n, d) and labels (n,), return the probabilities (n_wanted, n_classes) for features `wanted`."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    place = {index: column for column, index in enumerate(classes)}
    probabilities = np.zeros((len(wanted), len(classes)))
    seen = np.unique(labels)
    if len(seen) == 1:
        probabilities[:, place[int(seen[0])]] = 1
        return probabilities
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the last digits of a probability decide nothing here
        model = LogisticRegression(C=STRENGTH, max_iter=100, tol=1e-3).fit(features, labels)
    probabilities[:, [place[int(index)] for index in model.classes_]] = model.predict_proba(wanted)
    return probabilities
