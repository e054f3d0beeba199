"""Figures, thresholds and promises for all images where labels are missing by their value."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lacuna.calibration.cross_fit import cross_fit
from lacuna.calibration.fit import fit_calibration, fit_replicates, fit_sample
from lacuna.calibration.population import (
    Bootstrap,
    Population,
    Prevalence,
    Resample,
    describe_population,
    whole_sample,
)
from lacuna.calibration.prevalence import estimate_population
from lacuna.calibration.selection import Selection
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Targets
from lacuna.errors import LacunaError
from lacuna.evaluation.metrics import decision_metrics
from lacuna.evaluation.scoring import score_test, score_validation
from lacuna.evaluation.verdicts import describe_missing, summarise
from lacuna.stats.label_shift import Priors
from tests.simulated_predictions import CALIBRATE, EVALUATE, RED, TARGETS, selected, simulate

ONE = Targets((RED,))
UNIFORM = [np.full(target.n_classes, 1 / target.n_classes) for target in TARGETS]


def of_shares(known, every, replicates=EVALUATE.bootstrap):
    """A population of one binary target with these shares of "present" in every replicate."""
    shares = [np.tile([1 - share, share], (1 + replicates, 1)) for share in (known, every, every)]
    return Population((Prevalence(Priors(*shares), 0.001, 0.5),), (True,))


def test_importance_moves_the_bias_by_the_logarithm_of_the_odds_and_leaves_the_slope():
    validation = simulate(300, signal=2, seed=0)
    plain = Resample.of_labelled(TARGETS, np.ones((1, 300)))
    heavy = Resample(plain.weights, [np.array([[2.0, 1.0, 0.5]]), np.array([[1.2, 0.4]]), np.ones((1, 2))])
    (kind, red, old), (kind_all, red_all, old_all) = (
        fit_replicates(TARGETS, validation, resample, CALIBRATE) for resample in (plain, heavy)
    )
    assert red_all.scaling.bias - red.scaling.bias == pytest.approx(np.log([[0.4 / 1.2]]))
    assert kind_all.scaling.bias - kind.scaling.bias == pytest.approx(np.log([[2, 1, 0.5]]))
    assert (red_all.scaling.scale, kind_all.scaling.scale) == (red.scaling.scale, kind.scaling.scale)
    assert (old_all.scaling.bias, old_all.thresholds) == (old.scaling.bias, old.thresholds)


def test_one_step_replicates_start_from_the_scaling_of_the_labelled_images():
    """Importance alone must not change what the step gives but for the shift of the bias."""
    validation = simulate(300, signal=2, seed=0)
    plain = Resample.of_labelled(TARGETS, np.ones((1, 300)))
    heavy = replace(plain, importance=[np.array([[2.0, 1.0, 0.5]]), *plain.importance[1:]])
    weights = np.random.default_rng(0).integers(0, 3, (4, 300)).astype(float)
    (kind, *_), (kind_all, *_) = (
        fit_replicates(
            TARGETS,
            validation,
            replace(sample, weights=weights),
            CALIBRATE,
            fit_sample(TARGETS, validation, sample, CALIBRATE),
        )
        for sample in (plain, heavy)
    )
    assert kind_all.scaling.scale == pytest.approx(kind.scaling.scale)
    assert kind_all.scaling.bias - kind.scaling.bias == pytest.approx(np.tile(np.log([2, 1, 0.5]), (4, 1)))


def test_a_class_without_a_label_keeps_its_odds():
    validation = simulate(60, signal=2, seed=0, targets=ONE)
    resample = Resample(np.ones((1, 60)), [np.array([[1.0, 0.0]])])
    (plain,), (fit,) = (
        fit_replicates(ONE, validation, one, CALIBRATE)
        for one in (Resample.of_labelled(ONE, np.ones((1, 60))), resample)
    )
    assert fit.scaling.bias == plain.scaling.bias


def test_thresholds_are_chosen_as_if_labelled_images_were_as_many_as_they_stand_for():
    """Absent images that stand for three each, against three copies of each: the same images are called present."""
    validation = simulate(200, signal=1.5, seed=0, targets=ONE, unknown=0)
    repeated = validation.take(np.repeat(np.arange(200), np.where(validation.labels[:, 0] == 0, 3, 1)))
    for rule in ("pr_argmax", "min_precision", "min_recall"):
        options = CALIBRATE.model_copy(update={"rule": rule, "min_precision": 0.6})
        heavy = Resample(np.ones((1, 200)), [np.array([[3.0, 1.0]])])
        (fit,) = fit_replicates(ONE, validation, heavy, options)
        (copied,) = fit_replicates(ONE, repeated, Resample.of_labelled(ONE, np.ones((1, len(repeated)))), options)
        assert (fit.decide(validation.logits) == copied.decide(validation.logits)).all()


def test_metrics_count_each_label_as_often_as_it_stands_for_images():
    validation = simulate(300, signal=1.5, seed=0, targets=ONE)
    population = of_shares(known=0.5, every=0.2)  # absent 1.6, present 0.4
    (scored,) = score_validation(ONE, validation, UNIFORM[1:2], CALIBRATE, EVALUATE, population=population)
    labels, decisions = validation.labels[:, 0], scored.decisions
    right, wrong, missed = (
        ((labels == label) & (decisions == decision)).sum() for label, decision in ((1, 1), (0, 1), (1, 0))
    )
    assert scored.metrics["precision"][0] == pytest.approx(0.4 * right / (0.4 * right + 1.6 * wrong))
    assert scored.metrics["recall"][0] == pytest.approx(right / (right + missed))
    present, absent = 0.4 * (labels == 1).sum(), 1.6 * (labels == 0).sum()
    assert scored.metrics["baseline_precision"][0] == pytest.approx(present / (present + absent))
    known = labels >= 0
    losses = -np.log(scored.probabilities[known, labels[known]])
    found = summarise([scored], {}, 0.95, 10)["targets"]["red"]
    assert found["log_loss"] == pytest.approx(np.average(losses, weights=np.array([1.6, 0.4])[labels[known]]), abs=1e-6)
    assert (found["prevalence_known"], found["prevalence_all"]) == (0.5, 0.2)
    assert (found["prevalence_low"], found["prevalence_high"]) == pytest.approx((0.2, 0.2))
    assert (found["selection"], found["population"]) == ("by label", "all")


def test_without_gaps_figures_and_calibrations_are_those_of_the_labels():
    validation, test = (simulate(150, signal=2, seed=seed, unknown=0) for seed in (0, 1))
    population = estimate_population(cross_fit(TARGETS, validation, CALIBRATE), EVALUATE)
    with_it, without = (
        fit_calibration(TARGETS, validation, CALIBRATE, EVALUATE, population=one) for one in (population, None)
    )
    for name in TARGETS.names:
        assert replace(with_it.targets[name], population="labelled") == without.targets[name]
    for score in (
        lambda one: score_validation(TARGETS, validation, UNIFORM, CALIBRATE, EVALUATE, population=one),
        lambda one: score_test(TARGETS, validation, test, without, UNIFORM, CALIBRATE, EVALUATE, one),
    ):
        for one, other in zip(score(population), score(None), strict=True):
            assert one.metrics.keys() == other.metrics.keys()
            for name, values in one.metrics.items():
                np.testing.assert_array_equal(values, other.metrics[name])
            assert one.selection == Selection.NONE_MISSING


@pytest.mark.parametrize("part", ["validation", "test"])
def test_where_present_is_labelled_more_often_figures_of_all_images_are_nearer_to_the_truth(part):
    validation, whole_validation = selected(1500, 0)
    test, whole_test = selected(1500, 1)
    population = estimate_population(cross_fit(TARGETS, validation, CALIBRATE), EVALUATE)
    for one, bound in ((population, 0.08), (None, 1)):
        calibration = fit_calibration(TARGETS, validation, CALIBRATE, EVALUATE, population=one)
        if part == "validation":
            scored = score_validation(TARGETS, validation, UNIFORM, CALIBRATE, EVALUATE, population=one)
            whole = whole_validation
        else:
            scored = score_test(TARGETS, validation, test, calibration, UNIFORM, CALIBRATE, EVALUATE, one)
            whole = whole_test
        for index in (1, 2):
            truth = decision_metrics(whole.labels[:, index], scored[index].decisions, np.ones((1, 1500)), 2)
            error = scored[index].metrics["precision"][0] - truth["precision"][0]
            assert abs(error) < bound
            if one is None:
                assert error > 0.15
            else:
                low, high = np.quantile(scored[index].metrics["precision"][1:], [0.005, 0.995])
                assert low < truth["precision"][0] < high


def test_probabilities_of_all_images_come_true_among_all_images():
    validation, _ = selected(1500, 0)
    _, whole = selected(1500, 1)
    population = estimate_population(cross_fit(TARGETS, validation, CALIBRATE), EVALUATE)
    for one, within in ((population, True), (None, False)):
        calibration = fit_calibration(TARGETS, validation, CALIBRATE, EVALUATE, population=one)
        assert calibration.targets["red"].population == ("all" if within else "labelled")
        stated = calibration.apply(TARGETS, whole.logits)[1][:, 1].mean()
        assert (abs(stated - (whole.labels[:, 1] == 1).mean()) < 0.04) == within


def test_where_nothing_is_shown_figures_are_those_of_the_labelled_images():
    """Scores without a signal tell no shares: their estimate would be noise."""
    validation = simulate(200, signal=0.0, seed=0, unknown=0.6)
    population = estimate_population(cross_fit(TARGETS, validation, CALIBRATE), EVALUATE)
    assert [one.selection(0.95) for one in population.prevalences] == [Selection.NOT_SHOWN] * 3
    assert population.corrected == (False, False, False)
    asked, plain = (
        score_validation(TARGETS, validation, UNIFORM, CALIBRATE, EVALUATE, population=one)
        for one in (population, None)
    )
    for one, other in zip(asked, plain, strict=True):
        np.testing.assert_array_equal(one.metrics["precision"], other.metrics["precision"])
        assert not one.corrected


@pytest.mark.parametrize("whose", ["all", "labelled"])
@pytest.mark.parametrize("kept", ["all labelled", "one class", "none", "gaps"])
def test_a_test_part_says_what_its_own_labels_tell(whose, kept):
    validation, _ = selected(400, 0)
    gaps, whole = selected(400, 1)
    evaluate = EVALUATE.model_copy(update={"population": whose})
    population = estimate_population(cross_fit(TARGETS, validation, CALIBRATE), evaluate)
    calibration = fit_calibration(TARGETS, validation, CALIBRATE, evaluate, population=population)
    labels = {
        "all labelled": whole.labels,
        "one class": np.where(whole.labels == 1, 1, -1).astype(np.int16),
        "none": np.full_like(whole.labels, -1),
        "gaps": gaps.labels,
    }[kept]
    test = replace(whole, labels=labels)
    scored = score_test(TARGETS, validation, test, calibration, UNIFORM, CALIBRATE, evaluate, population)
    found = summarise(scored, {}, 0.95, 10)
    red = found["targets"]["red"]
    said = [sentence for sentence in describe_missing(found) if sentence.startswith("red ")]
    assert red["population"] == ("all" if whose == "all" and kept in ("gaps", "all labelled") else "labelled")
    selection = {"all labelled": Selection.NONE_MISSING, "gaps": Selection.BY_LABEL}
    assert red["selection"] == selection.get(kept, Selection.NOT_TOLD)
    assert len(said) == (kept == "gaps")


def test_figures_of_labelled_images_can_be_asked_for():
    validation, _ = selected(400, 0)
    labelled = EVALUATE.model_copy(update={"population": "labelled"})
    population = estimate_population(cross_fit(TARGETS, validation, CALIBRATE), labelled)
    assert population.corrected == (False, False, False)
    asked, plain = (
        score_validation(TARGETS, validation, UNIFORM, CALIBRATE, labelled, population=one)
        for one in (population, None)
    )
    np.testing.assert_array_equal(asked[1].metrics["precision"], plain[1].metrics["precision"])
    (sentence,) = [said for said in describe_missing(summarise(asked, {}, 0.95, 10)) if said.startswith("red ")]
    assert sentence.endswith("its figures are for labelled images only (evaluate.population).")


def test_a_sentence_tells_what_people_label():
    validation, _ = selected(800, 0)
    population = estimate_population(cross_fit(TARGETS, validation, CALIBRATE), EVALUATE)
    (sentence,) = [said for said in describe_population(TARGETS, population, 0.95) if said.startswith("old ")]
    assert sentence.startswith("old is present in ")
    assert sentence.endswith("given more often where the answer is yes; its figures are for all images")


def test_replicates_hold_the_shares_that_were_estimated_in_them():
    validation, _ = selected(300, 0)
    population = estimate_population(cross_fit(TARGETS, validation, CALIBRATE), EVALUATE)
    (block,) = Bootstrap.of(TARGETS, validation, EVALUATE, population, EVALUATE.seed).blocks()
    drawn = [whole_sample(TARGETS, validation, population), *block.replicates]
    assert drawn[0].weights.tolist() == [[1.0] * 300]
    importance = np.concatenate([one.importance[1] for one in drawn])
    np.testing.assert_array_equal(importance, population.prevalences[1].priors.importance())
    known = validation.labels[:, 1]
    for one in drawn[:2]:  # weighted, the labelled images are as many as they are
        weights = one.of_known(1, known)
        assert weights.sum(axis=1) == pytest.approx(one.weights[:, known >= 0].sum(axis=1))


def test_what_was_saved_is_read_and_a_damaged_file_is_refused(tmp_path):
    validation, _ = selected(120, 0)
    population = estimate_population(cross_fit(TARGETS, validation, CALIBRATE), EVALUATE)
    path = tmp_path / "population.npz"
    population.save(path)
    read = Population.load(path, TARGETS, EVALUATE)
    assert read.corrected == population.corrected
    for one, other in zip(read.prevalences, population.prevalences, strict=True):
        assert (one.selected_p, one.unlike_p) == (other.selected_p, other.unlike_p)
        np.testing.assert_array_equal(one.priors.every, other.priors.every)
    labelled = EVALUATE.model_copy(update={"population": "labelled"})
    assert Population.load(path, TARGETS, labelled).corrected == (False, False, False)
    more = EVALUATE.model_copy(update={"bootstrap": 2 * EVALUATE.bootstrap})
    for targets, evaluate, said in (
        (ONE, EVALUATE, "expected the shares of 1 targets"),
        (Targets((RED, *TARGETS[:1], *TARGETS[2:])), EVALUATE, "known_0: expected"),
        (TARGETS, more, r"evaluate\.bootstrap"),
    ):
        with pytest.raises(LacunaError, match=said):
            Population.load(path, targets, evaluate)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(LacunaError, match=r"population\.npz"):
        Population.load(path, TARGETS, EVALUATE)
    with pytest.raises(LacunaError, match="no such file"):
        Population.load(Path("nowhere.npz"), TARGETS, EVALUATE)


def test_predictions_without_any_label_are_not_told():
    validation = simulate(60, signal=2, seed=0)
    nothing = Predictions(validation.logits, np.full_like(validation.labels, -1), validation.image, validation.group)
    population = estimate_population(cross_fit(TARGETS, nothing, CALIBRATE), EVALUATE)
    assert [one.selection(0.95) for one in population.prevalences] == [Selection.NOT_TOLD] * 3
    assert describe_population(TARGETS, population, 0.95) == []
