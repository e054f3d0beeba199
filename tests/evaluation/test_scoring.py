from dataclasses import replace

import numpy as np
import pytest

from lacuna.calibration.cross_fit import cross_fit
from lacuna.calibration.fit import fit_calibration
from lacuna.calibration.model import Calibration
from lacuna.calibration.prevalence import estimate_population
from lacuna.calibration.reliability import classwise_ece
from lacuna.core.predictions import Predictions
from lacuna.core.scores import average_precision, log_loss, roc_auc
from lacuna.evaluation.consistency_report import describe_consistency, summarise_consistency
from lacuna.evaluation.metrics import decision_metrics
from lacuna.evaluation.scoring import priors_of, score_test, score_validation
from lacuna.evaluation.verdicts import LEARNED, NO_SIGNAL, TOO_FEW, conclude, summarise, table
from tests.simulated_predictions import CALIBRATE, EVALUATE, RELATION, TARGETS, TIED, simulate, simulate_tied

COUNTS = {"kind": {"counts": [300, 300, 300]}, "red": {"counts": [700, 300]}, "old": {"counts": [850, 150]}}
PRIORS = priors_of(TARGETS, COUNTS)


def validation_metrics(predictions, evaluate=EVALUATE, **changes):
    options = CALIBRATE.model_copy(update=changes)
    return summarise(score_validation(TARGETS, predictions, PRIORS, options, evaluate), {}, 0.95, 10)


def metrics_on_test(validation, test, evaluate=EVALUATE):
    calibration = fit_calibration(TARGETS, validation, CALIBRATE, evaluate)
    return summarise(score_test(TARGETS, validation, test, calibration, PRIORS, CALIBRATE, evaluate), {}, 0.95, 10)


def finite_numbers(content):
    for value in content.values():
        if isinstance(value, dict):
            finite_numbers(value)
        else:
            assert isinstance(value, str | int) or np.isfinite(value)


def test_validation_metrics_are_those_of_cross_fitted_probabilities():
    validation = simulate(250, signal=2, seed=0)
    metrics = validation_metrics(validation)
    chances = cross_fit(TARGETS, validation, CALIBRATE).probabilities()
    for index, (name, columns) in enumerate(zip(TARGETS.names, TARGETS.slices, strict=True)):
        found, labels = metrics["targets"][name], validation.labels[:, index]
        assert found["log_loss"] == pytest.approx(log_loss(labels, chances[index]), abs=1e-6)
        assert found["n_known"] + found["n_unknown"] == 250
        if name != "kind":
            scores = np.repeat(validation.logits[:, columns], 2, axis=1)
            assert found["average_precision"] == pytest.approx(average_precision(labels, scores), abs=1e-6)
            assert found["roc_auc"] == pytest.approx(roc_auc(labels, scores), abs=1e-6)
            assert found["gain"] == pytest.approx(found["f1"] - found["baseline_f1"], abs=2e-6)
    known = validation.labels[:, 0] >= 0
    decided = chances[0].argmax(axis=1)[known]
    expected = decision_metrics(validation.labels[known, 0], decided, np.ones((1, known.sum())), 3)
    assert metrics["targets"]["kind"]["f1"] == pytest.approx(expected["f1"][0], abs=1e-6)
    assert metrics["targets"]["kind"]["accuracy"] == pytest.approx((decided == validation.labels[known, 0]).mean())


def test_test_metrics_are_those_of_the_calibration_that_is_shipped():
    validation, test = simulate(250, signal=2, seed=0), simulate(250, signal=2, seed=1)
    metrics = metrics_on_test(validation, test)
    calibration = fit_calibration(TARGETS, validation, CALIBRATE, EVALUATE)
    decisions = calibration.decide(TARGETS, test.logits)
    for index, name in enumerate(TARGETS.names):
        known = test.labels[:, index] >= 0
        expected = decision_metrics(
            test.labels[known, index], decisions[known, index], np.ones((1, known.sum())), TARGETS[index].n_classes
        )
        for metric in ("f1", "precision", "recall"):
            assert metrics["targets"][name][metric] == pytest.approx(expected[metric][0], abs=1e-6)


