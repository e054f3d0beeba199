"""Cross-fitting: no image is judged by a fit that it took part in, and each fold is fitted once."""

import numpy as np
import pytest

from lacuna.calibration import cross_fit as module
from lacuna.calibration import fit as fitting
from lacuna.calibration.cross_fit import cross_fit, judge
from lacuna.calibration.fit import fit_replicates
from lacuna.calibration.population import Resample
from lacuna.core.predictions import Predictions
from lacuna.evaluation.scoring import score_validation
from tests.simulated_predictions import CALIBRATE, EVALUATE, RELATION, TARGETS, TIED, simulate, simulate_tied


def test_each_image_is_judged_by_the_fit_on_all_other_folds():
    validation = simulate(90, signal=2, seed=0)
    fitted = cross_fit(TARGETS, validation, CALIBRATE)
    probabilities = fitted.probabilities()
    assert sorted(fitted.fits) == [0, 1, 2, 3, 4]
    for fold in fitted.fits:
        inside = fitted.folds == fold
        others = validation.take(~inside)
        alone = fit_replicates(TARGETS, others, Resample.of_labelled(TARGETS, np.ones((1, len(others)))), CALIBRATE)
        for index, (fit, columns) in enumerate(zip(alone, TARGETS.slices, strict=True)):
            expected = fit.probabilities(validation.logits[inside][:, columns])[0]
            assert probabilities[index][inside] == pytest.approx(expected, abs=1e-6)


def test_groups_are_never_split_and_fewer_groups_than_folds_are_enough():
    validation = simulate(6, signal=2, seed=0, copies=0.5)
    fitted = cross_fit(TARGETS, validation, CALIBRATE)
    for group in np.unique(validation.group):
        assert len(np.unique(fitted.folds[validation.group == group])) == 1
    assert len(fitted.fits) == len(np.unique(validation.group)) == 3
    assert all(np.isfinite(chances).all() for chances in fitted.probabilities())


def test_no_image_at_all_gives_nothing_and_no_error():
    none = simulate(10, signal=2, seed=0).take(np.zeros(10, bool))
    assert [chances.shape for chances in cross_fit(TARGETS, none, CALIBRATE).probabilities()] == [
        (0, 3),
        (0, 2),
        (0, 2),
    ]


def test_replicates_do_not_see_the_fold_either():
    """Labels of an image change nothing of what replicates say of its own fold."""
    validation = simulate(80, signal=2, seed=0, unknown=0)
    weights = np.random.default_rng(0).integers(0, 3, (4, 80)).astype(float)
    fitted = cross_fit(TARGETS, validation, CALIBRATE)
    labels = validation.labels.copy()
    inside = fitted.folds == 2
    labels[inside] = np.where(labels[inside] == 0, 1, 0)
    changed = cross_fit(TARGETS, Predictions(validation.logits, labels, validation.image, validation.group), CALIBRATE)
    resample = Resample.of_labelled(TARGETS, weights)
    before, after = fitted.refit(resample), changed.refit(resample)
    for one, other in zip(before.fits[2], after.fits[2], strict=True):
        assert one.scaling.scale.shape == (4,)
        assert (one.scaling.scale == other.scaling.scale).all()
    assert (before.fits[0][1].scaling.scale != after.fits[0][1].scaling.scale).any()


def test_scoring_fits_each_fold_once(monkeypatch):
    whole_samples = []

    def counted(targets, predictions, weights, options, whole=None, cells=None):
        whole_samples.append(whole is None)
        return fit_replicates(targets, predictions, weights, options, whole, cells)

    monkeypatch.setattr(module, "fit_replicates", counted)
    monkeypatch.setattr(fitting, "fit_replicates", counted)
    priors = [np.full(target.n_classes, 1 / target.n_classes) for target in TARGETS]
    score_validation(TARGETS, simulate(100, signal=2, seed=0), priors, CALIBRATE, EVALUATE)
    assert sum(whole_samples) == CALIBRATE.folds


def test_judgements_are_what_evaluate_scores():
    validation = simulate_tied(200, signal=1.5, seed=0)
    priors = [np.full(target.n_classes, 1 / target.n_classes) for target in TIED]
    scored = score_validation(TIED, validation, priors, CALIBRATE, EVALUATE, (RELATION,))
    for judgement, expected in zip(judge(TIED, validation, CALIBRATE, (RELATION,)), scored, strict=True):
        assert judgement.target == expected.target
        assert (judgement.decisions == expected.decisions).all()
        assert (judgement.probabilities == expected.probabilities).all()
        assert ((judgement.certainty >= 0) & (judgement.certainty <= 1)).all()
