"""What a search found: a table with a verdict in words, a CSV of every setting, and the study as MLflow shows it."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from lacuna.io.atomic import atomic_file
from lacuna.io.text_table import align
from lacuna.stats.numbers import signed_interval
from lacuna.tracking.content import Run
from lacuna.tuning.search import (
    REASON,
    SCORES,
    Difference,
    Plan,
    best,
    chosen_values,
    completed,
    default_scores,
    describe,
    finished,
    place_of,
)

BEST_SHOWN = 5
"""How many of the best settings the table has."""


def ranked(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The settings that were trained with every seed, the best first."""
    return sorted(completed(study), key=lambda trial: trial.value or 0.0, reverse=study.direction.name == "MAXIMIZE")


def summary(study: optuna.Study, plan: Plan, metric: str, confirmed: Difference | None) -> str:
    """The best settings in a table, and whether the best is better than the defaults, in words."""
    n_early = len(finished(study)) - len(completed(study))
    keys = list(plan.space)
    lines = [
        f"{len(finished(study))} settings of {plan.seeds} seeds, {n_early} ended early; {metric.replace('_', ' ')}, "
        "macro, on validation:",
        "",
    ]
    rows = [
        ["setting", "mean ± sd of seeds", *keys],
        ["default", describe(default_scores(study)), *([""] * len(keys))],
    ]
    for trial in ranked(study)[:BEST_SHOWN]:
        values = chosen_values(trial.params, plan.space)
        scores = describe(trial.user_attrs[SCORES])
        rows.append([str(place_of(study, trial)), scores, *(str(values[key]) for key in keys)])
    table = align(rows, left=range(1, len(rows[0])))
    return "\n".join([*lines, table, "", verdict(study, plan, confirmed)])


def verdict(study: optuna.Study, plan: Plan, confirmed: Difference | None) -> str:
    """Whether the best setting differs from the defaults by more than seeds explain, and what its score hides."""
    winner = best(study)
    if winner is None:
        return "No setting is better than params.yaml as it is; nothing to change."
    name = f"Setting {place_of(study, winner)}"
    if confirmed is None:
        words = f"{name} is the best. With one seed per setting nobody can say whether that is more than luck."
    else:
        numbers = f"{confirmed.mean:+.4f} {signed_interval(confirmed.low, confirmed.high, 4)}"
        words = (
            f"{name}, trained again with seeds that chose nothing, differs from params.yaml as it is "
            f"by {numbers} (positive is better; 95 % interval over seeds): "
        )
        if confirmed.low > 0:
            words += "better than the noise of seeds explains."
        elif confirmed.high < 0:
            return f"{words}worse than the noise of seeds explains, its lead in the search was luck; nothing to change."
        else:
            words += "no more than the noise of seeds explains."
    return (
        f"{words} The scores flatter the winner all the same: it was chosen on these validation images. "
        "metrics/test.json of its experiment does not."
    )


def write_trials(path: Path, study: optuna.Study, plan: Plan) -> None:
    """A CSV row per finished setting: its number, state, scores by seed, why it ended early, and its values."""
    seeds = [f"seed_{seed}" for seed in range(plan.seeds)]
    with atomic_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["setting", "mean", *seeds, "ended_early", *plan.space])
        for place, trial in enumerate(finished(study), start=1):
            scores = trial.user_attrs.get(SCORES, [])
            mean = f"{np.mean(scores):.6f}" if len(scores) == plan.seeds else ""
            cells = [f"{score:.6f}" for score in scores] + [""] * (plan.seeds - len(scores))
            values = chosen_values(trial.params, plan.space)
            writer.writerow([place, mean, *cells, trial.user_attrs.get(REASON, ""), *values.values()])


def as_run(study: optuna.Study, plan: Plan, params: Mapping[str, object], metric: str, files: Sequence[Path]) -> Run:
    """The study as MLflow shows it: a run with a child per finished setting, whose history is its first training."""
    winner = best(study)
    children = []
    for place, trial in enumerate(finished(study), start=1):
        scores = trial.user_attrs.get(SCORES, [])
        metrics = {f"{metric}/seed_{seed}": score for seed, score in enumerate(scores)}
        if len(scores) == plan.seeds:
            metrics[metric] = float(np.mean(scores))
        history = [{"epoch": float(epoch), "epoch_score": value} for epoch, value in trial.intermediate_values.items()]
        tags = {"ended_early": trial.user_attrs[REASON]} if REASON in trial.user_attrs else {}
        values: dict[str, Any] = chosen_values(trial.params, plan.space)
        children.append(Run(f"setting {place}", values, metrics, history, tags=tags))
    metrics = {f"{metric}/default": float(np.mean(default_scores(study)))}
    if winner is not None and winner.value is not None:
        metrics[f"{metric}/best"] = winner.value
    return Run(study.study_name, params, metrics, artifacts=files, children=children)
