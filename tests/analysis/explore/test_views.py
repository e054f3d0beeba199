"""The pictures of the views are what the network is shown: SciPy's rendering against the Keras layer that trains."""

import numpy as np
import pytest

from lacuna.analysis.explore.views import render_view
from lacuna.config.blocks import Augment
from lacuna.features.augmentation_draws import draw_changes, no_changes

STRONG = Augment(
    views=4, horizontal_flip=True, vertical_flip=True, rotation=0.3, zoom=0.4, brightness=0.3, contrast=0.4,
    saturation=0.5, cutout=0.3, seed=5,
)  # fmt: skip


def smooth_images(n: int, size: int) -> np.ndarray:
    """Waves of random direction and length, as steep as photographs are."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size
    waves = random.normal(0, 12, (n, 1, 1, 3)) * x[..., None] + random.normal(0, 12, (n, 1, 1, 3)) * y[..., None]
    return (127 + 120 * np.sin(waves + random.uniform(0, 6, (n, 1, 1, 3)))).astype(np.uint8)


def test_no_change_is_the_image_itself() -> None:
    for image in smooth_images(3, 17):
        np.testing.assert_array_equal(render_view(image, no_changes(1)[0], 0.3), image)


@pytest.mark.parametrize("size", [28, 45])
def test_as_the_layer_that_trains(size: int) -> None:
    from lacuna.features.augmentation import Augmentation

    images = smooth_images(40, size)
    changes = draw_changes(STRONG, images, 1)
    expected = np.asarray(Augmentation(STRONG.cutout)([images, changes])).astype(int)
    found = np.stack([render_view(*one, STRONG.cutout) for one in zip(images, changes, strict=True)]).astype(int)
    # Keras computes in float32: a value may round to the neighbour, and a pixel on cutout's edge fall to either side.
    off = np.abs(found - expected)
    assert (off > 1).mean() < 1e-4
    assert (off > 0).mean() < 0.01
