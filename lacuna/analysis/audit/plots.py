"""Plots of an audit: what the probes see, what the files' properties give away, whether more labels would help."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from lacuna.analysis.audit.audit import TargetAudit
from lacuna.analysis.audit.learning_curve import SHARES
from lacuna.analysis.audit.metadata import FIELDS
from lacuna.analysis.audit.sheets import plot_sheets
from lacuna.analysis.audit.signal import ProbeResult
from lacuna.core.manifest import Manifest
from lacuna.io.csv_files import write_csv
from lacuna.io.plurals import number_of
from lacuna.presentation.audit_verdicts import CurveVerdict, SignalVerdict
from lacuna.presentation.style import BLUE, DARK, GREY, LIGHT, ORANGE, legend, picture, shorten
from lacuna.stats.numbers import rounded

MOST_TARGETS = 40
"""More rows don't fit a picture; those of the lowest AUC are left out."""

CURVE_WORDS = {
    CurveVerdict.RISING: ("still rising: better with more labels", ORANGE),
    CurveVerdict.LEVEL: ("level: hardly better with more labels", GREY),
    CurveVerdict.NOT_TOLD: ("too few labels to see if it goes on", DARK),
}

MOST_CURVES = 12
"""Those that rise least are left out."""


def plot_audit(
    folder: Path,
    audits: Sequence[TargetAudit],
    manifest: Manifest,
    copies: NDArray[np.int64],
    images: NDArray[np.uint8],
) -> None:
    """Write the pictures into `folder`, and the learning curves as tables that `dvc plots` draws."""
    shown = _shown(audits, MOST_TARGETS)
    left_out = len(audits) - len(shown)
    _plot_signal(folder / "signal.png", shown, left_out)
    _plot_metadata(folder / "metadata.png", shown, left_out)
    with_curve = [audited for audited in audits if audited.curve is not None]
    if with_curve:
        _plot_curves(folder / "learning_curve.png", with_curve)
    (folder / "learning_curve").mkdir()
    for audited in with_curve:
        assert audited.curve is not None
        rows = zip(audited.curve.labels, (rounded(auc) for auc in audited.curve.auc), strict=True)
        write_csv(folder / "learning_curve" / f"{audited.target.name}.csv", ("labels", "roc_auc"), rows)
    plot_sheets(folder, audits, manifest, copies, images)


def _shown(audits: Sequence[TargetAudit], most: int) -> list[TargetAudit]:
    """At most so many, in the order of the targets; those with the lowest AUC go."""
    order = sorted(range(len(audits)), key=lambda place: -np.nan_to_num(audits[place].probes.signal.auc))
    return [audits[place] for place in sorted(order[:most])]


def _plot_signal(path: Path, audits: Sequence[TargetAudit], left_out: int) -> None:
    """AUC with intervals of the three questions: the label from the image, from metadata, and whether it is known."""
    looks = ((0.22, BLUE, "o"), (0.0, ORANGE, "s"), (-0.22, GREY, "^"))
    with picture(path, 8, 1.6 + 0.5 * len(audits)) as figure:
        axes = figure.subplots()
        for row, audited in enumerate(reversed(audits)):
            axes.axhline(row, color=LIGHT, linewidth=0.6, zorder=0)
            probes = (audited.probes.signal, audited.probes.metadata, audited.probes.missing)
            for (shift, colour, marker), probed in zip(looks, probes, strict=True):
                _whisker(axes, probed, row + shift, colour, marker)
            colour = DARK if audited.signal == SignalVerdict.LEARNABLE else ORANGE
            axes.text(1.03, row, audited.signal, va="center", fontsize=8, color=colour)
        axes.axvline(0.5, color=GREY, linestyle=":", linewidth=1.2)
        axes.set_yticks(range(len(audits)), [shorten(audited.target.name) for audited in reversed(audits)], color=DARK)
        lows = [probed.low for audited in audits for probed in audited.probes]
        left = min([0.4, *(low - 0.02 for low in lows if not np.isnan(low))])
        axes.set(
            xlim=(left, 1.01),
            ylim=(-0.6, len(audits) - 0.4),
            xlabel="pairs of images in the right order (ROC-AUC, 0.5: by chance)",
        )
        axes.set_title(
            "What can be told before training" + (f" ({number_of(left_out, 'target')} left out)" if left_out else "")
        )
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        labels = ("the label, from the image", "the label, from the file alone", "whether the label is known")
        legend(
            figure,
            *(
                Line2D([], [], color=colour, marker=marker, label=label)
                for (_, colour, marker), label in zip(looks, labels, strict=True)
            ),
        )