def test_what_can_be_learned_is_called_learned_with_points_inside_their_intervals():
    validation, test = simulate(300, signal=3, seed=0), simulate(300, signal=3, seed=1)
    for metrics in (validation_metrics(validation), metrics_on_test(validation, test)):
        finite_numbers(metrics)
        assert set(metrics["macro"]) >= {"f1", "average_precision", "roc_auc", "ece", "f1_low", "f1_high"}
        assert "Every target beats" in conclude(metrics)
        for found in metrics["targets"].values():
            assert found["verdict"] == LEARNED
            assert found["gain_low"] > 0
            for name in ("precision", "recall", "f1", "average_precision", "roc_auc", "gain"):
                assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]


def test_logits_without_signal_never_look_learned():
    verdicts = []
    for seed in range(5):
        validation, test = simulate(200, signal=0, seed=seed), simulate(200, signal=0, seed=seed + 100)
        for metrics in (validation_metrics(validation), metrics_on_test(validation, test)):
            for found in metrics["targets"].values():
                assert found["gain_low"] <= 0
                verdicts.append(found["verdict"])
    assert LEARNED not in verdicts
    assert verdicts.count(NO_SIGNAL) >= 0.85 * len(verdicts)


def test_the_interval_of_f1_covers_the_truth():
    """The F1 that the shipped decisions reach on 10,000 new images lies inside, at least 8 times of 10."""
    evaluate = EVALUATE
    population = simulate(10_000, signal=2, seed=999, unknown=0)
    covered = []
    for seed in range(10):
        validation, test = simulate(200, signal=2, seed=seed), simulate(200, signal=2, seed=seed + 100)
        metrics = metrics_on_test(validation, test, evaluate)
        decisions = fit_calibration(TARGETS, validation, CALIBRATE, evaluate).decide(TARGETS, population.logits)
        for index, name in enumerate(TARGETS.names):
            truth = decision_metrics(
                population.labels[:, index],
                decisions[:, index],
                np.ones((1, len(population))),
                TARGETS[index].n_classes,
            )["f1"][0]
            covered.append(metrics["targets"][name]["f1_low"] <= truth <= metrics["targets"][name]["f1_high"])
    assert np.mean(covered) >= 0.8


def test_copies_do_not_narrow_an_interval():
    once = simulate(80, signal=2, seed=0, copies=0)
    rows = np.tile(np.arange(80), 4)
    copied = once.take(rows)
    strangers = Predictions(copied.logits, copied.labels, copied.image, np.arange(320))

    def width(predictions):
        found = validation_metrics(predictions)["targets"]["red"]
        return found["roc_auc_high"] - found["roc_auc_low"]

    assert width(copied) == pytest.approx(width(once), rel=0.25)
    assert width(strangers) < 0.75 * width(once)


def test_unknown_cells_change_nothing():
    validation = simulate(200, signal=2, seed=0)
    logits = validation.logits.copy()
    for index, columns in enumerate(TARGETS.slices):
        logits[validation.labels[:, index] < 0, columns] = -30
    changed = Predictions(logits, validation.labels, validation.image, validation.group)
    assert validation_metrics(changed) == validation_metrics(validation)


def test_an_all_correct_count_gets_an_exact_interval():
    perfect = simulate(60, signal=60, seed=0, copies=0)
    found = validation_metrics(perfect)["targets"]["red"]
    present = int((perfect.labels[:, 1] == 1).sum())
    assert found["recall"] == found["precision"] == found["f1"] == found["roc_auc"] == 1
    assert found["recall_low"] == pytest.approx(0.025 ** (1 / present), abs=1e-6)
    assert found["recall_high"] == 1
    assert found["roc_auc_low"] < 1
    assert found["f1_low"] < 1
    assert found["gain_low"] == pytest.approx(found["f1_low"] - found["baseline_f1"], abs=1e-5)


