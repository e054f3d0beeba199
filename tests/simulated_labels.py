"""Small data sets of which the truth is known: noise, and what an audit must find in it."""

import numpy as np

from lacuna.config.blocks import Audit
from lacuna.core.manifest import Manifest
from lacuna.core.targets import Target, Targets

AUDIT = Audit(alpha=0.01, permutations=199, max_groups=5000, seed=0, escape_formulas=True)

RED = Targets((Target("red", "binary", ("absent", "present")),))


def simulate(seed, n=80, copies=40, dimensions=8, signal=0.0, known=0.7):
    """Features (n + copies, d), labels with gaps and groups; copies repeat an image nearly, and its label.

    `signal` is how far apart the classes lie in the first dimension, in standard deviations of the noise.
    """
    generator = np.random.default_rng(seed)
    group = np.concatenate([np.arange(n), generator.integers(0, n // 2, copies)])
    truth = (generator.random(n) < 0.4)[group]
    features = generator.normal(size=(n, dimensions))[group]
    features += 0.05 * generator.normal(size=features.shape)
    features[:, 0] += signal * truth
    labels = np.where(generator.random(len(group)) < known, truth, -1).astype(np.int16)
    return features, labels, group.astype(np.int64)


def as_manifest(labels, group):
    n = len(labels)
    image = np.array([f"{row}.png" for row in range(n)])
    return Manifest(image, np.arange(n), np.array(["train"] * n), group, labels.reshape(n, -1))
