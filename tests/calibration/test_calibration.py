from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lacuna.calibration.cross_fit import cross_fit
from lacuna.calibration.fit import class_shares, fit_calibration
from lacuna.calibration.model import Calibration, Fit
from lacuna.calibration.reliability import ece
from lacuna.calibration.scaling import Scaling
from lacuna.config.types import Rule
from lacuna.core.predictions import Predictions
from lacuna.core.scores import log_loss
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from tests.simulated_predictions import CALIBRATE, EVALUATE, RELATION, TARGETS, TIED, simulate, simulate_tied


def fit(predictions, targets=TARGETS, **changes):
    return fit_calibration(targets, predictions, CALIBRATE.model_copy(update=changes), EVALUATE)


def test_calibration_survives_being_saved(tmp_path):
    validation = simulate(150, signal=2, seed=0)
    calibration = fit(validation)
    calibration.save(tmp_path / "calibration.json")
    loaded = Calibration.load(tmp_path / "calibration.json")
    assert loaded == calibration
    assert (loaded.decide(TARGETS, validation.logits) == calibration.decide(TARGETS, validation.logits)).all()


def test_calibration_mends_overconfidence_of_images_it_never_saw():
    loud = simulate(1500, signal=2, seed=0)
    loud = Predictions(loud.logits * 4 + 1, loud.labels, loud.image, loud.group)
    new = simulate(1500, signal=2, seed=1)
    probabilities = fit(loud).apply(TARGETS, new.logits * 4 + 1)
    for index, chances in enumerate(probabilities):
        assert chances.sum(axis=1) == pytest.approx(1)
        assert ece(new.labels[:, index], chances) < 0.06


def test_binary_order_is_kept():
    validation = simulate(200, signal=2, seed=0)
    chances = fit(validation).apply(TARGETS, validation.logits)[1][:, 1]
    order = np.argsort(validation.logits[:, 3])
    assert (np.diff(chances[order]) >= 0).all()


def test_decisions_follow_the_threshold_and_the_most_probable_class():
    validation = simulate(200, signal=2, seed=0)
    calibration = fit(validation)
    decisions = calibration.decide(TARGETS, validation.logits)
    kind, red, _ = calibration.apply(TARGETS, validation.logits)
    assert (decisions[:, 0] == kind.argmax(axis=1)).all()
    assert (decisions[:, 1] == (red[:, 1] >= calibration.targets["red"].threshold)).all()


def test_unknown_cells_change_nothing():
    validation = simulate(200, signal=2, seed=0)
    logits = validation.logits.copy()
    for index, columns in enumerate(TARGETS.slices):
        logits[validation.labels[:, index] < 0, columns] = 50
    changed = Predictions(logits, validation.labels, validation.image, validation.group)
    assert fit(changed) == fit(validation)


def test_thresholds_lie_in_their_interval_and_follow_the_rules():
    validation = simulate(400, signal=2, seed=0)
    calibration = fit(validation, rule="min_recall", rules={"old": "fixed"}, threshold=0.4)
    red, old = calibration.targets["red"], calibration.targets["old"]
    assert red.rule == "min_recall"
    assert red.threshold_low <= red.threshold <= red.threshold_high
    assert red.threshold_low < red.threshold_high
    assert (old.rule, old.threshold, old.threshold_low, old.threshold_high) == ("fixed", 0.4, 0.4, 0.4)
    known = validation.labels[:, 1] == 1
    assert calibration.decide(TARGETS, validation.logits)[known, 1].mean() >= 0.9
    assert calibration.targets["kind"].threshold is None


def test_scarce_targets_share_the_pooled_threshold():
    validation = simulate(200, signal=2, seed=0)
    labels = validation.labels.copy()
    present = np.flatnonzero(labels[:, 2] == 1)
    labels[present[3:], 2] = -1
    scarce = Predictions(validation.logits, labels, validation.image, validation.group)
    calibration = fit(scarce, rule="pr_argmax")
    (warning,) = calibration.targets["old"].warnings
    assert "3 present" in warning
    assert "pooled" in warning
    alone = fit(scarce, rule="pr_argmax", min_positives=1)
    assert calibration.targets["red"].threshold == alone.targets["red"].threshold
    assert calibration.targets["old"].threshold != alone.targets["old"].threshold
    chances = calibration.apply(TARGETS, validation.logits)
    pooled = np.concatenate([chances[index][labels[:, index] >= 0, 1] for index in (1, 2)])
    truth = np.concatenate([labels[labels[:, index] >= 0, index] for index in (1, 2)])

    def pooled_f1(threshold):
        said = pooled >= threshold
        return 2 * (said & (truth == 1)).sum() / (said.sum() + truth.sum())

    best = pooled_f1(calibration.targets["old"].threshold)
    assert best == max(pooled_f1(score) for score in pooled)