def test_undefined_metrics_are_left_out():
    validation = simulate(60, signal=2, seed=0)
    labels = validation.labels.copy()
    labels[:, 0] = -1
    labels[labels[:, 1] == 1, 1] = -1
    labels[np.flatnonzero(labels[:, 2] == 1)[1:], 2] = -1
    gaps = Predictions(validation.logits, labels, validation.image, validation.group)
    metrics = validation_metrics(gaps)
    finite_numbers(metrics)
    kind, red, old = (metrics["targets"][name] for name in TARGETS.names)
    assert kind == {
        "kind": "categorical",
        "n_known": 0,
        "n_unknown": 60,
        "selection": "not told",
        "population": "labelled",
        "baseline_roc_auc": 0.5,
        "verdict": TOO_FEW,
    }
    assert "f1" not in red
    assert "average_precision" not in red
    assert "log_loss" in red
    assert red["verdict"] == old["verdict"] == TOO_FEW
    assert "too few of the rarer class" in table(metrics)
    assert conclude(metrics).startswith("No target beats")


def test_the_seed_makes_the_intervals_and_nothing_else():
    validation = simulate(150, signal=1, seed=0)
    one = validation_metrics(validation)
    assert validation_metrics(validation) == one
    other = validation_metrics(validation, EVALUATE.model_copy(update={"seed": 1}))
    for name, found in one["targets"].items():
        for key, value in found.items():
            if not key.endswith(("_low", "_high")):
                assert other["targets"][name][key] == value
    assert other != one


def test_three_images_are_enough_to_finish():
    few = simulate(3, signal=1, seed=0, copies=0)
    finite_numbers(validation_metrics(few))
    finite_numbers(metrics_on_test(few, few))


def test_the_table_has_a_row_per_target():
    metrics = validation_metrics(simulate(200, signal=3, seed=0))
    header, *rows = table(metrics).splitlines()
    assert header.split()[:3] == ["target", "known", "precision"]
    assert [row.split()[0] for row in rows] == list(TARGETS.names)
    red = metrics["targets"]["red"]
    assert f"{100 * red['recall']:.0f} [{100 * red['recall_low']:.0f}-{100 * red['recall_high']:.0f}]" in rows[1]


def test_metrics_of_several_classes_stand_beside_their_baselines():
    validation = simulate(300, signal=1.5, seed=0)
    metrics = validation_metrics(validation)
    chances = cross_fit(TARGETS, validation, CALIBRATE).probabilities()[0]
    labels = validation.labels[:, 0]
    known = labels >= 0
    likeliest = np.argsort(-chances[known], axis=1)[:, :2]
    kind = metrics["targets"]["kind"]
    assert kind["top_2_accuracy"] == pytest.approx((likeliest == labels[known, None]).any(axis=1).mean(), abs=1e-6)
    assert kind["top_2_accuracy_low"] <= kind["top_2_accuracy"] <= kind["top_2_accuracy_high"]
    assert kind["baseline_top_2_accuracy"] == pytest.approx((labels[known] < 2).mean(), abs=1e-6)
    assert kind["classwise_ece"] == pytest.approx(classwise_ece(labels, chances), abs=1e-6)
    assert kind["baseline_weighted_f1"] < kind["weighted_f1_low"]
    for name in ("top_2_accuracy", "weighted_f1", "classwise_ece"):
        assert name not in metrics["targets"]["red"]
        assert metrics["macro"][name] == kind[name]
    assert metrics["macro"]["accuracy_low"] <= metrics["macro"]["accuracy"] <= metrics["macro"]["accuracy_high"]
    many = EVALUATE.model_copy(update={"top_k": 3})
    assert "top_3_accuracy" not in validation_metrics(validation, many)["targets"]["kind"]


