"""The picture of reliability shows nothing that means nothing."""

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from lacuna.calibration.plots import plot_reliability
from lacuna.calibration.population import Resample
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Target, Targets
from lacuna.presentation.style import LIGHT


def test_only_the_numbers_of_images_are_pale(tmp_path):
    """All images state .95: one bar of a tenth of the panel, and no pale line across it."""
    n = 100
    targets = Targets((Target("red", "binary", ("absent", "present")),))
    labels = np.ones((n, 1), np.int16)
    validation = Predictions(np.full((n, 1), 3, np.float32), labels, np.arange(n).astype(str), np.arange(n))
    sample = Resample(np.ones((1, n)), [np.ones((1, 2))])
    plot_reliability(tmp_path / "reliability.png", targets, validation, [np.tile([0.05, 0.95], (n, 1))], sample)
    pixels = np.asarray(Image.open(tmp_path / "reliability.png").convert("RGB"))
    pale = (np.abs(pixels - 255 * np.array(to_rgb(LIGHT))) < 25).all(axis=-1)  # edges of lines are paler still
    assert 0 < pale.sum(axis=1).max() < 0.15 * pale.shape[1]
