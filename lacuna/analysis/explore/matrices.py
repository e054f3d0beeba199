"""Matrices in colour with their numbers: association, co-occurrence, missing together, likeness of mean images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import NDArray

from lacuna.presentation.style import BLUE, DARK, ORANGE, picture, shorten

CELL = 0.36
"""Inches a cell."""

MOST_NUMBERS = 32
"""In larger matrices the cells hold no numbers."""

AGAINST = LinearSegmentedColormap.from_list("against", [ORANGE, "#F7F7F7", BLUE])
"""From -1 over 0 to 1, for colour-blind readers too."""


def plot_matrix(
    path: Path,
    title: str,
    values: NDArray[np.float64],
    names: Sequence[str],
    *,
    signed: bool,
    note: str = "",
    breaks: Sequence[int] = (),
) -> None:
    """Draw a square matrix of values from -1 (`signed`) or 0 to 1; NaN cells stay empty, lines part it at `breaks`."""
    side = 2.1 + (CELL if len(names) <= MOST_NUMBERS else 0.2) * max(len(names), 3)
    with picture(path, side, side + 0.25 + 0.15 * note.count("\n")) as figure:
        axes = figure.subplots()
        draw_matrix(axes, values, names, signed=signed)
        for place in breaks:
            axes.axhline(place - 0.5, color=DARK, linewidth=0.7)
            axes.axvline(place - 0.5, color=DARK, linewidth=0.7)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, weight="bold")
        if note:
            figure.supxlabel(note, x=0.01, ha="left", fontsize=7, color=DARK)


def draw_matrix(axes: Axes, values: NDArray[np.float64], names: Sequence[str], *, signed: bool) -> None:
    limits: dict[str, Any] = {"cmap": AGAINST, "vmin": -1} if signed else {"cmap": "Blues", "vmin": 0}
    axes.imshow(values, vmax=1, **limits)
    if len(names) <= MOST_NUMBERS:
        for row, column in zip(*np.nonzero(~np.isnan(values)), strict=True):
            value = values[row, column]
            ink = "white" if abs(value) > 0.6 else DARK
            axes.text(column, row, _number(value), ha="center", va="center", fontsize=6.5, color=ink)
    short = [shorten(name) for name in names]
    size = 8 if len(names) <= MOST_NUMBERS else 6
    axes.set_xticks(
        range(len(names)), short, rotation=45, ha="right", rotation_mode="anchor", fontsize=size, color=DARK
    )
    axes.set_yticks(range(len(names)), short, fontsize=size, color=DARK)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _number(value: float) -> str:
    """Two decimals without the zero before them: .07, -.31, 1.

    >>> [_number(value) for value in (0.071, -0.314, 1.0, 0.0)]
    ['.07', '-.31', '1', '0']
    """
    text = f"{value:.2f}"
    return text.rstrip("0").rstrip(".").replace("-0", "0") if float(text) in (-1, 0, 1) else text.replace("0.", ".", 1)
