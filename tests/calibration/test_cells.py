"""Cells: every image in one, none too full, and fits of many images the same by cells as one by one."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lacuna.calibration.cells import BINS, MOST_UNDIVIDED, divide
from lacuna.calibration.cross_fit import cross_fit
from lacuna.calibration.fit import divide_many, fit_replicates, fit_sample
from lacuna.calibration.population import Resample
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Target, Targets
from lacuna.stats.bootstrap import group_weights
from tests.simulated_predictions import CALIBRATE

BINARY = Targets((Target("red", "binary", ("absent", "present")),))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 300), st.integers(1, 9), st.booleans())
def test_every_image_counts_once_and_no_cell_mixes(seed, n, bins, ties):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(n, 1)).round(1 if ties else 9)
    labels, block = generator.integers(-2, 2, n), generator.integers(0, 3, n)
    cells = divide(logits, labels, block, bins)
    weights = generator.integers(0, 4, (2, n)).astype(float)
    for row, summed in zip(weights, cells.sums(weights), strict=True):
        assert summed.tolist() == [row[cells.place == cell].sum() for cell in range(len(cells.labels))]
    for fold, without in enumerate(cells.sums_without(block, 3, weights)):
        assert (without == cells.sums(weights * (block != fold))).all()
    assert (labels == cells.labels[cells.place]).all()
    assert (block == cells.block[cells.place]).all()
    sizes = np.bincount(cells.place)
    assert cells.sums(np.ones((1, n)))[0] @ cells.logits[:, 0] == pytest.approx(logits.sum())
    for one in np.unique(block):
        for label in np.unique(labels[block == one]):
            here = (block == one) & (labels == label)
            most_alike = np.unique(logits[here, 0], return_counts=True)[1].max()
            inside = (cells.block == one) & (cells.labels == label)
            assert sizes[inside].max() <= np.ceil(here.sum() / bins) + most_alike
            # images of one label stand in the order of their logits, those of equal logits in one cell
            placed = [logits[cells.place == cell, 0] for cell in np.flatnonzero(inside)]
            assert all(low.max() < high.min() for low, high in pairwise(placed))


def test_labels_that_interleave_share_a_logit():
    """Else a threshold between them would tell apart what no threshold on the images does."""
    cells = divide(np.arange(8.0)[:, None], np.array([0, 1] * 4), np.zeros(8, int), 2)
    assert cells.logits[:, 0].tolist() == [
        1.5,
        1.5,
        4,
        6,
        6,
    ]  # half of absent ends after 2, of present after 3
    assert cells.labels.tolist() == [0, 1, 0, 0, 1]
    assert cells.sums(np.arange(8.0)[None]).tolist() == [[0 + 2, 1 + 3, 4, 6, 5 + 7]]


@pytest.mark.parametrize("rule", ["expected_f1", "pr_argmax", "min_recall", "min_precision"])
def test_replicates_by_cells_are_those_of_all_images(rule):
    generator, n = np.random.default_rng(0), 4 * MOST_UNDIVIDED
    labels = (generator.random(n) < 0.1).astype(np.int16)
    logits = (generator.normal(size=n) + 3 * labels - 4).astype(np.float32)
    validation = Predictions(logits[:, None], labels[:, None], np.arange(n).astype(str), np.arange(n))
    options = CALIBRATE.model_copy(update={"rule": rule, "min_recall": 0.8, "min_precision": 0.6})
    sample = Resample.of_labelled(BINARY, np.ones((1, n)))
    whole = fit_sample(BINARY, validation, sample, options)
    (weights,) = group_weights(validation.group, 40, 9, 40)
    drawn = Resample.of_labelled(BINARY, weights)
    cells = divide_many(BINARY, validation)[0]
    counted = {0: (cells.logits, cells.labels, cells.sums(weights))}
    (by_cells,) = fit_replicates(BINARY, validation, drawn, options, whole, counted)
    (one_by_one,) = fit_replicates(BINARY, validation, drawn, options, whole)
    noise = one_by_one.scaling.bias.std()
    assert by_cells.scaling.bias == pytest.approx(one_by_one.scaling.bias, abs=0.06 * noise)
    f1, called = np.array([_reached(fit, validation, weights) for fit in (by_cells, one_by_one)]).swapaxes(0, 1)
    assert len(np.unique(called[0])) > 20
    assert (f1[0] - f1[1]).std() < 0.15 * f1[1].std()
    assert f1[0].std() == pytest.approx(f1[1].std(), rel=0.1)
    if rule != "pr_argmax":  # where several places have nearly the highest F1
        assert np.abs(called[0] - called[1]).max() < 3 / BINS * max(called[1])


def _reached(fit, part, weights):
    """F1 and how many are called present in each replicate, by its own threshold."""
    decisions = fit.decide(part.logits)
    found = (weights * decisions * part.labels[:, 0]).sum(axis=1)
    called = (weights * decisions).sum(axis=1)
    return 2 * found / (called + weights @ part.labels[:, 0]), called / weights.sum(axis=1)


def test_a_fold_left_out_of_the_sums_is_the_fold_left_out_of_the_images():
    """Many images: each fold's fit to cells that were summed once is that to the cells of the images outside of it."""
    generator, n = np.random.default_rng(3), 2 * MOST_UNDIVIDED
    labels = (generator.random((n, 1)) < 0.2).astype(np.int16) - (generator.random((n, 1)) < 0.2).astype(np.int16)
    logits = (generator.normal(size=(n, 1)) + 2 * labels).astype(np.float32)
    validation = Predictions(logits, labels, np.arange(n).astype(str), np.arange(n))
    fitted = cross_fit(BINARY, validation, CALIBRATE)
    (weights,) = group_weights(validation.group, 5, 9, 5)
    drawn = Resample.of_labelled(BINARY, weights)
    refitted, cells = fitted.refit(drawn), divide_many(BINARY, validation)[0]
    for fold, optimum in fitted.optima.items():
        others = drawn.without(fitted.folds == fold)
        images = cells.logits, cells.labels, cells.sums(others.drawn(labels[:, 0]))
        (expected,) = fit_replicates(BINARY, validation, others, CALIBRATE, optimum, {0: images})
        assert (refitted.fits[fold][0].thresholds == expected.thresholds).all()
        assert (refitted.fits[fold][0].scaling.bias == expected.scaling.bias).all()


def test_the_sample_itself_is_never_fitted_to_cells(monkeypatch):
    generator, n = np.random.default_rng(1), 2 * MOST_UNDIVIDED
    labels = (generator.random((n, 1)) < 0.3).astype(np.int16)
    logits = (generator.normal(size=(n, 1)) + labels).astype(np.float32)
    validation = Predictions(logits, labels, np.arange(n).astype(str), np.arange(n))
    found = cross_fit(BINARY, validation, CALIBRATE).probabilities()[0]
    monkeypatch.setattr("lacuna.calibration.fit.MOST_UNDIVIDED", n)
    assert (cross_fit(BINARY, validation, CALIBRATE).probabilities()[0] == found).all()
