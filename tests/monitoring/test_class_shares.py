"""Drift's sentence on how frequent classes have become: made where they have, and seldom where they have not."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lacuna.calibration.model import Calibration
from lacuna.core.predictions import Predictions
from lacuna.inference.predictor import Predictor
from lacuna.monitoring.class_shares import describe_shares
from tests.tiny_bundle import CALIBRATION, write_tiny_bundle

SIGNAL, N_VALIDATION = 3.0, 225


def scores(labels, generator):
    """Log odds that are right where half of the images are present."""
    return SIGNAL * (labels - 0.5) * SIGNAL + SIGNAL * generator.normal(size=len(labels))


@pytest.fixture
def said(tmp_path):
    """A function: what is said of so many images of which this share is red, where half of validation is."""

    def say(n, share, seed):
        generator = np.random.default_rng(seed)
        labels = np.repeat(generator.integers(0, 2, (N_VALIDATION, 1)), 2, axis=1).astype(np.int16)
        red = scores(labels[:, 1], generator)
        labels[generator.random(N_VALIDATION) < 0.6, 1] = -1
        logits = np.stack([np.zeros(N_VALIDATION), np.zeros(N_VALIDATION), red], axis=1).astype(np.float32)
        names, group = np.array([f"{row}.png" for row in range(N_VALIDATION)]), np.arange(N_VALIDATION)
        calibrated = replace(CALIBRATION.targets["red"], scale=1.0, bias=(0.0,), threshold=0.5)
        calibration = Calibration({**CALIBRATION.targets, "red": calibrated})
        folder = tmp_path / f"{n}_{share}_{seed}"
        write_tiny_bundle(folder, calibration=calibration, validation=Predictions(logits, labels, names, group))
        truth = (generator.random(n) < share).astype(int)
        present = 1 / (1 + np.exp(-scores(truth, generator)))
        chances = [np.full((n, 2), 0.5), np.stack([1 - present, present], axis=1)]
        decisions = np.stack([np.zeros(n, int), (present >= 0.5).astype(int)], axis=1)
        observed = SimpleNamespace(probabilities=chances, decisions=decisions)
        return [line for line in describe_shares(Predictor.load(folder), observed) if line.startswith("red is ")]

    return say


def test_a_class_that_has_become_rare_is_told_with_both_shares(said):
    (line,) = said(300, 0.1, 0)
    assert line.startswith("red is present in about ")
    assert line.endswith("of all validation images")


def test_a_sample_of_the_same_is_seldom_said_to_have_moved(said):
    assert sum(bool(said(50, 0.5, seed)) for seed in range(8)) <= 1