def _whisker(axes: Axes, probed: ProbeResult, height: float, colour: str, marker: str) -> None:
    if probed.enough:
        axes.plot([probed.low, probed.high], [height] * 2, color=colour, linewidth=1.4)
        axes.plot(probed.auc, height, marker, color=colour, markersize=4.5)


def _plot_metadata(path: Path, audits: Sequence[TargetAudit], left_out: int) -> None:
    """How well each property of the files tells each target, as a table of AUCs; empty where it never differs."""
    table = np.full((len(audits), len(FIELDS)), np.nan)
    for row, audited in enumerate(audits):
        for column, name in enumerate(FIELDS):
            if name in audited.fields and audited.fields[name].enough:
                table[row, column] = audited.fields[name].auc
    with picture(path, 6.4, 1.7 + 0.3 * len(audits)) as figure:
        axes = figure.subplots()
        drawn = axes.imshow(np.clip(table, 0.5, 1), cmap="Blues", vmin=0.5, vmax=1, aspect="auto")
        for row, column in np.argwhere(~np.isnan(table)).tolist():
            value = table[row, column]
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=_ink(value))
        for row, column in np.argwhere(np.isnan(table)).tolist():
            axes.text(column, row, "same", ha="center", va="center", fontsize=7, color=GREY)
        axes.set_xticks(range(len(FIELDS)), FIELDS)
        axes.set_yticks(range(len(audits)), [shorten(audited.target.name) for audited in audits], color=DARK)
        axes.tick_params(length=0)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.set_title("What each property of the files tells" + (f" ({left_out} left out)" if left_out else ""))
        figure.colorbar(drawn, ax=axes, label="ROC-AUC", shrink=min(1, 2 / (1 + 0.3 * len(audits)) + 0.3))


def _ink(value: float) -> str:
    return "white" if value > 0.78 else DARK


def _plot_curves(path: Path, audits: Sequence[TargetAudit]) -> None:
    steep = sorted(audits, key=lambda audited: -audited.curve.gain if audited.curve else 0)[:MOST_CURVES]
    names = {audited.target.name for audited in steep}
    shown = [audited for audited in audits if audited.target.name in names]
    across = min(len(shown), 4)
    down = math.ceil(len(shown) / across)
    with picture(path, max(4.2, 2.5 * across), 0.5 + 2.2 * down) as figure:
        _draw_curves(figure, shown, across, down)


def _draw_curves(figure: Figure, shown: Sequence[TargetAudit], across: int, down: int) -> None:
    grid = figure.subplots(down, across, squeeze=False, sharey=True).ravel().tolist()
    for unused in grid[len(shown) :]:
        unused.set_visible(False)
    for place, (axes, audited) in enumerate(zip(grid, shown, strict=False)):
        if audited.curve is None:
            continue
        axes.plot(audited.curve.labels, audited.curve.auc, color=BLUE, marker="o", markersize=4)
        axes.axhline(0.5, color=GREY, linestyle=":", linewidth=1.2)
        axes.set_xscale("log")
        axes.set(ylim=(0.45, 1.02), yticks=[0.5, 0.75, 1])
        axes.set_xticks(audited.curve.labels, [f"{labels:,}" for labels in audited.curve.labels], fontsize=7)
        axes.set_xticks([], minor=True)
        axes.set_title(shorten(audited.target.name), pad=16)
        for place_of, ends in ((0, "left"), (-1, "right")):
            value = audited.curve.auc[place_of]
            spot = audited.curve.labels[place_of], value - 0.03
            axes.annotate(f"{value:.2f}", spot, ha=ends, va="top", fontsize=7.5, color=DARK)
        said, colour = CURVE_WORDS[audited.curve.verdict]
        axes.text(0, 1.02, said, transform=axes.transAxes, fontsize=7.5, color=colour, in_layout=False)
        axes.set_xlabel(f"known labels ({', '.join(f'{share:.0%}' for share in SHARES)})", fontsize=8)
        if place % across == 0:
            axes.set_ylabel("ROC-AUC")
