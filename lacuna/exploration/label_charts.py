"""Charts of the labels: how many are known in each part, how many images each class has, and where they are missing."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from lacuna.exploration.missingness import Dependence
from lacuna.exploration.shown_classes import shown_classes
from lacuna.manifest import PARTS
from lacuna.pictures import BLUE, DARK, GREEN, GREY, LIGHT, ORANGE, SKY, legend, picture, shorten
from lacuna.targets import Target, Targets

MOST_TARGETS = 40
"""More rows or panels than this are not drawn; the tables hold all."""

MOST_PANELS = 9
MOST_PATTERNS = 10

Counts = NDArray[np.int64]
"""Images of a target by part and class `(3, n_classes + 1)`; the last column is unknown."""


def plot_labels(path: Path, targets: Targets, counts: Sequence[Counts]) -> None:
    """The share of present, absent and unknown labels of every target in each part."""
    shown = list(zip(targets, counts, strict=True))[:MOST_TARGETS]
    more = f", the first {MOST_TARGETS} of {len(targets)} targets" if len(targets) > MOST_TARGETS else ""
    with picture(path, 8.5, 1.35 + 0.3 * len(shown)) as figure:
        panels = figure.subplots(1, len(PARTS), sharey=True)
        for axes, part, name in zip(panels, range(len(PARTS)), ("training", "validation", "test"), strict=True):
            for row, (target, count) in enumerate(shown):
                total, left = max(count[part].sum(), 1), 0.0
                for n, colour, ink in _segments(target, count[part]):
                    share = n / total
                    axes.barh(row, share, left=left, color=colour, height=0.72)
                    if share >= 0.06:
                        text = f"{100 * share:.0f} %"
                        axes.text(left + share / 2, row, text, ha="center", va="center", fontsize=7, color=ink)
                    left += share
            axes.set(title=f"{name}: {shown[0][1][part].sum():,} images", xlim=(0, 1), xticks=[])
            axes.spines[["bottom", "left"]].set_visible(False)
            axes.tick_params(length=0)
        panels[0].set_yticks(range(len(shown)), [shorten(target.name) for target, _ in shown], color=DARK)
        panels[0].set_ylim(len(shown) - 0.45, -0.55)
        figure.suptitle(f"Labels by part{more}", x=0.01, ha="left", fontsize=10, weight="bold")
        kinds = {target.kind for target, _ in shown}
        handles = [("present", BLUE), ("absent", SKY)] if "binary" in kinds else []
        handles += [("known class", GREEN)] if "categorical" in kinds else []
        legend(figure, *(_square(*one) for one in [*handles, ("unknown", LIGHT)]))


def _segments(target: Target, count: Counts) -> list[tuple[int, str, str]]:
    """Numbers of images, the colour of their bar and of the text in it."""
    known, unknown = count[:-1], int(count[-1])
    if target.kind == "binary":
        return [(int(known[1]), BLUE, "white"), (int(known[0]), SKY, DARK), (unknown, LIGHT, DARK)]
    return [(int(known.sum()), GREEN, "white"), (unknown, LIGHT, DARK)]


def plot_classes(path: Path, targets: Sequence[tuple[Target, Counts]], most: int) -> None:
    """Images of the classes of each target by part; of many classes the most frequent and the rarest."""
    targets = targets[:MOST_TARGETS]
    chosen = [_bars(target, count, most) for target, count in targets]
    across = min(len(targets), 3)
    down = math.ceil(len(targets) / across)
    tallest = max(len(bars) for bars in chosen)
    with picture(path, max(6.2, 3.3 * across), 0.7 + down * (0.55 + 0.19 * tallest)) as figure:
        grid = figure.subplots(down, across, squeeze=False).ravel().tolist()
        for unused in grid[len(targets) :]:
            unused.set_visible(False)
        for axes, (target, _), bars in zip(grid, targets, chosen, strict=False):
            _draw_classes(axes, target, bars, tallest)
        figure.suptitle("Images per class and part", x=0.01, ha="left", fontsize=10, weight="bold")
        handles = [("training", BLUE), ("validation", SKY), ("test", ORANGE), ("unknown", LIGHT)]
        if any(what == "rest" for bars in chosen for _, _, what in bars):
            handles.insert(3, ("several classes", GREY))
        legend(figure, *(_square(*one) for one in handles))


def _bars(target: Target, count: Counts, most: int) -> list[tuple[str, Counts, str]]:
    """A name, images by part and what it is: a class, several classes ("rest") or "unknown"."""
    shown = shown_classes(count[:, :-1].sum(axis=0).tolist(), most)
    classes = [(target.classes[index], count[:, index], "class") for index in shown.all]
    if shown.rest:
        words = f"{len(shown.rest)} more classes"
        classes.insert(len(shown.frequent), (words, count[:, list(shown.rest)].sum(axis=1), "rest"))
    return [*classes, ("unknown", count[:, -1], "unknown")]


def _draw_classes(axes: Axes, target: Target, bars: Sequence[tuple[str, Counts, str]], tallest: int) -> None:
    longest = max(max(int(parts.sum()) for _, parts, _ in bars), 1)
    for row, (_, parts, what) in enumerate(bars):
        left = 0
        colours = {"class": (BLUE, SKY, ORANGE), "rest": (GREY,) * 3, "unknown": (LIGHT,) * 3}[what]
        for n, colour in zip(parts.tolist(), colours, strict=True):
            axes.barh(row, n, left=left, color=colour, height=0.72)
            left += n
        axes.text(left + longest * 0.02, row, f"{left:,}", va="center", fontsize=7, color=DARK)
    axes.set_yticks(range(len(bars)), [shorten(name) for name, _, _ in bars], color=DARK, fontsize=7.5)
    for label, (_, _, what) in zip(axes.get_yticklabels(), bars, strict=True):
        label.set(color=DARK if what == "class" else GREY, style="normal" if what == "class" else "italic")
    axes.set(title=shorten(target.name), xlim=(0, longest * 1.18), xticks=[])
    axes.set_ylim(tallest - 0.4, -0.6)  # bars of one thickness in all panels
    axes.spines[["bottom", "left"]].set_visible(False)
    axes.tick_params(length=0)


def plot_patterns(path: Path, patterns: Sequence[tuple[tuple[str, ...], int]]) -> None:
    """In how many images which targets are unknown together."""
    total = sum(n for _, n in patterns)
    shown = patterns[:MOST_PATTERNS]
    names = [_name_pattern(gone) for gone, _ in shown]
    counts = [n for _, n in shown]
    if len(patterns) > len(shown):
        names.append(f"{len(patterns) - len(shown)} more patterns")
        counts.append(total - sum(counts))
    with picture(path, 7, 0.75 + 0.25 * len(names)) as figure:
        axes = figure.subplots()
        axes.barh(
            range(len(names)), counts, color=[GREEN if not gone else GREY for gone, _ in shown] + [LIGHT], height=0.7
        )
        for row, n in enumerate(counts):
            axes.text(n, row, f" {n:,} ({100 * n / total:.0f} %)", va="center", fontsize=8, color=DARK)
        axes.set_yticks(range(len(names)), names, color=DARK)
        axes.set(xticks=[], xlim=(0, max(counts) * 1.2))
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.spines[["bottom", "left"]].set_visible(False)
        axes.tick_params(length=0)
        title = "What is unknown in the same image (training and validation)"
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, weight="bold")


def _square(name: str, colour: str) -> Line2D:
    return Line2D([], [], color=colour, label=name, marker="s", markersize=7, linestyle="")


def _name_pattern(gone: tuple[str, ...]) -> str:
    if not gone:
        return "nothing"
    words = " + ".join(map(shorten, gone))
    return words if len(words) <= 44 else f"{len(gone)} targets: {words[:28]}…"


def plot_missing_by_class(
    path: Path, dependences: Sequence[Dependence], labels: NDArray[np.int16], targets: Targets, most: int
) -> None:
    """The unknown share of a target under each class of another, for the dependences that were found."""
    chosen = dependences[:MOST_PANELS]
    places = {name: column for column, name in enumerate(targets.names)}
    across = min(len(chosen), 3)
    down = math.ceil(len(chosen) / across)
    tables = []
    for one in chosen:
        given, gone = labels[:, places[one.given]], labels[:, places[one.target]] < 0
        n = np.bincount(given[given >= 0], minlength=targets[places[one.given]].n_classes)
        lost = np.bincount(given[(given >= 0) & gone], minlength=len(n))
        tables.append((shown_classes(n.tolist(), most).all, n, lost))
    tallest = max(len(shown) for shown, _, _ in tables)
    with picture(path, max(5.0, 3.1 * across), 0.85 + down * (0.75 + 0.19 * tallest)) as figure:
        grid = figure.subplots(down, across, squeeze=False).ravel().tolist()
        for unused in grid[len(chosen) :]:
            unused.set_visible(False)
        for axes, one, (shown, n, lost) in zip(grid, chosen, tables, strict=False):
            classes = targets[places[one.given]].classes
            shares = lost[list(shown)] / n[list(shown)]
            axes.barh(range(len(shown)), shares, color=BLUE, height=0.7)
            for row, (share, index) in enumerate(zip(shares, shown, strict=True)):
                words = f" {100 * share:.0f} % of {n[index]:,}"
                axes.text(share, row, words, va="center", fontsize=7, color=DARK)
            axes.axvline(lost.sum() / max(n.sum(), 1), color=ORANGE, linestyle=":", linewidth=1.4)
            axes.set_yticks(range(len(shown)), [shorten(classes[index]) for index in shown], color=DARK, fontsize=7.5)
            axes.set(title=f"{shorten(one.target)}\nby {shorten(one.given)}", xlim=(0, 1.32), xticks=[])
            axes.set_ylim(tallest - 0.4, -0.6)
            axes.spines[["bottom", "left"]].set_visible(False)
            axes.tick_params(length=0)
        figure.suptitle("Unknown share by the class of another target", x=0.01, ha="left", fontsize=10, weight="bold")
        legend(figure, Line2D([], [], color=ORANGE, linestyle=":", label="all classes together"))
