"""Sheets of pictures: what the model is sure of, wrong with and unsure of, and the classes that it confuses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from lacuna.analysis.explain.examples import PER_SECTION
from lacuna.analysis.explain.likeness import ConfusedPair
from lacuna.core.feature_maps import Maps
from lacuna.core.targets import Target
from lacuna.core.working_image import inside
from lacuna.presentation.overlay import PADDING, overlay
from lacuna.presentation.style import BLUE, DARK, GREY, LIGHT, ORANGE, legend, picture, shorten

TILE_INCHES = 1.05
"""Side of a picture, in inches."""

GREY_OF_PADDING = f"#{PADDING:02x}{PADDING:02x}{PADDING:02x}"

STRONGEST = 0.99
"""Of all heat on a sheet, the share that is drawn below full colour: one scale for all of its maps."""


@dataclass(frozen=True)
class SheetExample:
    """An image (s, s, 3), its map (s, s) if there are maps, its label, and what was decided with which probability.

    box: where the picture itself stands in the square, as `content_box` has it.
    """

    image: NDArray[np.uint8]
    heat: Maps | None
    box: tuple[int, int, int, int]
    actual: str
    predicted: str
    probability: float


def plot_examples(path: Path, target: Target, sections: Mapping[str, Sequence[SheetExample]]) -> None:
    """A row of examples per section, each image beside its heat map, all maps in one scale."""
    every = [example for examples in sections.values() for example in examples]
    shown = [np.abs(one.heat[inside(one.box, len(one.image))]) for one in every if one.heat is not None]
    strongest = float(np.quantile(np.concatenate(shown), STRONGEST)) if shown else 1.0
    padded = any(not inside(one.box, len(one.image)).all() for one in every if one.heat is not None)
    step = 2.16
    heights = [1.75 if examples else 0.5 for examples in sections.values()]
    width, total = step * PER_SECTION - 0.16, sum(heights) + 0.35
    what = f"“{shorten(target.classes[1])}”" if target.kind == "binary" else "the decision"
    with picture(path, width * TILE_INCHES + 0.3, total * TILE_INCHES + 0.35) as figure:
        axes = _canvas(figure.subplots(), width, total, f"{target.name}: what the decisions rest on, validation images")
        for row, (section, examples) in enumerate(sections.items()):
            top = total - 0.35 - sum(heights[:row])
            axes.text(0, top, section, va="top", fontsize=8.5, weight="bold", color=DARK)
            if not examples:
                axes.text(0, top - 0.18, "none", va="top", fontsize=8, color=GREY)
            for column, example in enumerate(examples):
                left, bottom = column * step, top - 1.22
                _tile(axes, example.image, left, bottom)
                if example.heat is not None:
                    _tile(axes, overlay(example.image, example.heat, strongest, example.box), left + 1, bottom)
                right = example.actual == example.predicted
                caption = f"is {shorten(example.actual)}\nsaid {shorten(example.predicted)}, {example.probability:.0%}"
                colour = GREY if right else ORANGE
                axes.text(left, bottom - 0.04, caption, va="top", fontsize=7, color=colour, linespacing=1.15)
        legend(
            figure,
            Line2D([], [], color=ORANGE, marker="s", linestyle="", label=f"speaks for {what}"),
            Line2D([], [], color=BLUE, marker="s", linestyle="", label="speaks against it"),
            *([Line2D([], [], color=GREY_OF_PADDING, marker="s", linestyle="", label="padding")] if padded else []),
        )


def plot_confused_pairs(
    path: Path,
    target: Target,
    pairs: Sequence[ConfusedPair],
    means: NDArray[np.float32],
    counts: NDArray[np.int64],
    images: Sequence[Sequence[NDArray[np.uint8]]],
) -> None:
    """A row per pair: both classes' mean images, then some of the images that were mistaken.

    means: (n_classes, h, w, 3), each of so many images as `counts` says.
    """
    step, height = 1.08, 1.66
    across = PER_SECTION + 2
    width, total = step * across + 0.06, height * max(len(pairs), 1) + 0.35
    with picture(path, width * TILE_INCHES + 0.3, total * TILE_INCHES + 0.3) as figure:
        axes = _canvas(figure.subplots(), width, total, f"{target.name}: classes most often confused on validation")
        if not pairs:
            axes.text(0, total - 0.4, "no mistake", va="top", fontsize=8, color=GREY)
        for row, (pair, examples) in enumerate(zip(pairs, images, strict=True)):
            top = total - 0.35 - row * height
            names = f"{shorten(target.classes[pair.actual])} → {shorten(target.classes[pair.predicted])}"
            axes.text(0, top, names, va="top", fontsize=8.5, weight="bold", color=DARK)
            counted = f"{len(pair.rows)} of {pair.of}; {_alike(pair)}"
            axes.text(0, top - 0.17, counted, va="top", fontsize=7.5, color=GREY)
            bottom = top - 1.38
            for place, (index, label) in enumerate(((pair.actual, "mean, actual"), (pair.predicted, "mean, said"))):
                if counts[index]:
                    _tile(axes, np.rint(means[index]).astype(np.uint8), place * step, bottom, "bicubic")
                axes.text(place * step, bottom - 0.02, label, va="top", fontsize=6.5, color=GREY)
            for place, image in enumerate(examples):
                _tile(axes, image, (place + 2) * step + 0.14, bottom)


def _canvas(axes: Axes, width: float, height: float, title: str) -> Axes:
    """One axes for the whole sheet, a unit being a picture's side: many small axes take seconds to lay out."""
    axes.set(xlim=(-0.02, width + 0.02), ylim=(0, height), aspect="equal")
    axes.set_axis_off()
    axes.text(0, height, title, va="top", fontsize=10, weight="bold")
    return axes


def _tile(axes: Axes, image: NDArray[np.uint8], left: float, bottom: float, interpolation: str = "auto") -> None:
    extent = (left, left + 1.0, bottom, bottom + 1.0)
    axes.imshow(image, extent=extent, interpolation=interpolation, aspect="equal")
    axes.plot(
        [left, left + 1, left + 1, left, left],
        [bottom, bottom, bottom + 1, bottom + 1, bottom],
        color=LIGHT,
        linewidth=0.6,
    )


def _alike(pair: ConfusedPair) -> str:
    """In words what `pixels.correlate` says of the two classes."""
    if np.isnan(pair.likeness):
        return "how alike they are on average is not known"
    text = f"on average alike by {pair.likeness:.2f} (1: the same, -1: opposites)"
    return text if np.isnan(pair.rank) else f"{text}, more than {int(100 * pair.rank)}% of all pairs of classes"
