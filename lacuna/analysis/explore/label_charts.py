"""Charts of the labels: how many are known in each part, how many images each class has, and where they are missing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from lacuna.analysis.explore.missingness import Dependence, residuals
from lacuna.analysis.explore.shown_classes import shown_classes
from lacuna.analysis.explore.subject import Counts
from lacuna.core.manifest import PARTS
from lacuna.core.targets import UNKNOWN, Target, Targets
from lacuna.io.plurals import number_of
from lacuna.presentation.style import BLUE, DARK, GREEN, GREY, LIGHT, ORANGE, SKY, legend, picture, shorten
from lacuna.stats.association import crosstab
from lacuna.stats.numbers import in_percent

MOST_TARGET_ROWS = 40
"""More rows or panels than this are not drawn; the tables hold all."""

MOST_PANELS = 9
MOST_PATTERNS = 10

PART_COLOURS = (BLUE, SKY, ORANGE)

CLASS_COLOURS = ((GREEN, "white"), ("#8FD3BF", DARK))
"""Of neighbouring classes in a bar, in turn, and of the text in them."""

RARER = "#D6EEE7"
MOST_IN_BAR = 6
"""A bar shows so many classes of a target, the commonest of all parts, and the rarer ones together."""

LETTER = 0.027
"""The width of a letter in a bar, as a share of the bar's whole length."""


def plot_labels(path: Path, targets: Targets, counts: Sequence[Counts]) -> None:
    """The shares of the classes and of unknown labels of every target in each part."""
    shown = list(zip(targets, counts, strict=True))[:MOST_TARGET_ROWS]
    more = f", the first {MOST_TARGET_ROWS} of {len(targets)} targets" if len(targets) > MOST_TARGET_ROWS else ""
    below = [_names_below(target, count) for target, count in shown]
    rows = np.cumsum([0.0, *(1.0 + 0.5 * bool(names) for names in below)])
    with picture(path, 8.5, 1.35 + 0.3 * rows[-1]) as figure:
        panels = figure.subplots(1, len(PARTS), sharey=True)
        for row, names in zip(rows, below, strict=False):  # under the bars of all parts
            panels[0].text(0, row + 0.62, names, va="center", fontsize=7, color=GREY, in_layout=False)
        for axes, part, name in zip(panels, range(len(PARTS)), ("training", "validation", "test"), strict=True):
            for row, (target, count) in zip(rows, shown, strict=False):
                total, left = max(count[part].sum(), 1), 0.0
                for n, what, colour, ink in _segments(target, count, part):
                    share = n / total
                    axes.barh(row, share, left=left, color=colour, height=0.72)
                    texts = (_named(what, share), in_percent(share), "")
                    text = next(words for words in texts if len(words) * LETTER <= share)
                    axes.text(left + share / 2, row, text, ha="center", va="center", fontsize=7, color=ink)
                    left += share
            axes.set(title=f"{name}: {number_of(int(shown[0][1][part].sum()), 'image')}", xlim=(0, 1), xticks=[])
            axes.spines[["bottom", "left"]].set_visible(False)
            axes.tick_params(length=0)
            axes.patch.set_visible(False)  # it would cover the names
        panels[0].set_yticks(rows[:-1], [shorten(target.name) for target, _ in shown], color=DARK)
        panels[0].set_ylim(rows[-1] - 0.45, -0.55)
        figure.suptitle(f"Labels by part{more}", x=0.01, ha="left", fontsize=10, weight="bold")
        kinds = {target.kind for target, _ in shown}
        handles = [("present", BLUE), ("absent", SKY)] if "binary" in kinds else []
        if "categorical" in kinds:
            handles.append(("classes, the commonest first", GREEN))
        if any(target.n_classes > MOST_IN_BAR for target, _ in shown):
            handles.append(("rarer classes", RARER))
        legend(figure, *(_square(*entry) for entry in [*handles, ("unknown", LIGHT)]))


def _named(what: str, share: float) -> str:
    return f"{what} {in_percent(share)}".strip()


def _names_below(target: Target, count: Counts) -> str:
    """The classes in the order of the bar, where some of training's are too narrow for their names."""
    if target.kind == "binary":
        return ""
    total = max(count[0].sum(), 1)
    classes = [(what, n / total) for n, what, *_ in _segments(target, count, 0) if what]
    fits = all(len(_named(what, share)) * LETTER <= share for what, share in classes)
    rarer = target.n_classes - len(classes)
    more = f" and {number_of(rarer, 'rarer one')}" if rarer else ""
    return "" if fits else f"in this order: {', '.join(what for what, _ in classes)}{more}"


def _segments(target: Target, count: Counts, part: int) -> list[tuple[int, str, str, str]]:
    """Numbers of images, what they are, the colour of their bar and of the text in it."""
    known, unknown = count[part, :-1].tolist(), (int(count[part, -1]), "", LIGHT, DARK)
    if target.kind == "binary":
        return [(known[1], "", BLUE, "white"), (known[0], "", SKY, DARK), unknown]
    order = np.argsort(-count[:, :-1].sum(axis=0), kind="stable").tolist()
    shown, rarer = order[:MOST_IN_BAR], order[MOST_IN_BAR:]
    segments = [
        (known[index], shorten(target.classes[index]), *CLASS_COLOURS[place % 2]) for place, index in enumerate(shown)
    ]
    return [*segments, (sum(known[index] for index in rarer), "", RARER, DARK), unknown]


