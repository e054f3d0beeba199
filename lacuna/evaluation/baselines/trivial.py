"""What a predictor that never looks at an image scores: the metrics to beat."""

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats, Labels


def trivial_metrics(counts: Floats, prior: Floats) -> dict[str, Floats]:
    """Metrics of the best trivial predictor by how often each class is labelled (replicates, n_classes): each
    (replicates,), NaN where undefined.

    The prior (n_classes,) holds the shares of the classes in training. The best trivial predictor is
    another one for each metric:

    - f1: "present" for every image, 2 p / (1 + p) with p their share. With more than two classes the better of the
      commonest class of training for every image and guessing in proportion to training.
    - precision, recall: "present" for every image; not given with more classes.
    - average_precision, roc_auc: a random order, which gives the members' share and 0.5.
    - accuracy: the commonest class of training for every image.
    - weighted_f1: as f1, given with more than two classes.
    """
    n_classes = len(prior)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = counts / counts.sum(axis=1, keepdims=True)
        commonest = int(np.argmax(prior))
        metrics = {"accuracy": share[:, commonest], "roc_auc": np.full(len(counts), 0.5)}
        if n_classes == 2:
            present = np.where(share[:, 1] > 0, share[:, 1], np.nan)
            return metrics | {
                "f1": 2 * present / (1 + present),
                "precision": share[:, 1],
                "recall": np.where(present > 0, 1.0, np.nan),
                "average_precision": np.where(present < 1, present, np.nan),
            }
        occurs, ranked = share > 0, (share > 0) & (share < 1)
        always = 2 * share[:, commonest] / (1 + share[:, commonest])
        guessing = np.where(occurs, 2 * share * prior / (share + prior), 0)
        return metrics | {
            "f1": np.maximum(always / occurs.sum(axis=1), guessing.sum(axis=1) / occurs.sum(axis=1)),
            "weighted_f1": np.maximum(always * share[:, commonest], (guessing * share).sum(axis=1)),
            "average_precision": np.where(ranked, share, 0).sum(axis=1) / ranked.sum(axis=1),
        }


def trivial_ranks(labels: Labels, prior: Floats) -> NDArray[np.intp]:
    """The rank (n,) of each known label among the classes of training, 0 = the commonest."""
    order = np.argsort(np.argsort(-prior, kind="stable"), kind="stable")
    ranks: NDArray[np.intp] = order[labels]
    return ranks


def trivial_probabilities(n: int, prior: Floats) -> Floats:
    """The training shares as the probabilities (n, n_classes) of every image: what log loss and Brier have to beat."""
    return np.repeat(prior[None], n, axis=0)


def population_prior(prior: Floats, importance: Floats) -> Floats:
    """Training shares (n_classes,) as those among all images, labelled or not, and not those of the labels.

    importance (n_classes,): what a labelled image of each class stands for in the part that is scored, 0 for a class
    that has none there and keeps its share.
    """
    shares = prior * np.where(importance > 0, importance, 1)
    of_all: Floats = shares / shares.sum()
    return of_all


def training_prior(counts: list[int]) -> Floats:
    """Shares of the classes, (n_c + 1) / (n + n_classes), so that none is impossible."""
    smoothed = np.asarray(counts, dtype=np.float64) + 1
    prior: Floats = smoothed / smoothed.sum()
    return prior
