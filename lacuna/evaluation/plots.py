"""Pictures of a whole run: every target beside its trivial baseline, and the loss over both training phases."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from lacuna.evaluation.training_curves import read_history
from lacuna.evaluation.verdicts import LEARNED
from lacuna.presentation.style import BLUE, DARK, GREY, LIGHT, ORANGE, legend, picture, shorten


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
                [], [], color=ORANGE, marker="|", markersize=9, markeredgewidth=2.5, linestyle="", label="best trivial"
            ),
        )


def plot_loss_curve(path: Path, warmup: Path, finetune: Path) -> None:
    """Training and validation log loss over both phases, from their history files."""
    phases = [read_history(warmup), read_history(finetune)]
    rows = [row for phase in phases for row in phase]
    epochs = range(1, len(rows) + 1)
    with picture(path, 7, 3.4) as figure:
        axes = figure.subplots()
        axes.plot(epochs, [row["log_loss"] for row in rows], color=ORANGE, marker="o", markersize=3.5, label="training")
        validation = [row["val_log_loss"] for row in rows]
        axes.plot(epochs, validation, color=BLUE, marker="o", markersize=3.5, label="validation")
        start = len(phases[0])
        axes.set_ylim(bottom=0)
        top = axes.get_ylim()[1]
        if phases[0] and phases[1]:
            axes.axvline(start + 0.5, color=GREY, linestyle=":", linewidth=1)
        for phase, first, name in zip(phases, (0, start), ("warm-up", "fine-tuning"), strict=True):
            if phase:
                axes.text(first + 0.6, top, name, color=GREY, va="bottom", fontsize=9)
        if rows:
            best = int(np.nanargmin(validation))
            axes.plot(best + 1, validation[best], "o", markersize=11, markerfacecolor="none", color=BLUE)
            axes.annotate(
                f"best, epoch {best + 1}: {validation[best]:.3f}",
                (best + 1, validation[best]),
                xytext=(0, 12),
                textcoords="offset points",
                ha="center" if 1 < best + 1 < len(rows) else ("right" if best else "left"),
                color=BLUE,
                fontsize=8,
            )
        axes.set(xlabel="epoch", ylabel="log loss", xlim=(0.5, max(len(rows), 1) + 0.5))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="upper right")