def plot_classes(path: Path, targets: Sequence[tuple[Target, Counts]], most: int) -> None:
    """Images of the classes of each target by part; of many classes the most frequent and the rarest."""
    targets = targets[:MOST_TARGET_ROWS]
    chosen = [_bars(target, count, most) for target, count in targets]
    across = min(len(targets), 3)
    with _panels(path, [len(bars) for bars in chosen], across, max(6.2, 3.3 * across)) as panels:
        for axes, (target, _), bars in zip(panels, targets, chosen, strict=True):
            _draw_classes(axes, target, bars)
        figure = panels[0].figure
        figure.suptitle("Images per class and part", x=0.01, ha="left", fontsize=10, weight="bold")
        names = ("training", "validation", "test", "unknown")
        handles = zip(names, (*PART_COLOURS, LIGHT), strict=True)
        legend(figure, *(_square(*entry) for entry in handles))


def _bars(target: Target, count: Counts, most: int) -> list[tuple[str, Counts, str]]:
    """A name, images by part and what it is: a class, several classes ("rest") or "unknown"."""
    shown = shown_classes(count[:, :-1].sum(axis=0).tolist(), most)
    classes = [(target.classes[index], count[:, index], "class") for index in shown.all]
    if shown.rest:
        words = number_of(len(shown.rest), "more class", "more classes")
        classes.insert(len(shown.frequent), (words, count[:, list(shown.rest)].sum(axis=1), "rest"))
    return [*classes, ("unknown", count[:, -1], "unknown")]


def _draw_classes(axes: Axes, target: Target, bars: Sequence[tuple[str, Counts, str]]) -> None:
    """The classes that are not shown get their number alone: their bar would dwarf the others."""
    longest = max(max(int(parts.sum()) for _, parts, what in bars if what != "rest"), 1)
    for row, (_, parts, what) in enumerate(bars):
        if what == "rest":
            words = f"{parts.sum():,} in all"
            axes.text(longest * 0.02, row, words, va="center", fontsize=7, color=GREY, style="italic")
            continue
        left = 0
        for n, colour in zip(parts.tolist(), (LIGHT,) * 3 if what == "unknown" else PART_COLOURS, strict=True):
            axes.barh(row, n, left=left, color=colour, height=0.72)
            left += n
        axes.text(left + longest * 0.02, row, f"{left:,}", va="center", fontsize=7, color=DARK)
    axes.set_yticks(range(len(bars)), [shorten(name) for name, _, _ in bars], color=DARK, fontsize=7.5)
    for label, (_, _, what) in zip(axes.get_yticklabels(), bars, strict=True):
        label.set(color=DARK if what == "class" else GREY, style="normal" if what == "class" else "italic")
    axes.set(title=shorten(target.name), xlim=(0, longest * 1.18), xticks=[])
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
            axes.text(n, row, f" {n:,} ({in_percent(n, total)})", va="center", fontsize=8, color=DARK)
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
    tables = [
        crosstab(
            (labels[:, places[dependence.target]] == UNKNOWN).astype(np.int16),
            labels[:, places[dependence.given]],
            2,
            targets[places[dependence.given]].n_classes,
        )
        for dependence in chosen
    ]
    shown = [_most_telling(table, most) for table in tables]
    across = min(len(chosen), 3)
    with _panels(path, [len(classes) + 1 for classes in shown], across, max(5.0, 3.3 * across)) as panels:
        for axes, dependence, table, classes in zip(panels, chosen, tables, shown, strict=True):
            images, lost = table.sum(axis=0), table[1]
            overall = lost.sum() / images.sum()
            shares = lost[classes] / images[classes]
            axes.barh(range(len(classes)), shares, color=BLUE, height=0.7)
            axes.axvline(overall, color=ORANGE, linestyle=":", linewidth=1.4)
            reach = max(float(shares.max()), overall)
            for row, (index, share) in enumerate(zip(classes, shares, strict=True)):
                words = f"{in_percent(share)} of {images[index]:,}"
                axes.text(max(share, overall) + 0.03 * reach, row, words, va="center", fontsize=7, color=DARK)
            names = [shorten(targets[places[dependence.given]].classes[index]) for index in classes]
            axes.set_yticks(range(len(classes)), names, color=DARK, fontsize=7.5)
            axes.set(
                title=f"{shorten(dependence.target)}\nby {shorten(dependence.given)}", xlim=(0, 1.5 * reach), xticks=[]
            )
            axes.spines[["bottom", "left"]].set_visible(False)
            axes.tick_params(length=0)
        figure = panels[0].figure
        figure.suptitle("Unknown share by the class of another target", x=0.01, ha="left", fontsize=10, weight="bold")
        legend(figure, Line2D([], [], color=ORANGE, linestyle=":", label="all classes together"))


def _most_telling(table: NDArray[np.int64], most: int) -> list[int]:
    """The classes that depart most from the rest, in falling order of their unknown share."""
    images, lost = table.sum(axis=0), table[1]
    order = sorted(np.flatnonzero(images).tolist(), key=lambda index: -abs(residuals(table)[index]))[:most]
    return sorted(order, key=lambda index: (-lost[index] / images[index], index))


@contextmanager
def _panels(path: Path, sizes: Sequence[int], across: int, width: float) -> Iterator[list[Axes]]:
    """Yield an axes for each list of so many bars, with bars of one thickness in all of them."""
    rows = [max(sizes[start : start + across]) for start in range(0, len(sizes), across)]
    heights = [0.55 + 0.19 * size for size in rows]
    with picture(path, width, 0.7 + sum(heights)) as figure:
        grid = figure.subplots(len(rows), across, squeeze=False, height_ratios=heights).ravel().tolist()
        for unused in grid[len(sizes) :]:
            unused.set_visible(False)
        yield grid[: len(sizes)]
        for place, axes in enumerate(grid[: len(sizes)]):
            axes.set_ylim(rows[place // across] - 0.4, -0.6)
