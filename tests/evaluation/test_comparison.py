from dataclasses import replace

import numpy as np
import pytest

from lacuna.core.predictions import Predictions
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.evaluation.comparison import compare, comparison_table, of_targets, targets_in_common
from tests.simulated_predictions import (
    CALIBRATE,
    EVALUATE,
    KIND,
    OLD,
    RED,
    RELATION,
    TARGETS,
    TIED,
    simulate,
    simulate_tied,
)


def run(a, b):
    return compare(TARGETS, a, b, CALIBRATE, CALIBRATE, EVALUATE)


def with_noise(predictions, scale, seed=1):
    noise = np.random.default_rng(seed).normal(size=predictions.logits.shape).astype(np.float32)
    return Predictions(predictions.logits + scale * noise, predictions.labels, predictions.image, predictions.group)


def test_an_experiment_does_not_differ_from_itself():
    a = simulate(150, signal=2, seed=0)
    comparison = run(a, a)
    assert [d.target for d in comparison.differences[::3]] == [*TARGETS.names, None]
    for difference in comparison.differences:
        assert difference.a == difference.b
        assert (difference.low, difference.high, difference.better) == (0, 0, "")


def test_noise_makes_an_experiment_worse_and_the_sides_mirror_each_other():
    good = simulate(300, signal=3, seed=0)
    bad = with_noise(good, 3)
    forward, backward = run(good, bad), run(bad, good)
    for difference, mirrored in zip(forward.differences, backward.differences, strict=True):
        assert difference.low <= difference.b - difference.a <= difference.high
        assert (difference.low, difference.high) == pytest.approx((-mirrored.high, -mirrored.low))
        if difference.metric == "log_loss":
            assert difference.b > difference.a
            assert (difference.better, mirrored.better) == ("a", "b")
    macro = [d for d in forward.differences if d.target is None]
    assert [d.better for d in macro] == ["a", "a", "a"]


def test_pairing_shows_what_two_separate_intervals_hide():
    a = simulate(200, signal=1.5, seed=0)
    b = Predictions(a.logits + 0.3 * truth(a), a.labels, a.image, a.group)
    losses = {d.target: d for d in run(a, b).differences if d.metric == "log_loss"}
    assert losses["red"].better == "b"
    assert losses["red"].high - losses["red"].low < 0.1


def truth(predictions):
    """+1 or -1 on the logit of a known binary cell."""
    signs = np.zeros_like(predictions.logits)
    for index in (1, 2):
        labels = predictions.labels[:, index]
        signs[:, TARGETS.slices[index]] = np.where(labels < 0, 0, 2 * labels - 1)[:, None]
    return signs


def test_images_are_aligned_by_name():
    a = simulate(120, signal=2, seed=0)
    b = with_noise(a, 1)
    shuffled = b.take(np.random.default_rng(0).permutation(120)[:100])
    comparison = run(a, shuffled)
    assert comparison.n_images == 100
    same = np.isin(b.image, shuffled.image)
    assert comparison.differences == run(a.take(same), b.take(same)).differences


def test_contradicting_cells_are_left_out_and_counted():
    a = simulate(120, signal=2, seed=0)
    labels = a.labels.copy()
    known = np.flatnonzero(labels[:, 1] >= 0)[:7]
    labels[known, 1] = 1 - labels[known, 1]
    b = Predictions(a.logits, labels, a.image, a.group)
    comparison = run(a, b)
    assert comparison.n_contradictions == 7
    labels[known, 1] = -1
    without = Predictions(a.logits, labels, a.image, a.group)
    assert comparison.differences == run(without, without).differences
    assert "7 cells with different labels left out" in comparison_table(comparison, "one", "two")


def test_labels_missing_by_brightness_are_compared_as_they_are():
    """Light goes along with the images; without it brightness would be taken for a rarer class."""
    whole = simulate(1200, signal=2, seed=0, unknown=0)
    light = np.random.default_rng(1).normal(size=1200)
    logits = whole.logits + 0.5 * light[:, None].astype(np.float32)
    labels = np.where(np.random.default_rng(2).random(1200) < 1 / (1 + np.exp(-2 * light)), whole.labels.T, -1).T
    bright = replace(whole, logits=logits, labels=labels.astype(np.int16), light=light[:, None])
    labelled = EVALUATE.model_copy(update={"population": "labelled"})
    asked, plain = (compare(TARGETS, bright, bright, CALIBRATE, CALIBRATE, one) for one in (EVALUATE, labelled))
    assert [d.a for d in asked.differences] == [d.a for d in plain.differences]


def test_nothing_in_common_is_an_error():
    with pytest.raises(LacunaError, match="no validation image in common"):
        run(simulate(20, signal=1, seed=0), simulate(20, signal=1, seed=1))


def test_the_table_names_the_better_experiment():
    good = simulate(300, signal=3, seed=0)
    lines = comparison_table(run(good, with_noise(good, 3)), "sharp", "noisy").splitlines()
    assert lines[0].split() == ["target", "metric", "sharp", "noisy", "difference", "interval", "better"]
    assert lines[-2].startswith("macro")
    assert lines[-2].endswith("sharp")
    assert lines[-1] == "300 validation images in common"


def test_a_subset_of_the_targets_is_compared_as_if_there_were_no_others():
    every = simulate(120, signal=2, seed=0)
    few = Targets((OLD, KIND))
    subset = of_targets(every, TARGETS, few)
    np.testing.assert_array_equal(subset.labels, every.labels[:, [2, 0]])
    np.testing.assert_array_equal(subset.logits, every.logits[:, [4, 0, 1, 2]])

    common, left_out = targets_in_common(TARGETS, few)
    assert common.names == ("kind", "old")
    assert left_out == ["red (in one experiment only)"]
    a, b = of_targets(every, TARGETS, common), of_targets(subset, few, common)
    for difference in compare(common, a, b, CALIBRATE, CALIBRATE, EVALUATE).differences:
        assert difference.a == difference.b


def test_targets_with_other_classes_are_not_the_same():
    folded = Target("kind", "categorical", ("bag", "other"))
    common, left_out = targets_in_common(Targets((KIND, RED)), Targets((folded, RED)))
    assert common.names == ("red",)
    assert left_out == ["kind (other classes)"]
    with pytest.raises(LacunaError, match=r"no target in common: one predicts kind \(3 classes\), the other kind \(2"):
        targets_in_common(Targets((KIND,)), Targets((folded,)))


def test_each_experiment_decides_by_its_own_relations():
    same = simulate_tied(300, signal=1.5, seed=0)
    differences = compare(TIED, same, same, CALIBRATE, CALIBRATE, EVALUATE, (), (RELATION,)).differences
    by_metric = {(d.target, d.metric): d for d in differences}
    assert by_metric["article", "f1"].better == "b"
    assert by_metric["red", "f1"].better == ""
    for target in TIED.names:
        loss = by_metric[target, "log_loss"]
        assert loss.a == loss.b
