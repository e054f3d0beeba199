"""The small CNN's training: no setting of the network's own training reaches it, whatever block `train` may say."""

from pathlib import Path

import numpy as np
import pytest

from lacuna.config.blocks import Train
from lacuna.config.load import load_params
from lacuna.core.targets import Target, Targets
from lacuna.evaluation.baselines.cnn import BATCH_SIZE, label_statistics, plain_training
from lacuna.training.losses import MaskedLoss

TARGETS = Targets((Target("kind", "categorical", ("bag", "shoe", "hat")), Target("red", "binary", ("no", "yes"))))
LABELS = np.array([[0, 1], [2, -1], [1, 0], [-1, 0]], np.int16)
LOGITS = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
OTHERS = {
    "targets": ("red",),
    "target_weights": {"red": 5.0},
    "loss": "asymmetric",
    "gamma": 3.0,
    "alpha": 0.9,
    "gamma_negative": 4.0,
    "margin": 0.2,
    "label_smoothing": 0.3,
    "hardest": 0.25,
    "batch_size": 7,
    "seed": 99,
}


def losses(train):
    statistics = label_statistics(TARGETS, LABELS)
    return np.asarray(MaskedLoss(TARGETS, statistics, train).call(LABELS, LOGITS))


@pytest.mark.parametrize("field", Train.model_fields)
def test_no_field_of_the_block_train_changes_the_loss(field):
    given = load_params(Path(__file__).parents[3] / "params.yaml").train
    plain, changed = plain_training(given, 0), plain_training(given.model_copy(update={field: OTHERS[field]}), 0)
    assert (losses(plain) == losses(changed)).all()
    assert (changed.batch_size, changed.seed, changed.targets) == (BATCH_SIZE, 0, ())


def test_the_loss_is_plain_cross_entropy_over_the_expected_number_of_known_cells():
    given = load_params(Path(__file__).parents[3] / "params.yaml").train
    kind = LOGITS[:, :3] - np.log(np.exp(LOGITS[:, :3]).sum(axis=1, keepdims=True))
    red = np.where(LABELS[:, 1] == 1, -np.logaddexp(0, -LOGITS[:, 3]), -np.logaddexp(0, LOGITS[:, 3]))
    expected = np.zeros(4)
    for row in range(4):
        if LABELS[row, 0] >= 0:
            expected[row] -= kind[row, LABELS[row, 0]] / 0.75
        if LABELS[row, 1] >= 0:
            expected[row] -= red[row] / 0.75
    assert losses(plain_training(given, 0)) == pytest.approx(expected / 2, rel=1e-5)
