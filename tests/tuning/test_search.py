"""The search itself, on settings whose quality is known: no training, so that its rules can be checked."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from lacuna.config.search_space import Range
from lacuna.errors import DivergedError, LacunaError
from lacuna.tuning.report import verdict
from lacuna.tuning.search import (
    REASON,
    SCORES,
    Plan,
    best,
    best_scores,
    chosen_values,
    completed,
    confirm,
    confirmed_best,
    default_scores,
    finished,
    is_hopeless,
    make_study,
    noise,
    open_study,
    search,
)

SPACE = {
    "finetune.learning_rate": Range(low=1e-5, high=1e-1, log=True),
    "head.hidden_units": Range(low=0, high=64),
    "train.loss": Range(choices=("focal", "cross_entropy")),
}
PLAN = Plan(SPACE, trials=22, seeds=3, higher=True)
SHORT = Plan(SPACE, trials=8, seeds=2, higher=True)


class Landscape:
    """Quality falls with the distance of the learning rate from 1e-3; seeds add the same noise to every setting."""

    def __init__(self, stop_after: int = 10**9, own_noise: float = 0.002, sign: int = 1) -> None:
        self.trainings: list[tuple[Any, int]] = []
        self.stop_after, self.own_noise, self.sign = stop_after, own_noise, sign

    def __call__(self, values, seed, report):
        if len(self.trainings) == self.stop_after:
            raise KeyboardInterrupt
        rate = values.get("finetune.learning_rate", 1e-4)
        self.trainings.append((dict(values), seed))
        quality = 0.8 - 0.1 * abs(math.log10(rate) + 3)
        for epoch in range(1, 7):
            if report is not None:
                report(self.sign * (quality - 0.3 / epoch))
        random = np.random.default_rng([seed, round(1e9 * rate)])
        return self.sign * float(quality + 0.05 * seed + self.own_noise * random.normal())


def outcome(study: optuna.Study, plan: Plan) -> list[Any]:
    winner = best(study)
    return [
        [(trial.state, trial.params, trial.user_attrs.get(SCORES)) for trial in finished(study)],
        chosen_values(winner.params, plan.space) if winner else None,
        default_scores(study),
    ]


def run(score: Any, plan: Plan = PLAN) -> optuna.Study:
    """A whole search in memory."""
    study = make_study(plan)
    search(study, plan, score, lambda _: None)
    return study


def run_in(folder: Path, score: Any, plan: Plan = SHORT) -> list[Any]:
    with open_study(folder, "tune-x", plan) as study:
        search(study, plan, score, lambda _: None)
        return outcome(study, plan)


@pytest.fixture(scope="module")
def searched() -> optuna.Study:
    return run(Landscape())


def test_a_search_finds_what_is_better_and_twice_the_same(searched):
    trials, values, defaults = outcome(searched, PLAN)
    assert len(trials) == PLAN.trials
    assert 3e-4 < values["finetune.learning_rate"] < 3e-3
    assert defaults == pytest.approx([0.7, 0.75, 0.8], abs=0.01)
    assert outcome(run(Landscape()), PLAN) == [trials, values, defaults]


@pytest.mark.slow
def test_a_search_that_was_stopped_anywhere_goes_on_and_ends_as_if_it_had_not_been(tmp_path):
    once = Landscape()
    whole = outcome(run(once, SHORT), SHORT)
    for stop_after in (0, 1, 3, 8):
        with pytest.raises(KeyboardInterrupt):
            run_in(tmp_path / str(stop_after), Landscape(stop_after))
        second = Landscape()
        assert run_in(tmp_path / str(stop_after), second) == whole
        # Of what was done, only the setting that was broken off is done again.
        assert len(second.trainings) < len(once.trainings) - stop_after + SHORT.seeds


def test_more_settings_later_keep_those_that_are_there(tmp_path):
    first = run_in(tmp_path, Landscape())
    more = Plan(SPACE, 10, 2, higher=True)
    second = run_in(tmp_path, Landscape(), more)
    assert second[0][:8] == first[0]
    assert second == outcome(run(Landscape(), more), more)
    nothing = Landscape()
    assert run_in(tmp_path, nothing, more) == second
    assert nothing.trainings == []


def test_bad_settings_are_ended_early_and_good_ones_are_not(searched):
    states: dict[str, set[TrialState]] = {"bad": set(), "good": set()}
    for trial in finished(searched)[6:]:
        distance = abs(math.log10(trial.params["finetune.learning_rate"]) + 3)
        if distance > 1 or distance < 0.1:
            states["bad" if distance > 1 else "good"].add(trial.state)
    assert states["bad"] == {TrialState.PRUNED}
    assert TrialState.COMPLETE in states["good"]


def test_between_seeds_a_setting_is_ended_by_the_noise_of_seeds():
    def score(values, seed, report):  # no epoch is reported, so that only this rule can end a setting
        rate = values.get("finetune.learning_rate", 1e-3)
        return 0.8 - 0.1 * abs(math.log10(rate) + 3) + 0.001 * np.random.default_rng([seed, round(1e9 * rate)]).normal()

    study = run(score)
    ended = [trial for trial in finished(study) if trial.state is TrialState.PRUNED]
    assert ended
    assert all("seeds worse than the best" in trial.user_attrs[REASON] for trial in ended)
    assert {len(trial.user_attrs[SCORES]) for trial in ended} <= {1, 2}
    assert all(trial.state is TrialState.COMPLETE for trial in finished(study)[:2])  # of the noise nothing is known yet


def test_where_less_is_better_the_search_goes_down():
    plan = Plan(SPACE, 22, 3, higher=False)
    _, values, defaults = outcome(run(Landscape(sign=-1), plan), plan)
    assert 3e-4 < values["finetune.learning_rate"] < 3e-3
    assert defaults[0] < 0


def test_a_setting_whose_loss_explodes_is_ended_and_the_search_goes_on():
    def score(values, seed, report):
        if values.get("finetune.learning_rate", 0) > 1e-3:
            raise DivergedError("finetune diverged")
        return 0.5 + values.get("finetune.learning_rate", 0)

    study = run(score, SHORT)
    reasons = [trial.user_attrs[REASON] for trial in finished(study) if REASON in trial.user_attrs]
    assert "finetune diverged" in reasons
    assert len(finished(study)) == SHORT.trials
    assert completed(study)


def test_a_mistake_that_every_setting_would_meet_stops_the_search():
    def score(values, seed, report):
        if values:
            raise LacunaError("warmup.resample: mlsmote works on stored pooled features")
        return 0.5

    with pytest.raises(LacunaError, match="mlsmote"):
        run(score)


def test_two_searches_in_one_study_do_not_mix(tmp_path):
    with (
        open_study(tmp_path, "tune-x", PLAN),
        pytest.raises(LacunaError, match="another process is searching"),
        open_study(tmp_path, "tune-x", PLAN),
    ):
        pass


def test_a_choice_that_comes_up_again_is_not_trained_again():
    trained = []

    def score(values, seed, report):
        trained.append((values.get("train.loss"), seed))
        return 0.5 + 0.1 * (values.get("train.loss") == "focal")

    plan = Plan({"train.loss": SPACE["train.loss"]}, 6, 2, higher=True)
    assert len(finished(run(score, plan))) == 6
    assert len(trained) == len(set(trained)) == 2 * 3


@pytest.mark.parametrize(
    ("scores", "best", "spread", "freedom", "hopeless"),
    [
        ([0.70], [0.75, 0.76, 0.77], 0.01, 10, True),  # 0.05 below, reach 1.812 · 0.01
        ([0.74], [0.75, 0.76, 0.77], 0.01, 10, False),  # 0.01 below
        ([0.74, 0.745], [0.75, 0.76, 0.77], 0.01, 10, False),  # 0.0125 below, reach 0.0128
        ([0.74, 0.744], [0.75, 0.76, 0.77], 0.01, 10, True),  # 0.0130 below
        ([0.80], [0.75, 0.76, 0.77], 0.01, 10, False),  # better
        ([0.10], [0.75, 0.76, 0.77], 0.01, 3, False),  # too little is known of the noise
        ([0.10], [0.75, 0.76, 0.77], math.nan, 0, False),
    ],
)
def test_a_setting_is_hopeless_when_seeds_cannot_explain_its_distance_to_the_best(
    scores, best, spread, freedom, hopeless
):
    assert is_hopeless(scores, best, spread, freedom, higher=True) is hopeless
    assert is_hopeless([-s for s in scores], [-s for s in best], spread, freedom, higher=False) is hopeless


def test_the_noise_of_seeds_is_that_of_differences_and_leaves_out_what_seeds_have_in_common(searched):
    spread, freedom = noise(searched)
    assert freedom == 2 * len(completed(searched))
    assert 0.001 < spread < 0.006  # sqrt(2) · 0.002; the 0.05 that every seed adds is not in it


def test_the_winner_is_held_against_the_defaults_with_fresh_seeds_once():
    landscape = Landscape()
    study = run(landscape)
    searched = len(landscape.trainings)
    difference = confirm(study, PLAN, landscape)
    fresh = landscape.trainings[searched:]
    assert [seed for _, seed in fresh] == [3, 4, 5, 3, 4, 5]
    winner = chosen_values(best(study).params, PLAN.space)
    assert [values for values, _ in fresh] == [{}] * 3 + [winner] * 3
    assert 0 < difference.low < 0.1 - 0.1 * abs(math.log10(winner["finetune.learning_rate"]) + 3) < difference.high
    assert confirm(study, PLAN, landscape) == difference
    assert len(landscape.trainings) == searched + 6


def test_when_nothing_beats_the_defaults_there_is_no_winner():
    def score(values, seed, report):
        return 0.9 if not values else 0.5

    study = run(score, SHORT)
    assert best(study) is None
    assert best_scores(study) == [0.9, 0.9]
    assert confirm(study, SHORT, score) is None


def test_a_lead_that_fresh_seeds_turn_around_was_luck_and_changes_nothing():
    def score(values, seed, report):
        lucky = seed < SHORT.seeds
        noise = 0.001 * math.sin(17 * seed + len(str(values)))
        return noise + (0.6 if not values else 0.7 if lucky else 0.4)

    study = run(score, SHORT)
    difference = confirm(study, SHORT, score)
    assert best(study) is not None
    assert difference.high < 0
    assert confirmed_best(study, difference) is None
    assert verdict(study, SHORT, difference).endswith("its lead in the search was luck; nothing to change.")
    assert confirmed_best(study, None) == best(study)


def test_values_have_three_digits_and_stay_in_their_range():
    space = {"a.b": Range(low=0.12345, high=0.98765), "a.c": Range(low=1, high=9), "a.d": Range(choices=(True, False))}
    assert chosen_values({"a.b": 0.5551234, "a.c": 3, "a.d": False}, space) == {"a.b": 0.555, "a.c": 3, "a.d": False}
    assert chosen_values({"a.b": 0.12346}, space) == {"a.b": 0.12345}
    assert chosen_values({"a.b": 0.98761}, space) == {"a.b": 0.98765}
