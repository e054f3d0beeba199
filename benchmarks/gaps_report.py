"""The table and the picture of benchmarks/gaps.py, from its figures."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from benchmarks.gaps_labels import WAYS
from lacuna.presentation.style import BLUE, GREY, LIGHT, ORANGE, picture

LOOKS = {"masked": (BLUE, "o"), "filled": (ORANGE, "s"), "dropped": (GREY, "^")}
FILES = {"attributes": "20 attributes", "columns": "7 columns of classes"}
HOW = {"random": "hidden at random", "by class": "hidden by class"}
COMPARED = (("masked", "filled"), ("masked", "dropped"))


def gaps_table(results: dict[str, Any]) -> str:
    """A Markdown table: a row per label file, mechanism and share."""
    differences = [f"{a} - {b}" for a, b in COMPARED]
    header = ["label file", "hidden", *WAYS, "images left by dropping", *differences]
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for name, file in results["files"].items():
        for row in file["rows"]:
            how = f"{row['share']:.0%}" + (f" {row['mechanism']}" if row["share"] else "")
            scores = [f"{row[way]['mean']:.3f}" for way in WAYS]
            images = row["dropped"]["images"]
            left = f"{min(images):,}" + (f" to {max(images):,}" if min(images) < max(images) else "")
            gains = [_signed(**row[difference]) for difference in differences]
            lines.append(f"| {' | '.join([name, how, *scores, left, *gains])} |")
    return "\n".join(lines)


def _signed(mean: float, low: float, high: float) -> str:
    mean, low, high = (round(value, 3) + 0.0 for value in (mean, low, high))  # + 0.0: no negative zero
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"


def plot_gaps(path: Path, results: dict[str, Any]) -> None:
    """Macro average precision against the share hidden: a row per label file, a column per mechanism."""
    with picture(path, 8.4, 5.6) as figure:
        grid = figure.subplots(2, 2, sharex=True, sharey="row")
        for panels, (name, file) in zip(grid, results["files"].items(), strict=True):
            for axes, (mechanism, how) in zip(panels, HOW.items(), strict=True):
                rows = [row for row in file["rows"] if row["mechanism"] == mechanism or not row["share"]]
                _panel(axes, rows, file["random_order"])
                axes.set_title(f"{FILES[name]}, {how}")
            panels[0].set_ylabel("macro average precision")
        for axes in grid[1]:
            axes.set_xlabel("training labels hidden, %")


def _panel(axes: Axes, rows: list[dict[str, Any]], random_order: float) -> None:
    shares = [row["share"] for row in rows]
    axes.axhline(random_order, color=GREY, linestyle=":", linewidth=1.2)
    axes.text(0, random_order - 0.015, "random order", color=GREY, fontsize=8, va="top")
    ends = [rows[-1][way]["mean"] for way in ("masked", "filled")]
    apart = max(0.0, 0.07 - (ends[0] - ends[1])) / 2  # so that the names don't touch
    for way in reversed(WAYS):
        colour, marker = LOOKS[way]
        low, mean, high = ([row[way][end] for row in rows] for end in ("low", "mean", "high"))
        axes.fill_between(shares, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(shares, mean, color=colour, marker=marker, markersize=5, linewidth=2)
        if way == "dropped":
            _name_dropped(axes, rows)
            continue
        place = mean[-1] + (apart if way == "masked" else -apart)
        axes.text(shares[-1] + 0.03, place, f"{way} {mean[-1]:.2f}", color=colour, va="center", fontweight="bold")
    axes.set(xlim=(-0.02, 1.22), ylim=(0, 0.9), xticks=shares, yticks=[0, 0.2, 0.4, 0.6, 0.8])
    axes.set_xticklabels([f"{share:.0%}".rstrip("%") for share in shares])
    axes.grid(axis="y", color=LIGHT, linewidth=0.6)
    axes.set_axisbelow(True)


def _name_dropped(axes: Axes, rows: list[dict[str, Any]]) -> None:
    """Write the way's name beside its fall, and at its points how many images it has left, until none is."""
    first, second = ((row["share"], row["dropped"]["mean"]) for row in rows[1:3])
    middle = (first[0] + second[0]) / 2, (first[1] + second[1]) / 2
    beside: dict[str, Any] = {"textcoords": "offset points", "color": GREY}
    axes.annotate("dropped", middle, (14, 4), va="center", fontweight="bold", **beside)
    for row in rows[1:]:
        left = float(np.median(row["dropped"]["images"]))
        point = row["share"], row["dropped"]["mean"]
        axes.annotate(f"{left:,.0f} left", point, (-6, -10), ha="right", va="center", fontsize=7.5, **beside)
        if not left:
            break