@pytest.mark.parametrize("labels", [[-1] * 6, [0] * 6, [1] * 6, [0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0]])
@pytest.mark.parametrize("rule", get_args(Rule))
def test_degenerate_validation_gives_finite_probabilities_and_a_warning(labels, rule):
    targets = Targets((TARGETS[0], TARGETS[1]))
    logits = np.linspace(-3, 3, 6, dtype=np.float32)[:, None] * np.array([[1, 0, -1, 1]], np.float32)
    cells = np.array([labels, labels], np.int16).T
    predictions = Predictions(logits, cells, np.array(list("abcdef")), np.arange(6))
    calibration = fit(predictions, targets, rule=rule)
    for chances in calibration.apply(targets, logits):
        assert np.isfinite(chances).all()
        assert chances.sum(axis=1) == pytest.approx(1)
    assert 0 < calibration.targets["red"].threshold < 1
    if labels != [0, 0, 0, 1, 1, 1]:
        assert calibration.targets["red"].warnings


def test_cross_fitted_probabilities_never_saw_the_labels_of_their_group():
    validation = simulate(200, signal=2, seed=0)
    before = cross_fit(TARGETS, validation, CALIBRATE).probabilities()
    group = validation.group[-1]  # a copy of another image
    labels = validation.labels.copy()
    members = validation.group == group
    assert members.sum() > 1
    labels[members] = -1
    changed = Predictions(validation.logits, labels, validation.image, validation.group)
    after = cross_fit(TARGETS, changed, CALIBRATE).probabilities()
    for one, other in zip(before, after, strict=True):
        assert one[members] == pytest.approx(other[members], abs=1e-9)
        assert np.abs(one - other).max() > 1e-4


def test_cross_fitting_is_less_flattering_than_fitting():
    validation = simulate(60, signal=0.5, seed=0, unknown=0)
    held_out = cross_fit(TARGETS, validation, CALIBRATE).probabilities()
    fitted = fit(validation).apply(TARGETS, validation.logits)
    losses = [
        [log_loss(validation.labels[:, index], chances[index]) for index in range(3)] for chances in (held_out, fitted)
    ]
    assert np.mean(losses[0]) > np.mean(losses[1])


def test_wrong_rules_are_named():
    validation = simulate(50, signal=2, seed=0)
    with pytest.raises(LacunaError, match=r"calibrate\.rules\.kind: .*categorical"):
        fit(validation, rules={"kind": "cost"})
    with pytest.raises(LacunaError, match=r"calibrate\.rules\.blue: no such target; expected one of kind, red, old"):
        fit(validation, rules={"blue": "cost"})


def test_a_calibration_of_other_targets_or_another_format_is_refused():
    calibration = fit(simulate(50, signal=2, seed=0))
    other = Targets((Target("red", "categorical", ("a", "b", "c")),))
    with pytest.raises(LacunaError, match="red"):
        calibration.apply(other, np.zeros((1, 3), np.float32))
    with pytest.raises(LacunaError, match="format 99"):
        Calibration.from_json(calibration.to_json() | {"version": 99})


def test_tied_targets_are_decided_together_and_keep_their_own_probabilities(tmp_path):
    validation = simulate_tied(200, signal=1.5, seed=0)
    alone = fit_calibration(TIED, validation, CALIBRATE, EVALUATE)
    together = fit_calibration(TIED, validation, CALIBRATE, EVALUATE, (RELATION,))
    together.save(tmp_path / "calibration.json")
    assert Calibration.load(tmp_path / "calibration.json") == together

    chances = together.apply(TIED, validation.logits)
    for one, other in zip(chances, alone.apply(TIED, validation.logits), strict=True):
        assert (one == other).all()
    decisions, own = (one.decide(TIED, validation.logits) for one in (together, alone))
    family_of = np.array([TIED[0].classes.index(RELATION.classes[name]) for name in TIED[2].classes])
    contradicting = family_of[own[:, 2]] != own[:, 0]
    assert 20 < contradicting.sum() < 180
    assert (decisions[:, 1] == own[:, 1]).all()
    assert (decisions[~contradicting] == own[~contradicting]).all()
    product = chances[2] * chances[0][:, family_of]  # (n, articles): each with the only family that fits
    assert (decisions[:, 2] == product.argmax(axis=1)).all()
    assert (decisions[:, 0] == family_of[decisions[:, 2]]).all()


def test_a_relation_of_other_targets_is_refused():
    calibration = fit_calibration(TARGETS, simulate(60, signal=2, seed=0), CALIBRATE, EVALUATE, (RELATION,))
    with pytest.raises(LacunaError, match="the relation article → family does not fit the targets"):
        calibration.fits(TARGETS)


