"""The table and the picture of benchmarks/gaps.py, from its figures."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from benchmarks.gaps_labels import WAYS
from lacuna.plots import BLUE, GREY, LIGHT, ORANGE, picture

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
            gains = [f"{row[d]['mean']:+.3f} [{row[d]['low']:+.3f}, {row[d]['high']:+.3f}]" for d in differences]
            lines.append(f"| {' | '.join([name, how, *scores, left, *gains])} |")
    return "\n".join(lines)


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
    for way in reversed(WAYS):
        colour, marker = LOOKS[way]
        low, mean, high = ([row[way][end] for row in rows] for end in ("low", "mean", "high"))
        axes.fill_between(shares, low, high, color=colour, alpha=0.25, linewidth=0)
        axes.plot(shares, mean, color=colour, marker=marker, markersize=5, linewidth=2)
        if way != "dropped":
            axes.text(
                shares[-1] + 0.02, mean[-1], f"{way} {mean[-1]:.2f}", color=colour, va="center", fontweight="bold"
            )
            continue
        place = (shares[1] + shares[2]) / 2, (mean[1] + mean[2]) / 2
        axes.annotate(
            "dropped", place, (8, 0), textcoords="offset points", color=colour, va="center", fontweight="bold"
        )
        shown = ""
        for row in rows[1:]:
            left = f"{np.median(row[way]['images']):,.0f} images left"
            where = (row["share"], row[way]["mean"])
            if left != shown:
                axes.annotate(left, where, (5, 5), textcoords="offset points", color=colour, fontsize=7.5)
            shown = left
    axes.set(xlim=(-0.02, 1.22), ylim=(0, 0.9), xticks=shares, yticks=[0, 0.2, 0.4, 0.6, 0.8])
    axes.set_xticklabels([f"{share:.0%}".rstrip("%") for share in shares])
    axes.grid(axis="y", color=LIGHT, linewidth=0.6)
    axes.set_axisbelow(True)
