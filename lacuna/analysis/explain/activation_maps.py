"""What places of an image add to a score: exact where the head is linear, else by the gradient.

The head sees the mean of the last feature map over positions. With one dense layer on it, each position's share in a
logit is its features times the layer's weights, the class activation map (Zhou et al. 2016). With a hidden layer
between them the weights are the slopes of the score at this image (Grad-CAM, Selvaraju et al. 2017), here without
their ReLU: what speaks against a class is shown too.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.core.feature_maps import Maps, pool, weigh_channels
from lacuna.core.scores import Floats
from lacuna.features import backend
from lacuna.features.backend import keras
from lacuna.training.model import fold_head


class ExplainedNetwork:
    """A whole network as `lacuna.training.model.load_trained` builds it, cut at its last feature map.

    `exact` says whether the slopes are weights of the head and the same for all images.
    """

    def __init__(self, network: keras.Model) -> None:
        self._body = keras.Model(network.input, network.get_layer("pool").input)
        self._head = network.get_layer("head")
        self._linear = fold_head(self._head)

    @property
    def exact(self) -> bool:
        return self._linear is not None

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Images (n, s, s, 3) → the last feature maps (n, h, w, channels)."""
        features: NDArray[np.float32] = self._body.predict_on_batch(images)
        return features

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = self._head.predict_on_batch(pool(features))
        return logits

    def maps(self, features: NDArray[np.float32], weights: Floats) -> Maps:
        """Heat maps (n, h, w) of scores, each a sum of logits with weights (n, n_logits)."""
        if self._linear is not None:
            slopes = weights @ self._linear[0].T
        else:
            slopes = slopes_by_gradient(self._head, pool(features), weights)
        return weigh_channels(features, slopes)


def slopes_by_gradient(head: keras.Model, pooled: NDArray[np.float32], weights: Floats) -> Floats:
    """The slope (n, channels) of each image's score in its pooled features (n, channels); weights (n, n_logits)."""
    factors = keras.ops.convert_to_tensor(weights.astype(np.float32))

    def scores(features: Any) -> Any:
        return keras.ops.sum(head(features, training=False) * factors, axis=1)

    return backend.gradient(scores, pooled).astype(np.float64)