def test_rare_classes_are_favoured_by_their_share_and_no_probability_changes():
    even = simulate(900, signal=1.5, seed=0)
    thinned = np.arange(900) % np.array([1, 3, 12, 1])[even.labels[:, 0]] == 0  # the last one: unknown
    validation = even.take(thinned)
    labels = validation.labels[:, 0]
    counts = np.bincount(labels[labels >= 0], minlength=3) + 1
    plain, adjusted = fit(validation), fit(validation, logit_adjustment=0.4)
    found = np.array(adjusted.targets["kind"].adjustment)
    np.testing.assert_allclose(found, 0.4 * np.log(counts / counts.sum()))
    assert plain.targets["kind"].adjustment == (0.0, 0.0, 0.0)
    assert (plain.targets["kind"].rule, adjusted.targets["kind"].rule) == ("argmax", "logit_adjustment")
    assert plain.targets["red"].adjustment == adjusted.targets["red"].adjustment == (0.0,)
    chances, same = (one.apply(TARGETS, validation.logits) for one in (plain, adjusted))
    assert all((one == other).all() for one, other in zip(chances, same, strict=True))
    decided = adjusted.decide(TARGETS, validation.logits)
    assert (decided[:, 0] == (np.log(chances[0]) - found).argmax(axis=1)).all()
    own = plain.decide(TARGETS, validation.logits)
    assert (own[:, 0] == chances[0].argmax(axis=1)).all()
    assert (decided[:, 1:] == own[:, 1:]).all()
    assert (decided[:, 0] == 2).sum() > (own[:, 0] == 2).sum() > 0


def test_a_class_that_a_replicate_lacks_is_rare_not_impossible():
    weights = np.array([[1.0, 1, 1, 1], [2, 2, 0, 0]])
    shares = class_shares(np.array([0, 0, 1, 1]), 3, weights)
    np.testing.assert_allclose(shares, [[3 / 7, 3 / 7, 1 / 7], [5 / 7, 1 / 7, 1 / 7]])


def test_the_consistent_combination_is_the_best_after_adjustment():
    validation = simulate_tied(200, signal=1.5, seed=0)
    options = CALIBRATE.model_copy(update={"logit_adjustment": 0.5})
    together = fit_calibration(TIED, validation, options, EVALUATE, (RELATION,))
    family_of = np.array([TIED[0].classes.index(RELATION.classes[name]) for name in TIED[2].classes])
    family, _, article = (
        np.log(chances) - np.array(together.targets[target.name].adjustment)
        if target.kind == "categorical"
        else chances
        for target, chances in zip(TIED, together.apply(TIED, validation.logits), strict=True)
    )
    decisions = together.decide(TIED, validation.logits)
    assert (decisions[:, 2] == (article + family[:, family_of]).argmax(axis=1)).all()


def test_ranks_count_the_classes_that_are_more_probable():
    validation = simulate(200, signal=2, seed=0)
    (kind, *_) = fit(validation).fits(TARGETS)
    labels = np.maximum(validation.labels[:, 0], 0)
    ranks = kind.true_ranks(validation.logits[:, :3], labels)[0]
    chances = kind.probabilities(validation.logits[:, :3])[0]
    own = np.take_along_axis(chances, labels[:, None].astype(int), axis=1)
    assert (ranks == (chances > own).sum(axis=1)).all()
    assert ((ranks == 0) == (kind.decide(validation.logits[:, :3])[0] == labels)).all()
    even = Fit(kind.target, Scaling(np.zeros(1), np.zeros((1, 3))), None, np.zeros((1, 3)), np.ones(1, bool))
    assert even.true_ranks(np.zeros((3, 3)), np.array([0, 1, 2])).tolist() == [[0, 1, 2]]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 12))
def test_replicates_call_present_what_reaches_their_threshold(seed, n):
    """Found by one cut in the logits for each replicate: the same as probability by probability, at ties too."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(n, 1)).round(1).astype(np.float32)
    scale, bias = np.array([0, 0, 0.3, 1, 1, 40.0]), generator.normal(size=(6, 1))
    chances = 1 / (1 + np.exp(-(scale[:, None] * logits[:, 0].astype(np.float64) + bias)))
    thresholds = chances[:, 0].copy() if n else np.full(6, 0.5)  # an image lies at the threshold of each
    thresholds[4] = 1
    fit = Fit(Target("red", "binary", ("absent", "present")), Scaling(scale, bias), thresholds, bias * 0, scale >= 0)
    one_by_one = np.concatenate([fit.rows(slice(row, row + 1)).decide(logits) for row in range(6)])
    assert (fit.decide(logits) == one_by_one).all()
    clear = np.abs(chances - thresholds[:, None]) > 1e-12
    assert (one_by_one == (chances > thresholds[:, None]))[clear].all()
