"""Images laid out in the plane so that those which the network sees alike lie close together."""

import importlib
import importlib.util
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats
from lacuna.errors import LacunaError

UMAP_NEIGHBOURS = 15
PERPLEXITY = 30

FEWEST_POINTS = 5
"""Fewer images, or images that the network cannot tell apart, all lie at one point."""


def check_method(method: Literal["tsne", "umap"]) -> None:
    """Raise LacunaError when the method needs a package that is not installed."""
    if method == "umap" and importlib.util.find_spec("umap") is None:
        raise LacunaError("params.yaml: explain.embedding: umap needs `pip install umap-learn`; or set it to tsne")


def lay_out(features: NDArray[np.float32], method: Literal["tsne", "umap"], seed: int) -> Floats:
    """Places (n, 2) without unit of pooled features (n, channels): only who is near whom means something."""
    check_method(method)
    if len(features) < FEWEST_POINTS or not np.ptp(features, axis=0).any():
        return np.zeros((len(features), 2))
    if method == "umap":
        umap = importlib.import_module("umap")
        model = umap.UMAP(n_neighbors=min(UMAP_NEIGHBOURS, len(features) - 1), random_state=seed, n_jobs=1)
        return np.asarray(model.fit_transform(features), dtype=np.float64)

    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    with threadpool_limits(1):  # the order in which threads add up would change the last bits, and with them the map
        places = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(features)
    return np.asarray(places, dtype=np.float64)


def draw_points(group: NDArray[np.int64], most: int, seed: int) -> NDArray[np.intp]:
    """At most `most` images, one of each group, at random: rows in ascending order."""
    first = np.sort(np.unique(group, return_index=True)[1])
    return np.sort(np.random.default_rng(seed).permutation(first)[:most])
