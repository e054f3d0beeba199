"""Pictures of a calibration and an evaluation: precision-recall, reliability, targets beside baselines, loss."""

import csv
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from lacuna.calibration import Calibration
from lacuna.files import whole_file
from lacuna.metrics import CALIBRATION_BINS, Floats, Labels, activate, average_precision, stated_and_observed
from lacuna.predictions import Predictions
from lacuna.targets import Target, Targets

# Colours that stay apart for colour-blind readers (Okabe and Ito 2008).
BLUE, ORANGE, GREY, LIGHT = "#0072B2", "#D55E00", "#6E6E6E", "#DADADA"

STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": "#333333",
    "xtick.color": GREY,
    "ytick.color": GREY,
    "legend.frameon": False,
    "savefig.dpi": 150,
    "lines.solid_capstyle": "round",
}
LONGEST_NAME = 22


@contextmanager
def picture(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Yield a figure of so many inches; it is written to `path` when the block ends without an error."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        with whole_file(path) as partial:
            figure.savefig(partial)


def shorten(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def plot_precision_recall(path: Path, targets: Targets, validation: Predictions, calibration: Calibration) -> None:
    """A precision-recall curve per target on validation, with what its decision rule reaches there marked.

    A categorical target's curve pools its classes, each against the rest.
    """
    decisions = calibration.decide(targets, validation.logits)
    with _panels(path, len(targets), 2.5) as panels:
        for index, (target, columns, axes) in enumerate(zip(targets, targets.slices, panels, strict=True)):
            known = validation.labels[:, index] >= 0
            labels = validation.labels[known, index]
            scores = activate(target, validation.logits[known][:, columns])
            _precision_recall(axes, target, labels, scores, decisions[known, index])
            threshold = calibration.targets[target.name].threshold
            at = "most probable class" if threshold is None else f"threshold {threshold:.2f}"
            axes.set_title(shorten(target.name))
            average = average_precision(labels, scores)
            text = at if average is None else f"average precision {average:.2f}\n{at}"
            axes.text(0.05, 0.05, text, transform=axes.transAxes, fontsize=8, color="#333333", va="bottom")
            axes.set(xlim=(0, 1.03), ylim=(0, 1.05), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], xlabel="recall")
        _only_left(panels, "precision")
        _legend(
            panels[0].figure,
            Line2D([], [], color=BLUE, label="validation"),
            Line2D([], [], color=ORANGE, marker="o", linestyle="", label="decisions"),
            Line2D([], [], color=GREY, linestyle=":", label="random order"),
        )


def plot_reliability(path: Path, targets: Targets, validation: Predictions, probabilities: list[Floats]) -> None:
    """How often what was stated with a probability came true, with how many images stated it below.

    The probabilities are cross-fitted: no image's label took part in its own calibration.
    """
    with _panels(path, len(targets), 2.9) as panels:
        for index, (target, chances, axes) in enumerate(zip(targets, probabilities, panels, strict=True)):
            stated, observed = stated_and_observed(validation.labels[:, index], chances)
            _reliability(axes, stated, observed)
            axes.set_title(shorten(target.name))
            what = "present" if target.kind == "binary" else "top class"
            axes.set_xlabel(f"probability of {what}")
        _only_left(panels, "share that came true")
        _legend(
            panels[0].figure,
            Line2D([], [], color=BLUE, marker="o", linestyle="", label="validation, 95% interval"),
            Line2D([], [], color=GREY, linestyle=":", label="perfect"),
            Line2D([], [], color=LIGHT, marker="s", markersize=7, linestyle="", label="number of images"),
        )


def plot_attributes(path: Path, metrics: dict[str, dict[str, Any]]) -> None:
    """F1 and average precision of every target with intervals, beside the best trivial predictor.

    `metrics` holds the content of the metrics files by part: validation and test.
    """
    names = list(metrics["test"]["targets"])
    figures = (("f1", "F1"), ("average_precision", "average precision"))
    looks = {"validation": (0.16, "white", BLUE), "test": (-0.16, BLUE, BLUE)}
    with picture(path, 8, 1.5 + 0.5 * len(names)) as figure:
        panels = figure.subplots(1, 2, sharey=True)
        for axes, (key, title) in zip(panels, figures, strict=True):
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
        panels[0].set_yticks(range(len(names)), [shorten(name) for name in reversed(names)], color="#333333")
        for row, name in enumerate(reversed(names)):
            verdict = metrics["test"]["targets"][name]["verdict"]
            panels[1].text(1.05, row, verdict, va="center", color="#333333" if verdict == "learned" else ORANGE)
        _legend(
            figure,
            Line2D([], [], color=BLUE, marker="o", markerfacecolor="white", label="validation"),
            Line2D([], [], color=BLUE, marker="o", label="test"),
            Line2D(
                [], [], color=ORANGE, marker="|", markersize=9, markeredgewidth=2.5, linestyle="", label="best trivial"
            ),
        )


def plot_loss_curve(path: Path, warmup: Path, finetune: Path) -> None:
    """Training and validation log loss over both phases, from their history files."""
    phases = [_read_history(warmup), _read_history(finetune)]
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
            best = int(np.argmin(validation))
            axes.plot(best + 1, validation[best], "o", markersize=11, markerfacecolor="none", color=BLUE)
            axes.annotate(
                f"best, epoch {best + 1}: {validation[best]:.3f}",
                (best + 1, validation[best]),
                xytext=(0, -16),
                textcoords="offset points",
                ha="center" if 1 < best + 1 < len(rows) else ("right" if best else "left"),
                color=BLUE,
                fontsize=8,
            )
        axes.set(xlabel="epoch", ylabel="log loss", xlim=(0.5, max(len(rows), 1) + 0.5))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="upper right")


