"""Plots of a search: its history, how much each parameter matters, and where in the space good settings lie.

Optuna's own plots of these leave out what a reader needs here: settings that were ended early, the seeds of each, and
params.yaml as it is; their tick labels overlap from five parameters on.
"""

import math
from pathlib import Path

import numpy as np
import optuna
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter
from optuna.trial import TrialState

from lacuna.presentation.style import BLUE, DARK, GREY, LIGHT, ORANGE, SKY, legend, picture, shorten
from lacuna.tuning.search import (
    SCORES,
    Plan,
    Values,
    best,
    chosen_values,
    completed,
    default_scores,
    finished,
    place_of,
)


def plot_search(folder: Path, study: optuna.Study, plan: Plan, metric: str, defaults: Values) -> list[Path]:
    """Write history.png, space.png and, when there is enough to judge by, importance.png; return their paths."""
    words = f"validation macro {metric.replace('_', ' ')}"
    paths = [folder / "history.png", folder / "space.png"]
    plot_history(paths[0], study, plan, words)
    plot_space(paths[1], study, plan, words, defaults)
    importance = importances(study)
    if importance:
        paths.append(folder / "importance.png")
        plot_importance(paths[-1], importance, len(finished(study)), words)
    return paths


def importances(study: optuna.Study) -> dict[str, float]:
    """Each parameter's share of the variance between settings (fANOVA, Hutter et al. 2014), largest first.

    Settings that were ended early count as the worst finished setting: without them, what makes settings bad would not
    show.
    Empty with fewer than four finished settings that differ.
    """
    values = [trial.value for trial in completed(study) if trial.value is not None]
    if len(set(values)) < 4:
        return {}
    worst = (min if study.direction.name == "MAXIMIZE" else max)(values)
    every = optuna.create_study(direction=study.direction)
    for trial in finished(study):
        value = trial.value if trial.state is TrialState.COMPLETE else worst
        every.add_trial(optuna.trial.create_trial(params=trial.params, distributions=trial.distributions, value=value))
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    shares = optuna.importance.get_param_importances(every, evaluator=evaluator)
    return {key: float(share) for key, share in shares.items()}


def plot_history(path: Path, study: optuna.Study, plan: Plan, words: str) -> None:
    """Every setting in the order it was tried, its seeds as a range, and the best so far as a line."""
    defaults, top = float(np.mean(default_scores(study))), best(study)
    with picture(path, 7.5, 3.6) as figure:
        axes = figure.subplots()
        so_far, steps = defaults, []
        for place, trial in enumerate(finished(study), start=1):
            scores = trial.user_attrs.get(SCORES, [])
            if trial.state is TrialState.COMPLETE:
                so_far = (max if plan.higher else min)(so_far, float(np.mean(scores)))
                axes.plot([place, place], [min(scores), max(scores)], color=BLUE, alpha=0.4, linewidth=1.6)
                axes.plot(place, np.mean(scores), "o", color=BLUE, markersize=5.5)
            else:
                _cross(axes, place, plan)
            steps.append(so_far)
        axes.step(range(1, len(steps) + 1), steps, where="post", color=SKY, linewidth=1.6)
        axes.axhline(defaults, color=ORANGE, linestyle=":", linewidth=1.4)
        if top is not None:
            place = place_of(study, top)
            axes.plot(place, np.mean(top.user_attrs[SCORES]), "o", markersize=12, markerfacecolor="none", color=BLUE)
        axes.set(xlabel="setting", ylabel=words, xlim=(0.2, len(steps) + 0.8))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _look_at_the_best(axes, study, plan, defaults)
        legend(
            figure,
            Line2D([], [], color=BLUE, marker="o", label="mean and range of seeds"),
            Line2D([], [], color=SKY, linewidth=1.6, label="best so far"),
            Line2D([], [], color=GREY, marker="x", linestyle="", label="ended early"),
            Line2D([], [], color=ORANGE, linestyle=":", label="params.yaml as it is"),
        )


