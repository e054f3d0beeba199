import math
from typing import get_args

import numpy as np
import pytest

from lacuna.config.backbone import Backbone
from lacuna.config.blocks import Optimizer
from lacuna.config.types import IgnoredWith
from lacuna.features.backbones import build_backbone
from lacuna.features.backend import keras
from lacuna.features.freeze_boundary import block_depths
from lacuna.training.optimizers import OPTIMIZERS, SCHEDULES, averaged, depth_factors, make_optimizer

PLAIN = Optimizer(
    name="adam",
    momentum=0.9,
    weight_decay=0.0,
    schedule="constant",
    ramp=0.0,
    plateau_factor=0.5,
    plateau_patience=2,
    average=0.0,
)
X = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)
Y = X @ np.array([[1.0], [-2.0], [0.5]], np.float32) + 3


def options(**changes):
    return PLAIN.model_copy(update=changes)


def new_model():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="lower"), keras.layers.Dense(1, name="up")])
    random = np.random.default_rng(1)
    model.set_weights([random.normal(size=weight.shape).astype(np.float32) for weight in model.get_weights()])
    return model


def train(model, optimizer, steps):
    """The weights before and after each step."""
    model.compile(optimizer, "mse", run_eagerly=True)  # tracing takes far longer than a few steps
    weights = [model.get_weights()]
    for _ in range(steps):
        model.train_on_batch(X, Y)
        weights.append(model.get_weights())
    return weights


def trained(changes, factors=None, steps=3):
    model = new_model()
    return train(model, make_optimizer(options(**changes), model, 0.01, steps, factors or {}), steps)[-1]


def test_every_optimizer_and_schedule_can_be_named_and_is_documented(repository):
    page = (repository / "docs/training.md").read_text(encoding="utf-8")
    for key, table in (("name", OPTIMIZERS), ("schedule", SCHEDULES)):
        assert set(get_args(Optimizer.model_fields[key].annotation)) == set(table)
        for name in table:
            assert f"\n| `{name}` |" in page


CHANGED = {"momentum": 0.5, "weight_decay": 0.3, "ramp": 0.4, "plateau_factor": 0.1, "plateau_patience": 1}
"""Other values than in PLAIN of the parameters that not every optimizer and schedule reads."""


def run_of(**changes):
    """The weights after two epochs of two steps, none of them better than the start."""
    model, chosen = new_model(), options(**changes)
    optimizer = make_optimizer(chosen, model, 0.01, 4, {})
    for epoch in (1, 2):
        weights = train(model, optimizer, 2)[-1]
        SCHEDULES[chosen.schedule].after_epoch(optimizer, chosen, epoch)
    return [*weights, float(optimizer.learning_rate)]


@pytest.mark.slow
@pytest.mark.parametrize("key", CHANGED)
def test_a_parameter_changes_steps_unless_it_is_marked_as_ignored(key):
    (ignored,) = (mark for mark in Optimizer.model_fields[key].metadata if isinstance(mark, IgnoredWith))
    for choice in OPTIMIZERS if ignored.key == "name" else SCHEDULES:
        before, after = (run_of(**{ignored.key: choice}, **changes) for changes in ({}, {key: CHANGED[key]}))
        same = all(np.array_equal(first, second) for first, second in zip(before, after, strict=True))
        assert same == (choice in ignored.values), choice


KERAS = {
    "adam": lambda rate: keras.optimizers.Adam(rate),
    "adamw": lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.5),
    "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=0.5),
}