def _precision_recall(axes: Axes, target: Target, labels: Labels, scores: Floats, decisions: Labels) -> None:
    if target.kind == "binary":
        members, ranked, said = labels == 1, scores[:, 1], decisions == 1
    else:  # every (image, class) is one case
        classes = np.arange(target.n_classes)
        members, said = (labels[:, None] == classes).ravel(), (decisions[:, None] == classes).ravel()
        ranked = scores.ravel()
    if not members.any():
        axes.text(0.5, 0.5, "none present", transform=axes.transAxes, ha="center", color=GREY)
        return
    order = np.argsort(-ranked, kind="stable")
    last = np.append(np.diff(ranked[order]) != 0, True)
    found = np.cumsum(members[order])[last]
    chosen = (np.flatnonzero(last) + 1).astype(float)
    axes.plot(np.append(0, found / members.sum()), np.append(found[0] / chosen[0], found / chosen), color=BLUE)
    axes.axhline(members.mean(), color=GREY, linestyle=":", linewidth=1.2)
    if said.any():
        axes.plot((members & said).sum() / members.sum(), (members & said).sum() / said.sum(), "o", color=ORANGE)


def _reliability(axes: Axes, stated: Floats, observed: Floats) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1.2)
    bins = np.minimum((stated * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    centres = (np.arange(CALIBRATION_BINS) + 0.5) / CALIBRATION_BINS
    heights = 0.2 * counts / max(counts.max(), 1)
    axes.bar(centres, heights, width=0.085, bottom=-0.27, color=LIGHT, zorder=0)
    for place, height, count in zip(centres, heights, counts, strict=True):
        if count:
            axes.text(place, -0.26 + height, str(count), ha="center", va="bottom", fontsize=5.5, color=GREY)
            inside = bins == round(place * CALIBRATION_BINS - 0.5)
            share, level = observed[inside].mean(), stated[inside].mean()
            axes.plot([level] * 2, _wilson(share, count), color=BLUE, linewidth=1.2)
            axes.plot(level, share, "o", color=BLUE, markersize=4.5)
    axes.axhline(0, color=LIGHT, linewidth=0.8)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.27, 1.05), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])


def _wilson(share: float, n: int) -> tuple[float, float]:
    """The 95% interval of a share of n (Wilson 1927)."""
    z2 = 1.96**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = math.sqrt(z2 * share * (1 - share) / n + z2**2 / (4 * n**2)) / (1 + z2 / n)
    return centre - reach, centre + reach


@contextmanager
def _panels(path: Path, count: int, height: float) -> Iterator[list[Axes]]:
    """Yield an axes per target, at most four side by side."""
    across = min(count, 4 if count > 6 else 3)
    down = math.ceil(count / across)
    with picture(path, max(3.6, 2.6 * across), 0.5 + height * down) as figure:
        grid = figure.subplots(down, across, squeeze=False).ravel().tolist()
        for unused in grid[count:]:
            unused.set_visible(False)
        yield grid[:count]


def _only_left(panels: list[Axes], label: str) -> None:
    for axes in panels:
        place = axes.get_subplotspec()
        if place is not None and place.is_first_col():
            axes.set_ylabel(label)


def _legend(figure: Any, *handles: Line2D) -> None:
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8)


def _read_history(path: Path) -> list[dict[str, float]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [{key: float(row[key]) for key in ("log_loss", "val_log_loss")} for row in csv.DictReader(file)]
