"""What places of an image add to a score: exact where the head is linear, else by the gradient.

The head sees means and standard deviations of feature maps over positions; `lacuna.core.feature_maps.heat_maps` knows
each position's share in them. With a hidden layer in the head the slopes are those of the score at this image
(Grad-CAM, Selvaraju et al. 2017), here without their ReLU: what speaks against a class is shown too.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lacuna.core.feature_maps import Maps, Output, heat_maps
from lacuna.core.feature_store import FeatureLayout
from lacuna.core.head_weights import HeadWeights
from lacuna.core.scores import Floats


class Network(Protocol):
    def __call__(self, images: NDArray[np.uint8], maps: bool = False) -> Output:
        """What the network puts out for images (n, s, s, 3), with feature maps if asked for."""


@dataclass(frozen=True)
class ExplainedNetwork:
    """A network with what its features' columns are and the head that stands on them."""

    run: Network
    layout: FeatureLayout
    head: HeadWeights

    def has_maps(self, image: NDArray[np.uint8]) -> bool:
        """Whether any map has more than one place, as of an image (1, s, s, 3): a mere embedding shows none."""
        return any(maps.shape[1] * maps.shape[2] > 1 for maps in self.run(image, maps=True).maps.values())

    def heat_maps(self, output: Output, weights: Floats) -> Maps:
        """Heat maps (n, h, w) of scores, each a sum of logits with weights (n, n_logits); `output` has its maps."""
        slopes = self.head.slopes_at(output.features, weights)
        return heat_maps(output.maps, self.layout, slopes, self.head.mean)
