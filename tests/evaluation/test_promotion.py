"""Models of one binary target and one of three classes, whose logits are the truth behind noise."""

from dataclasses import replace

import numpy as np
import pytest

from lacuna.calibration.model import Calibration, TargetCalibration
from lacuna.config.blocks import Evaluate
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.evaluation.promotion import FinishedModel, compare_held_out

RED, KIND = Target("red", "binary", ("absent", "present")), Target("kind", "categorical", ("a", "b", "c"))
TARGETS = Targets((RED, KIND))
EVALUATE = Evaluate(population="all", bootstrap=50, confidence=0.95, top_k=3, seed=0)
N = 150
TRUTH = np.stack([np.arange(N) % 2, np.arange(N) % 3], axis=1).astype(np.int16)
LEARNED = np.arange(10_000, 10_100, dtype=np.uint64)


def calibration_of(targets):
    def one(target):
        zeros = (0.0,) * target.n_logits
        threshold = 0.5 if target.kind == "binary" else None
        return TargetCalibration(target.kind, 1.0, zeros, zeros, "fixed", threshold, None, None, 50, None, ())

    return Calibration({target.name: one(target) for target in targets})


def model(noise, seed=1, targets=TARGETS, first=0, labels=TRUTH, learned=LEARNED):
    """Test images are numbered from `first`; logits are 2 where the class is, 0 elsewhere, and this much noise."""
    truth = np.stack([TRUTH[:, 0] == 1, *(TRUTH[:, 1] == index for index in range(3))], axis=1)
    logits = 2.0 * truth - np.array([1, 0, 0, 0]) + np.random.default_rng(seed).normal(size=truth.shape) * noise
    columns = [index for index, name in enumerate(("red", "kind", "kind", "kind")) if name in targets.names]
    labels = labels[:, [["red", "kind"].index(name) for name in targets.names]]
    names = np.array([f"{seed}/{row}.png" for row in range(N)])
    test = Predictions(logits[:, columns].astype(np.float32), labels, names, np.arange(N))
    return FinishedModel(targets, calibration_of(targets), test, first + np.arange(N, dtype=np.uint64), learned)


def test_a_better_model_is_promoted_a_worse_or_equal_one_is_not():
    rough, fine = model(2.0), model(0.3, seed=2)
    up = compare_held_out(rough, fine, EVALUATE)
    assert up.promotes
    assert up.worse == []
    assert "red (f1)" in up.better
    down = compare_held_out(fine, rough, EVALUATE)
    assert not down.promotes
    assert down.worse == up.better
    same = compare_held_out(fine, fine, EVALUATE)
    assert (same.better, same.worse, same.promotes) == ([], [], False)
    assert {(one.a - one.b, one.low, one.high) for one in same.comparison.differences} == {(0.0, 0.0, 0.0)}


def test_better_in_one_target_and_worse_in_another_moves_nothing():
    mixed = replace(model(0.3), test=replace(model(0.3).test, logits=np.hstack([
        model(0.3).test.logits[:, :1], model(3.0).test.logits[:, 1:]
    ])))  # fmt: skip
    judged = compare_held_out(model(1.0, seed=2), mixed, EVALUATE)
    assert judged.better
    assert any(words.startswith("kind") for words in judged.worse)
    assert not judged.promotes


def test_the_figures_are_those_of_decisions_on_the_common_images_worked_out_by_hand():
    """The second model's test images begin 50 later: 100 are common, and their order is another one."""
    a, b = model(1.0), model(1.0, seed=2, first=50, labels=np.roll(TRUTH, -50, axis=0))
    order = np.random.default_rng(0).permutation(N)
    b = replace(b, test=b.test.take(order), digests=b.digests[order])
    judged = compare_held_out(a, b, EVALUATE)
    assert judged.comparison.n_images == 100
    red = TRUTH[50:, 0]
    said = a.test.logits[50:, 0] >= 0
    f1 = 2 * (said & (red == 1)).sum() / (said.sum() + red.sum())
    (found,) = (one for one in judged.comparison.differences if (one.target, one.metric) == ("red", "f1"))
    assert found.a == pytest.approx(f1)
    chance = 1 / (1 + np.exp(-a.test.logits[50:, 0].astype(float)))
    losses = -np.log(np.where(red == 1, chance, 1 - chance))
    (found,) = (one for one in judged.comparison.differences if (one.target, one.metric) == ("red", "log_loss"))
    assert found.a == pytest.approx(losses.mean())


def test_intervals_hold_together_and_so_are_wider_than_one_alone():
    a, b = model(1.0), model(0.8, seed=2)
    (alone,) = (
        one
        for one in compare_held_out(
            a, b, EVALUATE.model_copy(update={"confidence": 1 - 0.05 * 6})
        ).comparison.differences
        if (one.target, one.metric) == ("red", "log_loss")
    )
    (together,) = (
        one
        for one in compare_held_out(a, b, EVALUATE).comparison.differences
        if (one.target, one.metric) == ("red", "log_loss")
    )
    assert (alone.a, alone.b) == (together.a, together.b)
    assert together.low < alone.low < alone.high < together.high


def test_images_that_either_learned_from_are_left_out_under_any_name():
    a = model(1.0)
    cheat = model(0.3, seed=2, learned=np.arange(40, dtype=np.uint64))
    leaky = replace(a, learned=np.arange(30, 60, dtype=np.uint64))
    judged = compare_held_out(leaky, cheat, EVALUATE)
    assert (judged.comparison.n_images, judged.n_learned) == (90, 60)
    assert "60 test images left out: one of the two learned from them" in judged.describe()


def test_too_few_common_images_or_labels_are_an_error_that_says_what_to_do():
    with pytest.raises(LacunaError, match=r"no test image in common; compare .* same data and split"):
        compare_held_out(model(1.0), model(1.0, first=N), EVALUATE)
    with pytest.raises(LacunaError, match=r"15 test images in 15 groups in common .* at least 20 groups"):
        compare_held_out(model(1.0), model(1.0, first=N - 15), EVALUATE)
    with pytest.raises(LacunaError, match=r"no target has 10 labels of another class .* label more test images"):
        compare_held_out(model(1.0), model(1.0, labels=np.full_like(TRUTH, -1)), EVALUATE)


def test_a_target_with_few_labels_is_named_and_decides_nothing():
    few = TRUTH.copy()
    few[20:, 0] = -1
    judged = compare_held_out(model(2.0, labels=few), model(0.3, seed=2, labels=few), EVALUATE)
    assert judged.unjudged == []
    few[18:, 0] = -1
    judged = compare_held_out(model(2.0, labels=few), model(0.3, seed=2, labels=few), EVALUATE)
    assert judged.unjudged == ["red"]
    assert {one.target for one in judged.comparison.differences} == {"kind"}
    assert "too few labels to judge: red" in judged.describe()


def test_labels_that_contradict_each_other_count_as_unknown():
    other = TRUTH.copy()
    other[:7, 0] = 1 - other[:7, 0]
    judged = compare_held_out(model(1.0), model(0.5, seed=2, labels=other), EVALUATE)
    assert judged.comparison.n_contradictions == 7


def test_a_champion_s_target_that_the_new_model_lacks_is_a_loss():
    judged = compare_held_out(model(2.0), model(0.3, seed=2, targets=Targets((RED,))), EVALUATE)
    assert judged.worse == ["kind"]
    assert not judged.promotes
    assert compare_held_out(model(2.0, targets=Targets((RED,))), model(0.3, seed=2), EVALUATE).promotes
