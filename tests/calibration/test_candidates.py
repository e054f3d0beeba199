"""Which of several models is kept: a dearer one must be shown to be better."""

import json
from dataclasses import replace

import numpy as np
import pytest

from lacuna.calibration.candidates import choose
from lacuna.calibration.cross_fit import cross_fit
from lacuna.core.scores import log_loss
from tests.simulated_predictions import CALIBRATE, EVALUATE, TARGETS, simulate


def choice_of(**candidates):
    return choose(TARGETS, candidates, CALIBRATE, EVALUATE)


def blurred(predictions, by, seed=1):
    noise = np.random.default_rng(seed).normal(size=predictions.logits.shape).astype(np.float32)
    return replace(predictions, logits=predictions.logits + by * noise)


def test_a_dearer_model_is_kept_where_it_is_shown_to_be_better():
    good = simulate(300, signal=3, seed=0)
    choice = choice_of(head=blurred(good, 4.0), tuned=good)
    assert choice.kept == "tuned"
    assert choice.log_loss["tuned"] < choice.log_loss["head"]
    gain = choice.gains["tuned"][None]
    assert 0 < gain.low < gain.value < gain.high
    assert gain.value == pytest.approx(choice.log_loss["head"] - choice.log_loss["tuned"], abs=1e-9)


def test_less_than_that_keeps_the_cheapest():
    good = simulate(300, signal=3, seed=0)
    assert choice_of(head=good, tuned=good, mean=good).kept == "head"
    assert choice_of(head=blurred(good, 0.1), tuned=blurred(good, 0.1, seed=2)).kept == "head"
    assert choice_of(head=good, tuned=blurred(good, 4.0)).kept == "head"


def test_a_gain_that_is_sure_but_tiny_keeps_the_cheapest_too():
    good = simulate(300, signal=1, seed=0, unknown=0)
    truth = np.concatenate(
        [np.eye(3)[good.labels[:, 0]], np.where(good.labels[:, 1:] == 1, 1.0, -1.0)], axis=1, dtype=np.float32
    )
    for step, kept in ((0.003, "head"), (0.3, "tuned")):
        choice = choice_of(head=good, tuned=replace(good, logits=good.logits + np.float32(step) * truth))
        assert choice.gains["tuned"][None].low > 0
        assert choice.kept == kept


def test_of_two_better_ones_the_cheaper_is_kept_unless_the_dearest_beats_it_too():
    good = simulate(400, signal=3, seed=0)
    assert choice_of(head=blurred(good, 5.0), tuned=good, mean=good).kept == "tuned"
    assert choice_of(head=blurred(good, 8.0), tuned=blurred(good, 4.0), mean=good).kept == "mean"


def test_being_less_sure_of_itself_is_no_gain():
    """Logits of another scale are calibrated before they are compared."""
    good = simulate(300, signal=3, seed=0)
    choice = choice_of(head=replace(good, logits=3 * good.logits), tuned=good)
    assert choice.kept == "head"
    assert choice.log_loss["head"] == pytest.approx(choice.log_loss["tuned"], abs=0.01)


def test_the_log_loss_is_that_of_cross_fitted_probabilities_over_known_cells():
    predictions = simulate(200, signal=2, seed=0)
    probabilities = cross_fit(TARGETS, predictions, CALIBRATE).probabilities()
    expected = np.mean([log_loss(predictions.labels[:, i], chances) for i, chances in enumerate(probabilities)])
    assert choice_of(head=predictions).log_loss["head"] == pytest.approx(expected, rel=1e-9)


def test_a_target_without_known_labels_is_left_out_of_gains_and_means():
    predictions = simulate(200, signal=2, seed=0)
    labels = predictions.labels.copy()
    labels[:, 2] = -1
    known = replace(predictions, labels=labels)
    choice = choice_of(head=known, tuned=blurred(known, 0.5))
    assert set(choice.gains["tuned"]) == {"kind", "red", None}
    assert np.isfinite(choice.log_loss["head"])


def test_the_metrics_file_and_the_line_say_what_was_gained():
    good = simulate(300, signal=3, seed=0)
    choice = choice_of(head=blurred(good, 4.0), tuned=good)
    content = json.loads(json.dumps(choice.to_json()))
    assert content["kept"] == "tuned"
    assert set(content["gain"]["tuned"]) == {"kind", "red", "old", "macro"}
    assert set(content["gain"]["tuned"]["macro"]) == {"value", "low", "high"}
    assert choice.describe().startswith("kept: tuned; less log loss on validation than the head: tuned +0.")
    assert choice_of(head=good).describe() == "kept: head"
