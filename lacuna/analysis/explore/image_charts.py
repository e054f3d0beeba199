"""Charts of the images: their files' sizes, shapes and formats, and how bright their pixels are."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from lacuna.core.files_table import FileInfo
from lacuna.presentation.style import BLUE, DARK, GREEN, GREY, LIGHT, ORANGE, picture, shorten

CHANNEL_LINES = (("red", ORANGE, "-"), ("green", GREEN, "--"), ("blue", BLUE, "-."))
MOST_FORMATS = 8

BIN = 4
"""Intensities taken together, so that drawings of few colours make no comb."""


def plot_pixels(path: Path, histogram: NDArray[np.int64], brightness: NDArray[np.float32]) -> None:
    """The share of pixels at each intensity, per channel, and the images by their mean brightness."""
    with picture(path, 8, 3) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        coarse = histogram.reshape(3, 256 // BIN, BIN).sum(axis=2)
        shares = coarse / np.maximum(coarse.sum(axis=1, keepdims=True), 1)
        grey = bool((histogram == histogram[0]).all())
        channels = (("grey: all channels alike", GREY, "-"),) if grey else CHANNEL_LINES
        for (name, colour, style), share in zip(channels, shares, strict=False):
            centres = np.arange(len(share)) * BIN + (BIN - 1) / 2
            left.plot(centres, np.where(share > 0, share, np.nan), color=colour, linestyle=style, label=name)
        left.set(yscale="log", xlim=(-3, 258), xlabel="intensity", title="Intensity of the pixels")
        left.set(ylabel=f"share of the pixels (log),\nper {BIN} values", xticks=[0, 64, 128, 192, 255])
        left.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
        left.legend(fontsize=8)
        right.hist(brightness, bins=32, range=(0, 255), color=BLUE)
        right.axvline(float(np.median(brightness)), color=ORANGE, linestyle=":", linewidth=1.4)
        right.set(xlabel="mean intensity of an image", ylabel="images", title="Brightness of the images")
        right.set(xlim=(0, 255), xticks=[0, 64, 128, 192, 255])
        label = Line2D([], [], color=ORANGE, linestyle=":", label="median")
        right.legend(handles=[label], fontsize=8)


def plot_files(path: Path, files: Sequence[FileInfo]) -> None:
    """Width against height, aspect ratios, and the files' formats and colour modes."""
    with picture(path, 10, 3.1) as figure:
        sizes_at, ratio_at, formats_at = figure.subplots(1, 3, width_ratios=(4, 4, 3))
        sizes = Counter((file.width, file.height) for file in files)
        most = max(sizes.values())
        (width, height), area = np.array(list(sizes)).T, np.array(list(sizes.values())) / most
        sizes_at.scatter(width, height, s=8 + 180 * area, color=BLUE, alpha=0.45, linewidths=0)
        longest = 1.12 * max(int(width.max()), int(height.max()))
        sizes_at.plot([0, longest], [0, longest], color=LIGHT, linewidth=1, zorder=0)
        one, other = max(sizes, key=lambda size: (sizes[size], size))
        many = f"{one} x {other}" if len(sizes) == 1 else f"{len(sizes):,} sizes, most often {one} x {other}"
        sizes_at.set(xlim=(0, longest), ylim=(0, longest), aspect="equal", xlabel="width in pixels")
        sizes_at.set(ylabel="height in pixels", title=f"Size: {many}")
        ratios = np.array([file.width / file.height for file in files])
        reach = max(float(np.abs(np.log2(ratios)).max()), 1.0)
        ratio_at.hist(ratios, bins=2.0 ** np.linspace(-reach - 0.03, reach + 0.03, 42), color=BLUE)
        ratio_at.set(xscale="log", xlabel="width : height", ylabel="images", title="Aspect ratios")
        ticks = [2.0**power for power in range(-int(reach), int(reach) + 1)][:: max(1, int(reach) // 3)]
        ratio_at.xaxis.set_major_locator(FixedLocator(ticks))
        ratio_at.xaxis.set_minor_locator(NullLocator())
        ratio_at.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"1:{1 / x:g}" if x < 1 else f"{x:g}:1"))
        kinds = Counter(f"{file.format} {file.mode}" for file in files).most_common()
        shown = kinds[:MOST_FORMATS]
        if len(kinds) > MOST_FORMATS:
            shown.append((f"{len(kinds) - MOST_FORMATS} more", sum(n for _, n in kinds[MOST_FORMATS:])))
        formats_at.barh(range(len(shown)), [n for _, n in shown], color=BLUE, height=0.6)
        for row, (_, n) in enumerate(shown):
            formats_at.text(n, row, f" {n:,}", va="center", fontsize=8, color=DARK)
        formats_at.set_yticks(range(len(shown)), [shorten(name) for name, _ in shown], color=DARK)
        formats_at.set(title="Format and mode", xticks=[], xlim=(0, 1.3 * shown[0][1]))
        formats_at.set_ylim(max(len(shown), 4) - 0.4, -0.6)
        formats_at.spines[["bottom", "left"]].set_visible(False)
        formats_at.tick_params(length=0)
