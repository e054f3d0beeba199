"""Plots of all images together: their map, whether the heat maps hold, and the slices that are worse."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from lacuna.analysis.explain.slices import Slice
from lacuna.calibration.cross_fit import Judgement
from lacuna.core.scores import Floats, Labels
from lacuna.io.plurals import number_of
from lacuna.presentation.style import BLUE, DARK, GREY, LIGHT, ORANGE, legend, picture, shorten

PALETTE = (BLUE, "#E69F00", "#009E73", "#CC79A7", "#56B4E9", ORANGE, "#F0E442", "#000000")
"""Okabe and Ito 2008; more classes than colours could not be told apart."""

MOST_SLICES = 20

SMALLEST_FALL = 0.1
"""The axes of probabilities reach at least so far, so that next to nothing looks like it."""


def plot_embedding(path: Path, judgement: Judgement, rows: Labels, places: Floats, method: str) -> None:
    """The images at `rows` of a judgement at their places (len(rows), 2), coloured by label, wrong ones marked.

    With more classes than colours, the commonest ones have a colour.
    """
    x, y = places.T
    labels, wrong = judgement.labels[rows], (judgement.known & ~judgement.right)[rows]
    counts = np.bincount(labels[labels >= 0], minlength=judgement.target.n_classes)
    order = [index for index in np.argsort(-counts, kind="stable").tolist() if counts[index]]
    coloured = order if len(order) <= len(PALETTE) else order[: len(PALETTE) - 1]
    size = float(np.clip(3000 / max(len(rows), 1), 5, 18))
    with picture(path, 7.2, 4.8) as figure:
        axes = figure.subplots()
        unknown = labels < 0
        if unknown.any():
            text = f"unknown ({unknown.sum()})"
            axes.scatter(x[unknown], y[unknown], s=size * 0.5, color=LIGHT, linewidths=0, label=text)
        others = ~unknown & ~np.isin(labels, coloured)
        if others.any():
            text = f"{number_of(len(order) - len(coloured), 'other class', 'other classes')} ({others.sum()})"
            axes.scatter(x[others], y[others], s=size, color="#B4B4B4", linewidths=0, label=text)
        for index, colour in zip(coloured, PALETTE, strict=False):
            here = labels == index
            name = f"{shorten(judgement.target.classes[index])} ({here.sum()})"
            axes.scatter(x[here], y[here], s=size, color=colour, linewidths=0, label=name)
        label = f"decided wrongly ({wrong.sum()})"
        axes.scatter(x[wrong], y[wrong], s=size * 4, facecolors="none", edgecolors=DARK, linewidths=0.8, label=label)
        title = (
            f"{shorten(judgement.target.name)}: {number_of(len(rows), 'validation image')}, alike to the network = near"
        )
        axes.set(title=title, xticks=[], yticks=[])
        axes.set_xlabel(f"{'t-SNE' if method == 'tsne' else 'UMAP'} of the pooled features; the axes have no unit")
        axes.margins(0.04)
        axes.spines[:].set_visible(False)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, handletextpad=0.3)


def plot_faithfulness(path: Path, summaries: Mapping[str, Mapping[str, Any]], confidence: float) -> None:
    """Per target how far the probability falls when the hottest tenth is blurred, beside another tenth."""
    names = list(summaries)
    with picture(path, 8, 1.5 + 0.42 * len(names)) as figure:
        axes, right = figure.subplots(1, 2, sharey=True)
        for row, name in enumerate(reversed(names)):
            values = summaries[name]
            for panel in (axes, right):
                panel.axhline(row, color=LIGHT, linewidth=0.6, zorder=0)
            text = number_of(values["images"], "image")
            right.text(1.02, row, text, transform=right.get_yaxis_transform(), va="center", fontsize=7.5, color=GREY)
            if "difference" not in values:
                continue
            axes.plot([values["drop_random"], values["drop_hottest"]], [row] * 2, color=LIGHT, linewidth=2.5)
            axes.plot(values["drop_random"], row, "o", color=GREY)
            axes.plot(values["drop_hottest"], row, "o", color=ORANGE)
            colour = BLUE if values.get("shown") else GREY
            if "difference_low" in values:
                ends = [values["difference_low"], values["difference_high"]]
                right.plot(ends, [row] * 2, color=colour, linewidth=1.6)
            right.plot(values["difference"], row, "o", color=colour)
        for panel, title in ((axes, "probability falls by"), (right, f"difference, {confidence:.0%} interval")):
            panel.axvline(0, color=GREY, linewidth=0.8)
            panel.set(title=title, ylim=(-0.6, len(names) - 0.4), xlabel="probability, 0 to 1")
            panel.spines["left"].set_visible(False)
            panel.tick_params(axis="y", length=0)
            low, high = panel.get_xlim()
            panel.set_xlim(min(low, -SMALLEST_FALL / 10), max(high, SMALLEST_FALL))
            panel.locator_params(axis="x", nbins=4)
        axes.set_yticks(range(len(names)), [shorten(name) for name in reversed(names)], color=DARK)
        legend(
            figure,
            Line2D([], [], color=ORANGE, marker="o", linestyle="", label="hottest tenth of the image blurred"),
            Line2D([], [], color=GREY, marker="o", linestyle="", label="another tenth blurred"),
        )


def plot_slices(path: Path, slices: Sequence[Slice], confidence: float) -> None:
    """The slices that are shown to be worse than the rest; a sentence where there is none."""
    shown = [worse for worse in slices if worse.shown][:MOST_SLICES]
    n_shown = sum(worse.shown for worse in slices)
    title = f"{n_shown} of {len(slices)} slices {'is' if n_shown == 1 else 'are'} shown to be worse than the rest"
    if n_shown > len(shown):
        title += f", the {len(shown)} clearest of them"
    with picture(path, 8, 1.6 + 0.32 * len(shown) if shown else 0.7) as figure:
        if not shown:
            figure.text(0.012, 0.62, title, fontsize=10, weight="bold")
            said = "That is no proof that all are alike: a slice of few images must be much worse for it to show."
            figure.text(0.012, 0.24, said, fontsize=8.5, color=GREY)
            return
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, weight="bold")
        axes = figure.subplots()
        for row, worse in enumerate(reversed(shown)):
            axes.axhline(row, color=LIGHT, linewidth=0.6, zorder=0)
            axes.plot([worse.rest] * 2, [row - 0.2, row + 0.2], color=BLUE, linewidth=2.5)
            axes.plot([worse.rest + worse.low, worse.rest + worse.high], [row] * 2, color=ORANGE, linewidth=1.6)
            axes.plot(worse.accuracy, row, "o", color=ORANGE)
            text = number_of(worse.images, "image")
            axes.text(1.02, row, text, transform=axes.get_yaxis_transform(), va="center", fontsize=7.5, color=GREY)
        names = [
            f"{shorten(worse.target)} where {shorten(worse.by)}: {shorten(worse.name)}" for worse in reversed(shown)
        ]
        axes.set_yticks(range(len(shown)), names, color=DARK)
        axes.set(xlim=(0, 1.02), ylim=(-0.6, len(shown) - 0.4), xlabel="share of decisions that are right")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        legend(
            figure,
            Line2D([], [], color=ORANGE, marker="o", label=f"these images, {confidence:.0%} interval of the distance"),
            Line2D([], [], color=BLUE, marker="|", markersize=9, markeredgewidth=2.5, linestyle="", label="the rest"),
        )
