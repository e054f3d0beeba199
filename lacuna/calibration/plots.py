"""Pictures of a calibration: precision-recall curves and reliability."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lacuna.calibration.model import Calibration
from lacuna.calibration.population import Resample
from lacuna.calibration.reliability import CALIBRATION_BINS, stated_and_observed
from lacuna.core.predictions import Predictions
from lacuna.core.scores import Floats, Labels, activate, ranking_metrics
from lacuna.core.targets import Target, Targets
from lacuna.presentation.style import BLUE, GREY, LIGHT, ORANGE, legend, picture, shorten
from lacuna.stats.intervals import share_interval

WHISKERS = 0.95
"""Of the whiskers in the reliability diagram."""


def plot_precision_recall(
    path: Path, targets: Targets, validation: Predictions, calibration: Calibration, sample: Resample
) -> None:
    """A precision-recall curve per target on validation, with what its decision rule reaches there marked.

    A categorical target's curve pools its classes, each against the rest. sample: validation itself, whose labelled
    images stand for the population.
    """
    decisions = calibration.decide(targets, validation.logits)
    with _panels(path, len(targets), 2.5) as panels:
        for index, (target, columns, axes) in enumerate(zip(targets, targets.slices, panels, strict=True)):
            known = validation.labels[:, index] >= 0
            labels = validation.labels[known, index]
            scores = activate(target, validation.logits[known][:, columns])
            counted = sample.of_known(index, validation.labels[:, index])
            _precision_recall(axes, target, labels, scores, decisions[known, index], counted[0])
            threshold = calibration.targets[target.name].threshold
            average = ranking_metrics(labels, scores, counted)["average_precision"][0]
            axes.set_title(shorten(target.name), pad=16)
            said = [] if np.isnan(average) else [f"average precision {average:.2f}"]
            said += [] if threshold is None else [f"threshold {threshold:.2f}"]
            axes.text(0, 1.02, ", ".join(said), transform=axes.transAxes, fontsize=7.5, color=GREY, in_layout=False)
            axes.set(xlim=(0, 1.03), ylim=(0, 1.05), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], xlabel="recall")
        _only_left(panels, "precision")
        legend(
            panels[0].figure,
            Line2D([], [], color=BLUE, label="validation"),
            Line2D([], [], color=ORANGE, marker="o", linestyle="", label="decisions"),
            Line2D([], [], color=GREY, linestyle=":", label="random order"),
        )


def plot_reliability(
    path: Path, targets: Targets, validation: Predictions, probabilities: list[Floats], sample: Resample
) -> None:
    """How often what was stated with a probability came true, with how many labelled images stated it below.

    The probabilities are cross-fitted: no image's label took part in its own calibration. sample: as in
    `plot_precision_recall`.
    """
    with _panels(path, len(targets), 2.9) as panels:
        for index, (target, chances, axes) in enumerate(zip(targets, probabilities, panels, strict=True)):
            stated, observed = stated_and_observed(validation.labels[:, index], chances)
            _reliability(axes, stated, observed, sample.of_known(index, validation.labels[:, index])[0])
            axes.set_title(shorten(target.name))
            what = "present" if target.kind == "binary" else "top class"
            axes.set_xlabel(f"probability of {what}")
        _only_left(panels, "share that came true")
        legend(
            panels[0].figure,
            Line2D([], [], color=BLUE, marker="o", linestyle="", label=f"validation, {WHISKERS:.0%} interval"),
            Line2D([], [], color=GREY, linestyle=":", label="perfect"),
            Line2D([], [], color=LIGHT, marker="s", markersize=7, linestyle="", label="number of images"),
        )


def _precision_recall(
    axes: Axes, target: Target, labels: Labels, scores: Floats, decisions: Labels, counted: Floats
) -> None:
    if target.kind == "binary":
        members, ranked, called = labels == 1, scores[:, 1], decisions == 1
    else:  # every (image, class) is one case
        classes = np.arange(target.n_classes)
        members, called = (labels[:, None] == classes).ravel(), (decisions[:, None] == classes).ravel()
        ranked, counted = scores.ravel(), np.repeat(counted, target.n_classes)
    if not members.any():
        axes.text(0.5, 0.5, "none present", transform=axes.transAxes, ha="center", color=GREY)
        return
    order = np.argsort(-ranked, kind="stable")
    last = np.append(np.diff(ranked[order]) != 0, True)
    found, chosen = (np.cumsum((counted * of)[order])[last] for of in (members, np.ones(len(members))))
    axes.plot(np.append(0, found / found[-1]), np.append(found[0] / chosen[0], found / chosen), color=BLUE)
    axes.axhline(found[-1] / chosen[-1], color=GREY, linestyle=":", linewidth=1.2)
    if called.any():
        right = counted[members & called].sum()
        axes.plot(right / found[-1], right / counted[called].sum(), "o", color=ORANGE)


def _reliability(axes: Axes, stated: Floats, observed: Floats, counted: Floats) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1.2)
    bins = np.minimum((stated * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    centres = (np.arange(CALIBRATION_BINS) + 0.5) / CALIBRATION_BINS
    heights = 0.16 * counts / max(counts.max(), 1)
    axes.bar(centres, heights, width=0.085, bottom=-0.34, color=LIGHT, zorder=0)
    for place, height, count in zip(centres, heights, counts, strict=True):
        if count:
            axes.text(place, -0.33 + height, str(count), ha="center", va="bottom", fontsize=5.5, color=GREY)
            inside = bins == round(place * CALIBRATION_BINS - 0.5)
            level, share = (np.average(values[inside], weights=counted[inside]) for values in (stated, observed))
            images = round(counted[inside].sum() ** 2 / (counted[inside] ** 2).sum())  # as many of equal weight
            axes.plot(
                [level] * 2,
                share_interval(round(share * images), images, WHISKERS),
                color=BLUE,
                linewidth=1.1,
                alpha=0.5,
            )
            axes.plot(level, share, "o", color=BLUE, markersize=2.5 + 4 * math.sqrt(count / counts.max()))
    axes.spines["left"].set_bounds(0, 1.05)  # below it are numbers of images, not shares
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.34, 1.05), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])


@contextmanager
def _panels(path: Path, count: int, height: float) -> Iterator[list[Axes]]:
    """Yield an axes per target, at most four side by side."""
    across = min(count, 4 if count > 6 else 3)
    down = math.ceil(count / across)
    with picture(path, max(5.2, 2.6 * across), 0.5 + height * down) as figure:
        grid = figure.subplots(down, across, squeeze=False).ravel().tolist()
        for unused in grid[count:]:
            unused.set_visible(False)
        yield grid[:count]


def _only_left(panels: list[Axes], label: str) -> None:
    for axes in panels:
        place = axes.get_subplotspec()
        if place is not None and place.is_first_col():
            axes.set_ylabel(label)
