"""Sheets of thumbnails: rows of images with a name before each, or images with a caption under each."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from PIL import Image

from lacuna.presentation.style import DARK, GREY, picture, shorten

DOTS = 150
"""Pixels per inch, as `style.STYLE` has it."""

GAP = 6
PAPER = 232
"""The grey behind the thumbnails, on which white ones stand out."""

TILE = 84
"""Side of a thumbnail in a row, in pixels of the picture."""

CAPTIONED, ACROSS = 116, 7
"""Side of a thumbnail with a caption, and how many of them stand side by side."""

CAPTION_LINE, CAPTION_WIDTH = 17, 15
"""Height of a caption's line in pixels, and how many letters fit into it."""

ThumbnailRow = tuple[str, Sequence[NDArray[np.uint8]], str]
"""A name, images `(size, size, 3)`, and the colour of the name."""


def plot_rows(path: Path, title: str, rows: Sequence[ThumbnailRow], heads: Sequence[str] = (), note: str = "") -> None:
    """Draw a row of images after each name, maybe under headings; the note stands below."""
    across = max(len(images) for _, images, _ in rows)
    step = TILE + GAP
    canvas = np.full((len(rows) * step + GAP, across * step + GAP, 3), PAPER, np.uint8)
    for down, (_, images, _) in enumerate(rows):
        for place, image in enumerate(images):
            _put(canvas, image, GAP + down * step, GAP + place * step, TILE)
    width = max(4.5, 2 + canvas.shape[1] / DOTS)
    lines = textwrap.wrap(note, int(width * 14))
    height = 0.6 + canvas.shape[0] / DOTS + 0.14 * len(lines) + 0.2 * bool(heads)
    with picture(path, width, height) as figure:
        axes = figure.subplots()
        _show(axes, canvas)
        centres = GAP + TILE / 2 + step * np.arange(max(len(rows), len(heads)))
        axes.set_yticks(centres[: len(rows)], ["\n".join(map(shorten, name.splitlines())) for name, _, _ in rows])
        for label, (_, _, colour) in zip(axes.get_yticklabels(), rows, strict=True):
            label.set(color=colour, fontsize=8)
        axes.set_xticks(centres[: len(heads)], heads, color=GREY, fontsize=8)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, weight="bold")
        if lines:
            figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=7, color=GREY)


def plot_captioned(path: Path, title: str, images: Sequence[NDArray[np.uint8]], captions: Sequence[str]) -> None:
    """Draw images side by side, each with its caption of a few short lines under it."""
    height, width = captioned_size(captions)
    with picture(path, max(width, 4.2), height + 0.45) as figure:
        draw_captioned(figure.subplots(), images, captions)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, weight="bold")


def captioned_size(captions: Sequence[str]) -> tuple[float, float]:
    """Height and width, in inches, of so many images with their captions."""
    down, across, apart = _arrange(captions)
    return down * (CAPTIONED + apart) / DOTS + 0.2, across * (CAPTIONED + GAP) / DOTS + 0.2


def draw_captioned(axes: Axes, images: Sequence[NDArray[np.uint8]], captions: Sequence[str]) -> None:
    down, across, apart = _arrange(captions)
    canvas = np.full((down * (CAPTIONED + apart), across * (CAPTIONED + GAP), 3), 255, np.uint8)
    for place, (image, words) in enumerate(zip(images, captions, strict=True)):
        top, left = place // across * (CAPTIONED + apart), place % across * (CAPTIONED + GAP)
        canvas[top : top + CAPTIONED, left : left + CAPTIONED] = PAPER
        _put(canvas, image, top + 1, left + 1, CAPTIONED - 2)
        axes.text(left, top + CAPTIONED + 4, words, va="top", fontsize=6, color=DARK, linespacing=1.15)
    _show(axes, canvas)
    axes.set_xticks([])
    axes.set_yticks([])


def caption(*lines: str, most: int = 5) -> str:
    """Wrap words to a caption's width, and cut what is too long for `most` lines.

    >>> caption("a name", "and the reason why it is here", most=2)
    'a name\\nand the reason…'
    """
    wrapped = [piece for line in lines for piece in textwrap.wrap(line, CAPTION_WIDTH)]
    if len(wrapped) > most:
        wrapped = [*wrapped[: most - 1], f"{wrapped[most - 1][: CAPTION_WIDTH - 1]}…"]
    return "\n".join(wrapped)


def _arrange(captions: Sequence[str]) -> tuple[int, int, int]:
    """Images below each other and side by side, and the pixels between two rows of them."""
    lines = max((words.count("\n") + 1 for words in captions), default=1)
    return -(-len(captions) // ACROSS), min(len(captions), ACROSS), CAPTION_LINE * lines + 2 * GAP


def _put(canvas: NDArray[np.uint8], image: NDArray[np.uint8], top: int, left: int, side: int) -> None:
    """Small images are enlarged without smoothing, so that one sees what the network gets."""
    how = Image.Resampling.NEAREST if len(image) < side else Image.Resampling.LANCZOS
    canvas[top : top + side, left : left + side] = np.asarray(Image.fromarray(image).resize((side, side), how))


def _show(axes: Axes, canvas: NDArray[np.uint8]) -> None:
    axes.imshow(canvas, interpolation="none")
    axes.set_anchor("NW")
    for spine in axes.spines.values():
        spine.set_visible(False)
