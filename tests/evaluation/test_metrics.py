"""The table of metrics: what stands in it is written, documented and nothing else is."""

import re
from pathlib import Path

import numpy as np
import pytest

from lacuna.calibration.fit import fit_calibration
from lacuna.evaluation.intervals import exact_interval, with_interval
from lacuna.evaluation.metrics import TARGET_METRICS, Metric, row_of
from lacuna.evaluation.scoring import score_validation
from lacuna.evaluation.verdicts import summarise
from tests.simulated_predictions import CALIBRATE, EVALUATE, RELATION, TIED, simulate_tied

ABOUT_THE_TARGET = {"kind", "n_known", "n_unknown", "n_positive", "threshold", "verdict", "selection", "population"}
PAGE = Path(__file__).parents[2] / "docs" / "reading-the-result.md"


def written():
    validation = simulate_tied(200, signal=1.5, seed=0)
    priors = [np.full(target.n_classes, 1 / target.n_classes) for target in TIED]
    scored = score_validation(TIED, validation, priors, CALIBRATE, EVALUATE, (RELATION,))
    calibration = fit_calibration(TIED, validation, CALIBRATE, EVALUATE, (RELATION,))
    return summarise(scored, {name: one.threshold for name, one in calibration.targets.items()}, 0.95, 10)


def plain(name):
    return re.sub(r"^baseline_|_low$|_high$", "", re.sub(r"^baseline_", "", name))


def test_a_metrics_file_holds_the_metrics_of_the_table_and_no_others():
    names = {plain(name) for found in written()["targets"].values() for name in found} - ABOUT_THE_TARGET
    assert {id(row_of(name)) for name in names} == {id(metric) for metric in TARGET_METRICS.values()}
    with pytest.raises(KeyError):
        row_of("accuracy_of_nothing")


@pytest.mark.parametrize("name", [name.replace("_k_", "_3_") for name in TARGET_METRICS])
def test_every_metric_is_documented(name):
    assert f"`{name}`" in PAGE.read_text(encoding="utf-8")


def test_one_function_and_one_row_make_a_metric_with_its_interval(monkeypatch):
    def specificity(classes):
        return classes["recall"][:, 0]

    monkeypatch.setitem(TARGET_METRICS, "specificity", Metric(specificity, trials="known"))
    monkeypatch.setitem(
        TARGET_METRICS, "sharpness", Metric(of_probabilities=lambda labels, chances, importance: chances.max(1).mean())
    )
    red = written()["targets"]["red"]
    assert 0 < red["specificity_low"] < red["specificity"] < red["specificity_high"] <= 1
    assert 0.5 < red["sharpness"] < 1


def test_where_nothing_or_all_is_right_the_ends_are_exact():
    """The bootstrap of such a metric has no spread."""
    ones = np.ones(51)
    low = 0.025 ** (1 / 10)
    found = with_interval("recall", ones, 0.95, [10])
    assert found == {"recall": 1, "recall_low": pytest.approx(low, abs=1e-6), "recall_high": 1}
    assert with_interval("recall", 0 * ones, 0.95, [10])["recall_high"] == pytest.approx(1 - low, abs=1e-6)
    assert with_interval("recall", ones, 0.95)["recall_low"] == 1


def test_exact_bounds_of_classes_are_averaged_and_those_without_a_trial_left_out():
    low = (0.025 ** (1 / 4) + 0.025 ** (1 / 9)) / 2
    assert exact_interval("recall", 1, 0.95, [4, 0, 9]) == (pytest.approx(low), 1)
    assert exact_interval("f1", 1, 0.95, [4, 0, 9]) == (pytest.approx(2 * low / (1 + low)), 1)
    assert exact_interval("recall", 1, 0.95, [0, 0]) is None
    assert exact_interval("recall", 0.9, 0.95, [4]) is None


def test_a_metric_that_is_undefined_is_left_out_and_so_is_an_interval_of_few_replicates():
    assert with_interval("f1", np.array([np.nan, 0.5, 0.5]), 0.95) == {}
    assert with_interval("f1", np.array([0.5, np.nan, np.nan, 0.5]), 0.95) == {"f1": 0.5}