def plot_importance(path: Path, importance: dict[str, float], n_settings: int, words: str) -> None:
    """A bar per parameter, the largest on top."""
    names = list(importance)[::-1]
    with picture(path, 6.5, 1.1 + 0.34 * len(names)) as figure:
        axes = figure.subplots()
        bars = axes.barh(names, [importance[name] for name in names], color=BLUE, height=0.6)
        axes.bar_label(bars, [f"{importance[name]:.0%}" for name in names], padding=4, color=DARK)
        axes.set_title(f"What the differences between {n_settings} settings come from")
        axes.set(xlim=(0, 1.1 * max(importance.values())), xticks=[], xlabel=f"share of the variance of {words}")
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.tick_params(axis="y", length=0, labelcolor=DARK)


def plot_space(path: Path, study: optuna.Study, plan: Plan, words: str, defaults: Values) -> None:
    """A panel per parameter: what every finished setting scored against its value of it."""
    across = min(len(plan.space), 3)
    down = math.ceil(len(plan.space) / across)
    base, top = float(np.mean(default_scores(study))), best(study)
    with picture(path, max(5.2, 2.9 * across), 0.6 + 2.5 * down) as figure:
        grid = figure.subplots(down, across, squeeze=False, sharey=True).ravel().tolist()
        for unused in grid[len(plan.space) :]:
            unused.set_visible(False)
        for axes, (key, values) in zip(grid, plan.space.items(), strict=False):
            axes.axhline(base, color=ORANGE, linestyle=":", linewidth=1.2)
            axes.set_title(shorten(key))
            if values.choices:
                axes.set_xticks(range(len(values.choices)), [str(choice) for choice in values.choices])
                axes.set_xlim(-0.5, len(values.choices) - 0.5)
            elif values.log:
                axes.set_xscale("log")
                axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
                axes.xaxis.set_minor_formatter(NullFormatter())
            for trial in finished(study):
                x = _across(values.choices, chosen_values(trial.params, plan.space)[key])
                if trial.state is not TrialState.COMPLETE:
                    _cross(axes, x, plan)
                    continue
                axes.plot(x, trial.value, "o", color=BLUE, markersize=5, alpha=0.8)
                if top is not None and trial.number == top.number:
                    axes.plot(x, trial.value, "o", markersize=11, markerfacecolor="none", color=BLUE)
            if not values.choices or defaults[key] in values.choices:
                axes.axvline(_across(values.choices, defaults[key]), color=ORANGE, linestyle=":", linewidth=1.2)
            _look_at_the_best(axes, study, plan, base)
            if axes.get_subplotspec().is_first_col():
                axes.set_ylabel(words)
        legend(
            figure,
            Line2D([], [], color=BLUE, marker="o", linestyle="", label="every seed trained"),
            Line2D([], [], color=GREY, marker="x", linestyle="", label="ended early"),
            Line2D([], [], color=ORANGE, linestyle=":", label="params.yaml as it is"),
        )


def _cross(axes: Axes, x: float, plan: Plan) -> None:
    """Mark a setting that was ended early at the worse edge: how good it would have become is not known."""
    axes.plot(x, 0.04 if plan.higher else 0.96, "x", transform=axes.get_xaxis_transform(), color=GREY, markersize=5)


def _across(choices: tuple[object, ...], value: object) -> float:
    """Where a value stands on the axis: itself, or the place of a choice."""
    return float(choices.index(value)) if choices else float(value)  # type: ignore[arg-type]


def _look_at_the_best(axes: Axes, study: optuna.Study, plan: Plan, defaults: float) -> None:
    """Have the axis show the finished settings; a hopeless one would press them into a line."""
    means = [float(np.mean(trial.user_attrs[SCORES])) for trial in completed(study)] + [defaults]
    low, high = np.quantile(means, [0, 1])
    reach = max(high - low, 1e-6)
    axes.set_ylim(low - 0.35 * reach, high + 0.25 * reach)
    axes.grid(axis="y", color=LIGHT, linewidth=0.6)
    axes.set_axisbelow(True)
