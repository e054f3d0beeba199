"""Pictures of a whole run: every target beside its trivial baseline, and the loss over both training phases."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from lacuna.core.training_curves import kept_epoch, read_history
from lacuna.evaluation.verdicts import LEARNED
from lacuna.io.csv_files import read_csv
from lacuna.presentation.style import BLUE, DARK, LIGHT, ORANGE, legend, picture, shorten

MOST_TARGETS_NAMED = 8
"""With more targets their names would cover each other."""

LETTERS_ACROSS = 52
"""Of names in the panel of penalties, where it is narrowest."""


def plot_attributes(path: Path, metrics: dict[str, dict[str, Any]]) -> None:
    """F1 and average precision of every target with intervals, beside the best trivial predictor.

    `metrics` holds the content of the metrics files by part: validation and test.
    """
    names = list(metrics["test"]["targets"])
    shown = (("f1", "F1"), ("average_precision", "average precision"))
    looks = {"validation": (0.16, "white", BLUE), "test": (-0.16, BLUE, BLUE)}
    with picture(path, 8, 1.5 + 0.5 * len(names)) as figure:
        panels = figure.subplots(1, 2, sharey=True)
        for axes, (key, title) in zip(panels, shown, strict=True):
            for row, name in enumerate(reversed(names)):
                axes.axhline(row, color=LIGHT, linewidth=0.6, zorder=0)
                for part, (shift, face, colour) in looks.items():
                    values = metrics[part]["targets"][name]
                    if f"baseline_{key}" in values:
                        place = values[f"baseline_{key}"]
                        axes.plot([place] * 2, [row + shift - 0.13, row + shift + 0.13], color=ORANGE, linewidth=2.5)
                    if f"{key}_low" in values:
                        ends = values[f"{key}_low"], values[f"{key}_high"]
                        axes.plot(ends, [row + shift] * 2, color=colour, linewidth=1.6)
                    if key in values:
                        axes.plot(values[key], row + shift, "o", markersize=6, markerfacecolor=face, color=colour)
            axes.set(title=title, xlim=(-0.02, 1.02), ylim=(-0.6, len(names) - 0.4), xticks=[0, 0.25, 0.5, 0.75, 1])
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="y", length=0)
        panels[0].set_yticks(range(len(names)), [shorten(name) for name in reversed(names)], color=DARK)
        for row, name in enumerate(reversed(names)):
            verdict = metrics["test"]["targets"][name]["verdict"]
            colour = DARK if verdict == LEARNED else ORANGE
            panels[1].text(1.06, row, verdict.replace(", ", ",\n"), va="center", fontsize=8, color=colour)
        legend(
            figure,
            Line2D([], [], color=BLUE, marker="o", markerfacecolor="white", label="validation"),
            Line2D([], [], color=BLUE, marker="o", label="test"),
            Line2D(
                [], [], color=ORANGE, marker="|", markersize=9, markeredgewidth=2.5, linestyle="", label="best guess"
            ),
        )


def plot_loss_curve(path: Path, warmup: Path, finetune: Path, regularization: Path) -> None:
    """How both phases were chosen: the penalties of an exact head, or epochs; the kept one is ringed."""
    steps = [
        (row["target"], float(row["l2"]), float(row["cv_log_loss"]), row["chosen"] == "1")
        for row in read_csv(regularization)
        if row["cv_log_loss"]  # a penalty that was given has none
    ]
    phases = {"warm-up": read_history(warmup), "fine-tuning": read_history(finetune)}
    shown = {name: history for name, history in phases.items() if len(history) > 1}
    n_panels = max(bool(steps) + len(shown), 1)
    with picture(path, 4.6 * n_panels if n_panels > 1 else 7, 3.4) as figure:
        panels = list(figure.subplots(1, n_panels, squeeze=False)[0])
        if steps:
            _draw_path(panels[0], steps)
        for axes, (name, history) in zip(panels[bool(steps) :], shown.items(), strict=False):
            _draw_epochs(axes, name, history)
        if not steps and not shown:
            panels[0].set(xticks=[], yticks=[], title="the head's strengths were given, and nothing was fine-tuned")


def _draw_path(axes: Axes, steps: Sequence[tuple[str, float, float, bool]]) -> None:
    """Cross-validated log loss of each target over the penalty, as a multiple of its lowest."""
    strengths = sorted({l2 for _, l2, _, _ in steps}, reverse=True)
    targets = list(dict.fromkeys(step[0] for step in steps))
    chosen: dict[int, list[str]] = {}
    for target in targets:
        of_target = [(strengths.index(l2), loss, kept) for name, l2, loss, kept in steps if name == target]
        lowest = min(loss for _, loss, _ in of_target)
        places, losses = [place for place, _, _ in of_target], [loss / lowest for _, loss, _ in of_target]
        axes.plot(places, losses, color=BLUE, linewidth=1, alpha=0.6, zorder=1)
        for place, loss, kept in of_target:
            if kept:
                axes.plot(place, loss / lowest, "o", markersize=6, markerfacecolor="white", color=BLUE)
                chosen.setdefault(place, []).append(shorten(target))
    top = max(1.06, min(axes.get_ylim()[1], 1.6))
    begins = first_lines(chosen, len(strengths)) if len(targets) <= MOST_TARGETS_NAMED else {}
    lines = max((begins[place] + len(chosen[place]) for place in begins), default=0)
    for place, line in begins.items():
        axes.annotate(
            "\n" * line + "\n".join(chosen[place]),
            (place, 1),
            xytext=(0, -7),
            textcoords="offset points",
            ha={0: "left", len(strengths) - 1: "right"}.get(place, "center"),  # inside the axes
            va="top",
            color=DARK,
            fontsize=8,
        )
    axes.set_xlim(-0.5, len(strengths) - 0.5)
    axes.set_xticks(range(len(strengths)), [f"{l2:g}" for l2 in strengths])
    axes.set(
        xlabel="L2 penalty: weaker to the right",
        ylabel="log loss / lowest",
        title="warm-up, cross-validated in training",
        ylim=(1 - (top - 1) * (0.06 + 0.1 * lines), top),
    )
    axes.set_yticks([tick for tick in axes.get_yticks() if 1 <= tick <= top])


def first_lines(chosen: Mapping[int, Sequence[str]], n_places: int) -> dict[int, int]:
    """At which line the names of each place begin, so that they don't run into those of its neighbours.

    Names stand in the middle of their place, those of the first and the last of the `n_places` inside of it.

    >>> first_lines({0: ["gender"], 1: ["a long name"], 2: ["another long name"], 6: ["kind"]}, 7)
    {0: 0, 1: 1, 2: 2, 6: 0}
    """
    begins: dict[int, int] = {}
    ends: dict[int, float] = {}
    for place in sorted(chosen):
        width = max(map(len, chosen[place])) * n_places / LETTERS_ACROSS
        left = place - {0: 0.0, n_places - 1: width}.get(place, width / 2)
        begins[place] = max((begins[one] + len(chosen[one]) for one in begins if ends[one] > left), default=0)
        ends[place] = left + width
    return begins


def _draw_epochs(axes: Axes, name: str, history: Sequence[Mapping[str, float]]) -> None:
    epochs, validation = [row["epoch"] for row in history], [row.get("val_log_loss", np.nan) for row in history]
    trained = [row for row in history if "log_loss" in row]
    axes.plot(
        [row["epoch"] for row in trained],
        [row["log_loss"] for row in trained],
        color=ORANGE,
        marker="o",
        markersize=3.5,
        label="training",
    )
    axes.plot(epochs, validation, color=BLUE, marker="o", markersize=3.5, label="validation")
    axes.set_ylim(bottom=0)
    kept = kept_epoch(history)
    axes.plot(kept, validation[kept], "o", markersize=11, markerfacecolor="none", color=BLUE)
    axes.annotate(
        f"kept, epoch {kept}: {validation[kept]:.3f}",
        (kept, validation[kept]),
        xytext=(0, 12),
        textcoords="offset points",
        ha="center" if 0 < kept < len(history) - 1 else ("right" if kept else "left"),
        color=BLUE,
        fontsize=8,
    )
    axes.set_ylim(top=1.2 * axes.get_ylim()[1])
    axes.set(xlabel="epoch", ylabel="log loss", title=name, xlim=(-0.5, len(history) - 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower left")
