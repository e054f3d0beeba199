"""What a search is asked for, and what its settings are judged by."""

from typing import get_args

import numpy as np
import pytest

from lacuna.config.blocks import Tune
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Target, Targets
from lacuna.errors import LacunaError
from lacuna.training.data import head_logits
from lacuna.training.phases import warm_up
from lacuna.tuning.objective import METRICS, macro_metric, plan_search, score_setting, study_name
from tests.training_arrays import new_data

SPACE = {"head.dropout": {"low": 0.0, "high": 0.5}, "train.margin": {"low": 0, "high": 0.1}}
SGD = {"warmup.solver": "sgd"}  # which any loss goes with


def test_a_key_without_effect_is_named_and_left_out(tiny_project, capsys):
    plan = plan_search(tiny_project(SGD | {"tune.space": SPACE, "train.loss": "focal"}))
    assert list(plan.space) == ["head.dropout"]
    said = capsys.readouterr().out
    assert said == "tune.space.train.margin has no effect with train.loss: focal; left out of the search\n"
    assert list(plan_search(tiny_project(SGD | {"tune.space": SPACE, "train.loss": "asymmetric"})).space) == list(SPACE)
    assert capsys.readouterr().out == ""


def test_a_space_without_any_effect_is_an_error(tiny_project):
    params = tiny_project(SGD | {"tune.space": {"train.margin": SPACE["train.margin"]}, "train.loss": "focal"})
    with pytest.raises(LacunaError, match=r"nothing to search: tune.space.train.margin has no effect with train.loss"):
        plan_search(params)


def test_values_that_the_solver_does_not_go_with_are_an_error_before_any_training(tiny_project):
    params = tiny_project({"warmup.solver": "exact", "tune.space": {"head.hidden_units": {"low": 0, "high": 64}}})
    with pytest.raises(LacunaError, match=r"^params\.yaml: tune\.space cannot have head\.hidden_units: 64: warmup\.s"):
        plan_search(params)


def test_every_metric_can_be_named_and_is_documented(repository):
    assert set(get_args(Tune.model_fields["metric"].annotation)) == set(METRICS)
    page = (repository / "docs/tuning.md").read_text(encoding="utf-8")
    assert [name for name in METRICS if f"\n- `{name}`: " not in page] == []


class Data:
    targets = Targets((Target("kind", "categorical", ("bag", "shoe")), Target("red", "binary", ("no", "yes"))))


def test_the_mean_is_over_the_targets_that_the_labels_define(tiny_project):
    labels = np.array([[0, -1], [1, -1], [0, -1], [-1, -1]], np.int16)
    logits = np.array([[np.log(3), 0, 0], [0, 0, 9], [np.log(3), 0, -9], [5, 0, 1]], np.float32)
    validation = Predictions(logits, labels, np.array(list("abcd")), np.arange(4))
    by_hand = (2 * np.log(4 / 3) + np.log(2)) / 3  # of kind alone: nothing is known of red
    assert macro_metric(tiny_project({"tune.metric": "log_loss"}), Data, validation) == pytest.approx(by_hand)
    assert macro_metric(tiny_project({"tune.metric": "average_precision"}), Data, validation) == pytest.approx(1.0)


def test_a_setting_scores_what_the_kept_model_scores_on_validation_and_prints_nothing(tiny_project, capsys):
    params, data = tiny_project({"finetune.epochs": 0, "tune.metric": "log_loss"}), new_data()
    reported = []
    score = score_setting(params, data, {"train.label_smoothing": 0.3}, 0, reported.append)
    smoothed = params.model_copy(update={"train": params.train.model_copy(update={"label_smoothing": 0.3})})
    part = data.manifest.part("val")
    logits = head_logits(warm_up(smoothed, data).head, data, "val")
    predictions = Predictions(logits, part.labels, part.image, part.group)
    assert score == pytest.approx(macro_metric(params, data, predictions))
    assert score != score_setting(params, data, {}, 0, None)
    assert reported == []  # an exact head has no epochs
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_epochs_by_descent_are_reported_and_seeds_differ(tiny_project):
    params = tiny_project(SGD | {"warmup.epochs": 2, "finetune.epochs": 0, "tune.metric": "log_loss"})
    data, reported = new_data(), []
    scores = [score_setting(params, data, {}, seed, reported.append) for seed in (0, 1)]
    assert len(reported) == 4
    assert scores[0] != scores[1]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("features.stages", "top"),
        ("calibrate.folds", 3),
        ("evaluate.bootstrap", 60),
        ("warmup.l2", {"face": 0.1}),
        ("tune.seeds", 2),
    ],
)
def test_what_changes_a_score_begins_another_study(tiny_project, key, value):
    data = new_data()
    assert study_name(tiny_project({key: value}), data) != study_name(tiny_project({}), data)


@pytest.mark.parametrize(("key", "value"), [("tune.trials", 99), ("calibrate.rule", "cost"), ("report.precision", 0.5)])
def test_a_search_goes_on_where_only_something_else_changed(tiny_project, key, value):
    data = new_data()
    assert study_name(tiny_project({key: value}), data) == study_name(tiny_project({}), data)
