"""New images beside those of training: a small picture for each kind of comparison."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from lacuna.inference.drift_reference import DriftReference, Properties
from lacuna.io.plurals import number_of
from lacuna.monitoring.drift import UNFAMILIAR, DriftComparison
from lacuna.monitoring.observe import Observed
from lacuna.presentation.style import BLUE, DARK, GREY, LIGHT, ORANGE, legend, picture, shorten

PANELS_PER_ROW = 4
HISTOGRAM_BINS = 30
MOST_SHARES = 14
"""At most so many shares of predicted classes are drawn: those that have changed most."""

MOST_CATEGORIES = 5


def plot_drift(
    path: Path, comparisons: Sequence[DriftComparison], reference: DriftReference, observed: Observed, title: str
) -> None:
    """Predicted shares, the two axes of largest variance, and every property, with what drifted in orange."""
    before, now = reference.properties, observed.properties
    drifted = {row.name.partition(" ")[0] for row in comparisons if row.family == "properties" and row.drifted}
    panels = len(before.categorical) + len(before.numeric)
    down = math.ceil(panels / PANELS_PER_ROW)
    with picture(path, 11, 4.6 + 2.3 * down) as figure:
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, wrap=True)
        top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=[3.4, 2.3 * down]).ravel()
        shares, cloud = top.subplots(1, 2, width_ratios=[1.5, 1])
        _shares(shares, comparisons)
        _cloud(cloud, reference.coordinates, observed.coordinates)
        grid = bottom.subplots(down, PANELS_PER_ROW, squeeze=False).ravel().tolist()
        for unused in grid[panels:]:
            unused.set_visible(False)
        names = [*before.categorical, *before.numeric]
        for axes, name in zip(grid, names, strict=False):
            (_categories if name in before.categorical else _numbers)(axes, name, before, now)
            axes.set_title(
                f"{name}: drifted" if name in drifted else name, color=ORANGE if name in drifted else "black"
            )
        legend(
            figure,
            Line2D([], [], color=BLUE, marker="o", label="training and validation"),
            Line2D([], [], color=ORANGE, marker="o", label=f"new ({len(observed):,})"),
        )


def _shares(axes: Axes, comparisons: Sequence[DriftComparison]) -> None:
    """Shares of unfamiliar images and of predicted classes, the most changed ones on top."""
    found = [comparison for comparison in comparisons if comparison.family == "predictions"]
    kept = sorted(found, key=lambda comparison: (not comparison.drifted, -comparison.result.effect))[:MOST_SHARES]
    rows = [
        comparison for comparison in comparisons if comparison.name == UNFAMILIAR and comparison.family == "features"
    ] + kept
    for row, comparison in enumerate(reversed(rows)):
        axes.axhline(row, color=LIGHT, linewidth=0.6, zorder=0)
        axes.plot([comparison.low, comparison.high], [row] * 2, color=ORANGE, linewidth=1.6)
        axes.plot(comparison.now, row, "o", color=ORANGE, markersize=4.5)
        axes.plot(comparison.before, row, "o", color=BLUE, markersize=4.5)
    axes.set_yticks(range(len(rows)), [_label(comparison) for comparison in reversed(rows)], fontsize=7.5)
    for tick, comparison in zip(axes.get_yticklabels(), reversed(rows), strict=True):
        tick.set_color(ORANGE if comparison.drifted else DARK)
    left_out = len(found) - len(kept)
    axes.set(
        xlim=(-0.02, 1.02),
        xlabel="share of the images" + (f" ({number_of(left_out, 'class', 'classes')} left out)" if left_out else ""),
    )
    axes.set_title("unfamiliar, and what is predicted")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _label(comparison: DriftComparison) -> str:
    return shorten(comparison.label) + (": drifted" if comparison.drifted else "")


def _cloud(axes: Axes, before: NDArray[np.float32], now: NDArray[np.float32]) -> None:
    for points, colour in ((before, BLUE), (now[:: -(-len(now) // 2000)], ORANGE)):
        second = points[:, 1] if points.shape[1] > 1 else np.zeros(len(points))
        axes.scatter(points[:, 0], second, s=6, color=colour, alpha=0.45, linewidths=0)
    axes.set(xlabel="1st axis of the features", ylabel="2nd axis", title="what the network sees")
    axes.tick_params(labelsize=7, colors=GREY)


def _categories(axes: Axes, name: str, before: Properties, now: Properties) -> None:
    """The share of each category, the commonest ones on top."""
    both = np.concatenate([before.categorical[name], now.categorical[name]])
    values, counts = np.unique(both, return_counts=True)
    shown = values[np.argsort(-counts, kind="stable")][:MOST_CATEGORIES]
    for row, category in enumerate(reversed(shown.tolist())):
        for shift, categories, colour in (
            (0.18, before.categorical[name], BLUE),
            (-0.18, now.categorical[name], ORANGE),
        ):
            axes.barh(row + shift, (categories == category).mean(), height=0.34, color=colour)
    axes.set_yticks(range(len(shown)), [shorten(str(category)) for category in reversed(shown.tolist())], fontsize=7.5)
    axes.set(xlim=(0, 1), xticks=[0, 0.5, 1])
    axes.tick_params(axis="x", labelsize=7)


def _numbers(axes: Axes, name: str, before: Properties, now: Properties) -> None:
    """Histograms of the middle 99 % of both, on a logarithmic axis where they vary much."""
    values = [part.numeric[name].astype(np.float64) for part in (before, now)]
    low, high = np.quantile(np.concatenate(values), [0.005, 0.995])
    if low == high:
        low, high = low - 1, high + 1
    logarithmic = low > 0 and high > 30 * low
    edges = np.geomspace(low, high, HISTOGRAM_BINS + 1) if logarithmic else np.linspace(low, high, HISTOGRAM_BINS + 1)
    was, now_is = (np.histogram(np.clip(part, low, high), edges)[0] / len(part) for part in values)
    axes.stairs(was, edges, color=BLUE, alpha=0.5, fill=True)
    axes.stairs(now_is, edges, color=ORANGE, linewidth=1.4)
    if logarithmic:
        axes.set_xscale("log")
        ticks = np.geomspace(low, high, 3)
        axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
        axes.set_xticks([], minor=True)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="x", labelsize=7)