@pytest.mark.parametrize("name", KERAS)
def test_each_optimizer_does_what_keras_does_with_biases_spared_from_decay(name):
    theirs = KERAS[name](0.01)
    theirs.exclude_from_weight_decay(var_names=["bias"])
    expected = train(new_model(), theirs, 3)[-1]
    for ours, keras_weights in zip(trained({"name": name, "weight_decay": 0.5}), expected, strict=True):
        np.testing.assert_allclose(ours, keras_weights, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", KERAS)
def test_a_factor_scales_step_and_decay_of_its_layer_alone(name):
    before = new_model().get_weights()
    full = trained({"name": name, "weight_decay": 0.5}, steps=1)
    scaled = trained({"name": name, "weight_decay": 0.5}, {"lower": 0.25}, steps=1)
    for index, factor in enumerate((0.25, 0.25, 1, 1)):
        np.testing.assert_allclose(
            scaled[index] - before[index], factor * (full[index] - before[index]), rtol=1e-3, atol=1e-6
        )


def test_cosine_rises_over_the_ramp_and_falls_to_zero_at_the_last_step():
    rates = SCHEDULES["cosine"].rate(options(schedule="cosine", ramp=0.2), 0.4, 10)
    assert [float(rates(step)) for step in (0, 1, 2, 6, 10)] == pytest.approx([0, 0.2, 0.4, 0.2, 0], abs=1e-6)
    assert float(rates(4)) == pytest.approx(0.4 * (1 + math.cos(math.pi / 4)) / 2)
    unramped = SCHEDULES["cosine"].rate(options(schedule="cosine"), 0.4, 10)
    assert [float(unramped(step)) for step in (0, 5, 10)] == pytest.approx([0.4, 0.2, 0], abs=1e-6)


def test_cosine_drives_the_steps():
    before, *after = train(
        model := new_model(),
        make_optimizer(options(name="sgd", momentum=0.0, schedule="cosine", ramp=0.5), model, 0.01, 4, {}),
        5,
    )
    np.testing.assert_array_equal(after[0][0], before[0])  # the first step of a ramp has the rate 0
    assert np.abs(after[1][0] - after[0][0]).max() > 1e-4
    np.testing.assert_array_equal(after[4][0], after[3][0])


def test_plateau_lowers_the_rate_after_every_patience_epochs_without_a_better_one():
    model = new_model()
    plateau = options(schedule="plateau")
    optimizer = make_optimizer(plateau, model, 0.08, 10, {})
    rates = []
    for epochs_without_better in (0, 1, 2, 3, 4, 0, 1, 2):
        SCHEDULES["plateau"].after_epoch(optimizer, plateau, epochs_without_better)
        rates.append(float(optimizer.learning_rate))
    assert rates == pytest.approx([0.08, 0.08, 0.04, 0.04, 0.02, 0.02, 0.02, 0.01])


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_the_average_by_hand_and_the_weights_come_back(name):
    model = new_model()
    optimizer = make_optimizer(options(name=name, average=0.3), model, 0.05, 5, {})
    before, *after = train(model, optimizer, 5)
    expected = before[0]
    for step, weights in enumerate(after, start=1):
        kept = min(step / (step + 9), 0.3)
        expected = kept * expected + (1 - kept) * weights[0]
    with averaged(model):
        np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-5)
    np.testing.assert_array_equal(model.get_weights()[0], after[-1][0])


def test_without_an_average_the_weights_stay():
    model = new_model()
    train(model, make_optimizer(PLAIN, model, 0.05, 5, {}), 1)
    before = model.get_weights()
    with averaged(model):
        np.testing.assert_array_equal(model.get_weights()[0], before[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "depths"),
    [
        (
            "efficientnet_lite0",
            {"top_conv": 0, "b15_project_conv": 1, "b14_project_conv": 2, "b0_depthwise_bn": 16, "stem_bn": 17},
        ),
        ("efficientnet_b0", {"top_conv": 0, "block7a_se_reduce": 1, "block6d_project_conv": 2}),
    ],
)
def test_the_rate_falls_from_block_to_block(name, depths):
    backbone = build_backbone(
        Backbone(name=name, weights="none", interpolation="bilinear", mean=(0, 0, 0), std=(1, 1, 1)), 32
    )
    found, factors = block_depths(backbone), depth_factors(backbone, 0.5)
    for layer, depth in depths.items():
        assert found[layer] == depth
        assert factors[layer] == 0.5 ** (depth + 1)
    assert depth_factors(backbone, 1.0) == {}
