"""The picture of the out-of-distribution detector: distances of validation and test images, and the threshold."""

from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D

from lacuna.core.scores import Floats
from lacuna.inference.ood import OodDetector
from lacuna.presentation.style import BLUE, DARK, GREEN, ORANGE, legend, picture

FEWEST_BINS, MOST_BINS = 12, 50


def plot_distances(path: Path, detector: OodDetector, validation: Floats, test: Floats) -> None:
    """Histograms of the distances (n,) of both parts, one image of each group."""
    rates = detector.false_alarms
    everything = np.concatenate([validation, test, [detector.threshold]])
    bins = int(np.clip(len(everything) ** 0.5, FEWEST_BINS, MOST_BINS))
    edges = np.linspace(everything.min(), everything.max() * 1.02 + 1e-9, bins + 1)
    with picture(path, 7, 3.6) as figure:
        axes = figure.subplots()
        for distances, colour in ((validation, BLUE), (test, GREEN)):
            counts = np.histogram(distances, edges)[0] / max(len(distances), 1)
            axes.stairs(counts, edges, color=colour, linewidth=1.6)
        axes.axvline(detector.threshold, color=ORANGE, linestyle="--", linewidth=1.4)
        axes.set(xlabel="distance from the training images", ylabel="share of the images", xlim=(edges[0], edges[-1]))
        axes.set_ylim(bottom=0)
        subtitle = f"promised: at most {rates.promised:.1%} of like images are called unfamiliar"
        if rates.n_test:
            subtitle += f"; on test {rates.n_alarms} of {rates.n_test}, {rates.low:.1%} to {rates.high:.1%}"
        axes.set_title("How familiar unseen images are", pad=20)
        axes.text(0, 1.03, subtitle, transform=axes.transAxes, fontsize=8, color=DARK, in_layout=False)
        legend(
            figure,
            Line2D([], [], color=BLUE, label=f"validation ({len(validation):,})"),
            Line2D([], [], color=GREEN, label=f"test ({len(test):,})"),
            Line2D([], [], color=ORANGE, linestyle="--", label="unfamiliar from here on"),
        )
