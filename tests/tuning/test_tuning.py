"""The space in params.yaml, what a setting scores, and a whole search as a user runs it."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from lacuna.config.load import load_params, parse_params
from lacuna.config.params import Params
from lacuna.config.search_space import Range, get_value, set_values, typed_space
from lacuna.errors import LacunaError
from lacuna.tuning.plots import importances, plot_search
from lacuna.tuning.report import summary, write_trials
from lacuna.tuning.search import Plan, make_study, search

REPOSITORY = Path(__file__).parents[2]


def with_space(space: dict[str, Any]) -> Params:
    content = YAML(typ="safe", pure=True).load(REPOSITORY / "params.yaml")
    content["tune"]["space"] = space
    return parse_params(content)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"head.drop": {"low": 0.1, "high": 0.2}}, "tune.space.head.drop: params.yaml has no such key"),
        ({"dropout": {"low": 0.1, "high": 0.2}}, "tune.space.dropout: params.yaml has no such key"),
        (
            {"augment.zoom": {"low": 0.1, "high": 0.2}},
            "tune.space.augment.zoom: trials train on the features and labels that are",
        ),
        (
            {"class_weights.max": {"low": 2, "high": 9}},
            "tune.space.class_weights.max: trials train on the features and labels that are",
        ),
        (
            {"finetune.unfreeze": {"choices": [3, 27]}},
            "finetune.unfreeze: the features are computed up to there by featurize",
        ),
        (
            {"calibrate.rule": {"choices": ["cost", "fixed"]}},
            "tune.space.calibrate.rule: trials train on the features and labels that are",
        ),
        (
            {"tune.trials": {"low": 1, "high": 2}},
            "tune.space.tune.trials: trials train on the features and labels that are",
        ),
        ({"tune.figure": {"low": 1, "high": 2}}, "tune.space.tune.figure: renamed, write tune.metric"),
        ({"train.seed": {"low": 1, "high": 2}}, "tune.space.train.seed: every setting is trained with the same seeds"),
        ({"head.dropout": {"low": 0.1, "high": 1.5}}, "head.dropout: high: should be less than 1, received 1.5"),
        ({"train.batch_size": {"low": 16, "high": 64.0}}, "train.batch_size: high: should be a valid integer"),
        ({"train.loss": {"choices": ["focal", "hinge"]}}, "train.loss: choice 'hinge': should be 'focal'"),
        ({"train.loss": {"low": 1, "high": 2}}, "train.loss: low: should be 'focal'"),
        ({"head.dropout": {"low": 0.5, "high": 0.1}}, "head.dropout: low must be below high, received 0.5 and 0.1"),
        ({"head.dropout": {"low": 0.5}}, "head.dropout: expected {low: , high: }"),
        ({"head.dropout": {}}, "head.dropout: expected {low: , high: }"),
        ({"head.dropout": {"low": 0, "high": 0.5, "log": True}}, "with log, low must be above 0, received 0"),
        ({"head.dropout": {"low": 0, "high": 0.5, "choices": [0.1]}}, "head.dropout: expected {low: , high: }"),
        ({"head.dropout": {"choices": [0.1, 0.1]}}, "choices must be two or more that differ"),
        ({"head.dropout": {"low": 0, "hgih": 1}}, "tune.space.head.dropout.hgih: unknown key, did you mean high?"),
        ({"head.dropout": {"low": "a", "high": 1}}, "tune.space.head.dropout.low"),
        ({}, "tune.space: expected at least 1 item"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused_before_any_training(space, message):
    with pytest.raises(LacunaError) as caught:
        with_space(space)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_whole_numbers_stay_whole_and_other_ends_become_floats():
    params = with_space(
        {"train.gamma": {"low": 0, "high": 3}, "head.hidden_units": {"low": 0, "high": 64}, "train.loss": {
            "choices": ["focal", "cross_entropy"]}}
    )  # fmt: skip
    space = typed_space(params, params.tune.space)
    assert isinstance(space["train.gamma"].low, float)
    assert isinstance(space["head.hidden_units"].high, int)
    assert space["train.loss"].choices == ("focal", "cross_entropy")


def test_values_are_set_by_their_keys_and_nothing_else_changes():
    params = load_params(REPOSITORY / "params.yaml")
    changed = set_values(params, {"head.dropout": 0.11, "train.loss": "cross_entropy"})
    assert get_value(changed, "head.dropout") == 0.11
    assert set_values(changed, {"head.dropout": params.head.dropout, "train.loss": params.train.loss}) == params


PLAN = Plan(
    {"head.dropout": Range(low=0.0, high=0.6), "train.loss": Range(choices=("focal", "cross_entropy"))}, 9, 2, True
)
DEFAULTS = {"head.dropout": 0.3, "train.loss": "focal"}


def quality(values, seed, report):
    noise = 0.003 * np.random.default_rng([seed, round(1000 * values.get("head.dropout", 0.3))]).normal()
    return 0.8 - abs(values.get("head.dropout", 0.3) - 0.1) + 0.01 * (values.get("train.loss") == "focal") + noise


def test_the_table_shows_the_best_first_and_the_csv_every_setting(tmp_path):
    study = make_study(PLAN)
    search(study, PLAN, quality, lambda _: None)
    table = summary(study, PLAN, "average_precision", None)
    assert table.startswith("9 settings of 2 seeds, ")
    rows = [line.split() for line in table.splitlines()[3:9]]
    assert rows[0][0] == "default"
    means = [float(row[1]) for row in rows[1:]]
    assert means == sorted(means, reverse=True)
    assert "flatter the winner" in table
    write_trials(tmp_path / "trials.csv", study, PLAN)
    with (tmp_path / "trials.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 9
    for line in lines:
        if line["mean"]:
            seeds = [quality({"head.dropout": float(line["head.dropout"]), "train.loss": line["train.loss"]}, s, None)
                     for s in (0, 1)]  # fmt: skip
            assert float(line["mean"]) == pytest.approx(np.mean(seeds), abs=1e-5)
        else:
            assert line["ended_early"]


def test_pictures_are_drawn_and_the_parameter_that_matters_comes_first(tmp_path):
    study = make_study(PLAN)
    search(study, PLAN, quality, lambda _: None)
    paths = plot_search(tmp_path, study, PLAN, "average_precision", DEFAULTS)
    assert [path.name for path in paths] == ["history.png", "space.png", "importance.png"]
    assert all(path.stat().st_size > 10_000 for path in paths)
    assert next(iter(importances(study))) == "head.dropout"
    (tmp_path / "again").mkdir()
    again = plot_search(tmp_path / "again", study, PLAN, "average_precision", DEFAULTS)
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]


def test_pictures_are_drawn_of_a_search_that_has_hardly_begun(tmp_path):
    plan = Plan(PLAN.space, 1, 1, True)
    study = make_study(plan)
    search(study, plan, quality, lambda _: None)
    paths = plot_search(tmp_path, study, plan, "log_loss", DEFAULTS)
    assert [path.name for path in paths] == ["history.png", "space.png"]
