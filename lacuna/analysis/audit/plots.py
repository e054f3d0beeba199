"""Pictures of an audit: what the probes see, what the files' properties give away, whether more labels would help."""

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
from lacuna.analysis.audit.signal import LEARNABLE, Measured
from lacuna.core.manifest import Manifest
from lacuna.io.csv_files import write_csv
from lacuna.presentation.style import BLUE, DARK, GREY, LIGHT, ORANGE, legend, picture, shorten

MOST_TARGETS = 40
"""More rows don't fit a picture; those of the lowest AUC are left out."""

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
    with_curve = [one for one in audits if one.curve is not None]
    if with_curve:
        _plot_curves(folder / "learning_curve.png", with_curve)
    (folder / "learning_curve").mkdir()
    for one in with_curve:
        assert one.curve is not None
        rows = zip(one.curve.labels, (round(auc, 6) for auc in one.curve.auc), strict=True)
        write_csv(folder / "learning_curve" / f"{one.target.name}.csv", ("labels", "roc_auc"), rows)
    plot_sheets(folder, audits, manifest, copies, images)


def _shown(audits: Sequence[TargetAudit], most: int) -> list[TargetAudit]:
    """At most so many, in the order of the targets; those with the lowest AUC go."""
    order = sorted(range(len(audits)), key=lambda place: -np.nan_to_num(audits[place].signal.measured.auc))
    return [audits[place] for place in sorted(order[:most])]


def _plot_signal(path: Path, audits: Sequence[TargetAudit], left_out: int) -> None:
    """AUC with intervals of the three questions: the label from the image, from metadata, and whether it is known."""
    looks = ((0.22, BLUE, "o"), (0.0, ORANGE, "s"), (-0.22, GREY, "^"))
    with picture(path, 8, 1.6 + 0.5 * len(audits)) as figure:
        axes = figure.subplots()
        for row, one in enumerate(reversed(audits)):
            axes.axhline(row, color=LIGHT, linewidth=0.6, zorder=0)
            questions = (one.signal, one.metadata, one.missing)
            for (shift, colour, marker), question in zip(looks, questions, strict=True):
                _whisker(axes, question.measured, row + shift, colour, marker)
            colour = DARK if one.signal.verdict == LEARNABLE else ORANGE
            axes.text(1.03, row, one.signal.verdict, va="center", fontsize=8, color=colour)
        axes.axvline(0.5, color=GREY, linestyle=":", linewidth=1.2)
        axes.set_yticks(range(len(audits)), [shorten(one.target.name) for one in reversed(audits)], color=DARK)
        lows = [question.measured.low for one in audits for question in (one.signal, one.metadata, one.missing)]
        left = min([0.4, *(low - 0.02 for low in lows if not np.isnan(low))])
        axes.set(xlim=(left, 1.01), ylim=(-0.6, len(audits) - 0.4), xlabel="ROC-AUC on images not seen (0.5: chance)")
        axes.set_title("What a linear probe can foretell" + (f" ({left_out} targets left out)" if left_out else ""))
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


def _whisker(axes: Axes, measured: Measured, height: float, colour: str, marker: str) -> None:
    if measured.enough:
        axes.plot([measured.low, measured.high], [height] * 2, color=colour, linewidth=1.4)
        axes.plot(measured.auc, height, marker, color=colour, markersize=4.5)


def _plot_metadata(path: Path, audits: Sequence[TargetAudit], left_out: int) -> None:
    """How well each property of the files foretells each target, as a table of AUCs; empty where it never differs."""
    table = np.full((len(audits), len(FIELDS)), np.nan)
    for row, one in enumerate(audits):
        for column, name in enumerate(FIELDS):
            if name in one.fields and one.fields[name].enough:
                table[row, column] = one.fields[name].auc
    with picture(path, 6.4, 1.7 + 0.3 * len(audits)) as figure:
        axes = figure.subplots()
        drawn = axes.imshow(np.clip(table, 0.5, 1), cmap="Blues", vmin=0.5, vmax=1, aspect="auto")
        for row, column in np.argwhere(~np.isnan(table)).tolist():
            value = table[row, column]
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=_ink(value))
        for row, column in np.argwhere(np.isnan(table)).tolist():
            axes.text(column, row, "same", ha="center", va="center", fontsize=7, color=GREY)
        axes.set_xticks(range(len(FIELDS)), FIELDS)
        axes.set_yticks(range(len(audits)), [shorten(one.target.name) for one in audits], color=DARK)
        axes.tick_params(length=0)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.set_title("What each property of the files foretells" + (f" ({left_out} left out)" if left_out else ""))
        figure.colorbar(drawn, ax=axes, label="ROC-AUC", shrink=min(1, 2 / (1 + 0.3 * len(audits)) + 0.3))


def _ink(value: float) -> str:
    return "white" if value > 0.78 else DARK


def _plot_curves(path: Path, audits: Sequence[TargetAudit]) -> None:
    steep = sorted(audits, key=lambda one: -one.curve.gain if one.curve else 0)[:MOST_CURVES]
    names = {one.target.name for one in steep}
    shown = [one for one in audits if one.target.name in names]
    across = min(len(shown), 4)
    down = math.ceil(len(shown) / across)
    with picture(path, max(4.2, 2.5 * across), 0.5 + 2.2 * down) as figure:
        _draw_curves(figure, shown, across, down)


def _draw_curves(figure: Figure, shown: Sequence[TargetAudit], across: int, down: int) -> None:
    grid = figure.subplots(down, across, squeeze=False, sharey=True).ravel().tolist()
    for unused in grid[len(shown) :]:
        unused.set_visible(False)
    for place, (axes, one) in enumerate(zip(grid, shown, strict=False)):
        if one.curve is None:
            continue
        axes.plot(one.curve.labels, one.curve.auc, color=BLUE, marker="o", markersize=4)
        axes.axhline(0.5, color=GREY, linestyle=":", linewidth=1.2)
        axes.set_xscale("log")
        axes.set(ylim=(0.45, 1.02), yticks=[0.5, 0.75, 1])
        axes.set_xticks(one.curve.labels, [f"{labels:,}" for labels in one.curve.labels], fontsize=7)
        axes.set_xticks([], minor=True)
        axes.set_title(shorten(one.target.name), pad=16)
        said = "rising: more labels help" if one.curve.rising else "no gain shown from more labels"
        colour = ORANGE if one.curve.rising else GREY
        axes.text(0, 1.02, said, transform=axes.transAxes, fontsize=7.5, color=colour, in_layout=False)
        axes.set_xlabel(f"known labels ({', '.join(f'{share:.0%}' for share in SHARES)})", fontsize=8)
        if place % across == 0:
            axes.set_ylabel("ROC-AUC")