@pytest.mark.parametrize("part", ["validation", "test"])
def test_consistent_decisions_are_scored_beside_each_targets_own(part):
    validation, test = simulate_tied(300, signal=1.5, seed=0), simulate_tied(300, signal=1.5, seed=1)
    priors = [np.full(target.n_classes, 1 / target.n_classes) for target in TIED]
    calibration = fit_calibration(TIED, validation, CALIBRATE, EVALUATE, (RELATION,))

    def score(relations):
        if part == "validation":
            return score_validation(TIED, validation, priors, CALIBRATE, EVALUATE, relations)
        shipped = Calibration(calibration.targets, relations)
        return score_test(TIED, validation, test, shipped, priors, CALIBRATE, EVALUATE)

    scored, alone = score((RELATION,)), score(())
    metrics = summarise(scored, {}, 0.95, 10)
    metrics["consistency"] = summarise_consistency(scored, (RELATION,))
    own = summarise(alone, {}, 0.95, 10)["targets"]
    finite_numbers(metrics)
    assert metrics["targets"]["red"] == own["red"]
    for name in ("family", "article"):
        found = metrics["targets"][name]
        for end in ("", "_low", "_high"):
            assert found[f"independent_accuracy{end}"] == own[name][f"accuracy{end}"]
        assert found["consistency_gain"] == pytest.approx(found["accuracy"] - own[name]["accuracy"], abs=2e-6)
        assert found["log_loss"] == own[name]["log_loss"]
        assert "independent_accuracy" not in own[name]
    article = metrics["targets"]["article"]
    assert article["consistency_gain_low"] > 0
    width = article["accuracy_high"] - article["accuracy_low"]
    assert article["consistency_gain_high"] - article["consistency_gain_low"] < width  # paired

    family_of = np.array([TIED[0].classes.index(RELATION.classes[name]) for name in TIED[2].classes])
    family, _, article = scored
    assert (family_of[article.decisions] == family.decisions).all()
    assert (article.alone == alone[2].decisions).all()
    block = metrics["consistency"]
    share = (family_of[article.alone] != family.alone).mean()
    assert block["inconsistent_share"] == pytest.approx(share, abs=1e-6)
    known = (family.labels >= 0) & (article.labels >= 0)
    right = (family.decisions == family.labels) & (article.decisions == article.labels)
    assert block["n_known"] == known.sum()
    assert block["exact_match"] == pytest.approx(right[known].mean(), abs=1e-6)
    assert block["exact_match"] > block["independent_exact_match"]
    said = describe_consistency(metrics, (RELATION,))
    assert said.startswith("article determines family: ")
    assert f"{share:.1%} of the images" in said


@pytest.mark.parametrize("lone", ["validation", "test", "both"])
def test_a_part_that_is_one_group_gets_figures_without_intervals(lone):
    """All images of one hospital cannot tell how far another one's figures would be."""
    validation, test = simulate(200, signal=2, seed=0), simulate(150, signal=2, seed=1)
    if lone != "test":
        validation = replace(validation, group=np.zeros_like(validation.group))
    if lone != "validation":
        test = replace(test, group=np.zeros_like(test.group))
    population = estimate_population(cross_fit(TARGETS, validation, CALIBRATE), EVALUATE)
    calibration = fit_calibration(TARGETS, validation, CALIBRATE, EVALUATE, (), population)
    parts = {
        "validation": score_validation(TARGETS, validation, PRIORS, CALIBRATE, EVALUATE, (), population),
        "test": score_test(TARGETS, validation, test, calibration, PRIORS, CALIBRATE, EVALUATE, population),
    }
    for part, scored in parts.items():
        figures = summarise(scored, {}, 0.95, 10)["targets"]["kind"]
        assert figures["f1"] > 0.5
        assert ("f1_low" in figures) == (part == "validation" and lone == "test")
    if lone != "test":
        assert all(of_target.threshold_low is None for of_target in calibration.targets.values())
