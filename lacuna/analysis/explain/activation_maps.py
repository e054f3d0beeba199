"""What places of an image add to a score: exact where the head is linear, else by the gradient.

The head sees means and standard deviations of feature maps over positions; `lacuna.core.feature_maps.heat_maps` knows
each position's share in them. With a hidden layer in the head the slopes are those of the score at this image
(Grad-CAM, Selvaraju et al. 2017), here without their ReLU: what speaks against a class is shown too.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.core.feature_maps import Maps, Output, heat_maps
from lacuna.core.scores import Floats
from lacuna.features import backend
from lacuna.features.backend import keras
from lacuna.training.model import TrainedNetwork, head_weights


class ExplainedNetwork:
    """A whole network as `lacuna.training.trained.load_trained` builds it.

    `exact` says whether the slopes are weights of the head and the same for all images.
    """

    def __init__(self, network: TrainedNetwork) -> None:
        self._with_maps = network.with_maps
        self._plain = keras.Model(network.image, [network.logits, network.features])
        self._head, self._weights = network.head, head_weights(network.head)
        self.layout = network.layout

    @property
    def exact(self) -> bool:
        return self._weights.linear

    def __call__(self, images: NDArray[np.uint8], maps: bool = False) -> Output:
        """Run the network over images (n, s, s, 3)."""
        logits, features, *found = (self._with_maps if maps else self._plain).predict_on_batch(images)
        return Output(logits, features, dict(zip(self.layout.map_names, found, strict=True)) if maps else {})

    def heat_maps(self, output: Output, weights: Floats) -> Maps:
        """Heat maps (n, h, w) of scores, each a sum of logits with weights (n, n_logits)."""
        if self.exact:
            slopes = weights @ self._weights.slopes().T
        else:
            slopes = slopes_by_gradient(self._head, output.features, weights)
        return heat_maps(output.maps, self.layout, slopes, self._weights.mean)


def slopes_by_gradient(head: keras.Model, features: NDArray[np.float32], weights: Floats) -> Floats:
    """The slope (n, n_columns) of each image's score in its features (n, n_columns); weights (n, n_logits)."""
    factors = keras.ops.convert_to_tensor(weights.astype(np.float32))

    def scores(given: Any) -> Any:
        return keras.ops.sum(head(given, training=False) * factors, axis=1)

    return backend.gradient(scores, features).astype(np.float64)
