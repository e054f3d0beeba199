"""Which classes a categorical target takes for which: a matrix while it can be read, else the commonest mistakes."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.evaluation import Scored
from lacuna.plots import BLUE, picture, shorten

MOST_CLASSES = 20
"""A matrix of more classes cannot be read at a page's width."""

MOST_PAIRS = 20


def write_confusions(folder: Path, scored: list[Scored]) -> None:
    """Write NAME.png and NAME.csv (actual, predicted: a row per known image) for every categorical target."""
    for one in scored:
        if one.target.kind == "categorical":
            known = one.labels >= 0
            classes, actual, predicted = one.target.classes, one.labels[known], one.decisions[known]
            with open(folder / f"{one.target.name}.csv", "w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(("actual", "predicted"))
                writer.writerows((classes[a], classes[p]) for a, p in zip(actual, predicted, strict=True))
            counts = np.zeros((len(classes), len(classes)), dtype=int)
            np.add.at(counts, (actual, predicted), 1)
            path = folder / f"{one.target.name}.png"
            if len(classes) <= MOST_CLASSES:
                _plot_matrix(path, one.target.name, classes, counts)
            else:
                _plot_pairs(path, one.target.name, classes, counts)


def _plot_matrix(path: Path, name: str, classes: tuple[str, ...], counts: NDArray[np.int_]) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.2 + 0.42 * len(classes)
    with picture(path, side, side) as figure:
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.55 else "#333333"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=8, color=colour)
        names = [shorten(one) for one in classes]
        axes.set_xticks(range(len(classes)), names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(classes)), names)
        axes.set(title=f"{name}: validation images", xlabel="predicted", ylabel="actual")
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)


def _plot_pairs(path: Path, name: str, classes: tuple[str, ...], counts: NDArray[np.int_]) -> None:
    mistakes = counts * (1 - np.eye(len(classes), dtype=int))
    order = np.argsort(-mistakes, axis=None, kind="stable")[:MOST_PAIRS]
    order = order[mistakes.ravel()[order] > 0]
    actual, predicted = np.unravel_index(order, mistakes.shape)
    right = f"{np.trace(counts)} of {counts.sum()} right"
    with picture(path, 7, 1.2 + 0.27 * max(len(order), 1)) as figure:
        axes = figure.subplots()
        rows = range(len(order))
        found = mistakes[actual, predicted]
        axes.barh(rows, found, color=BLUE, height=0.65)
        for row, count, total in zip(rows, found, counts.sum(axis=1)[actual], strict=True):
            axes.text(count, row, f" {count} of {total}", va="center", fontsize=8, color="#333333")
        pairs = [f"{shorten(classes[a])} → {shorten(classes[p])}" for a, p in zip(actual, predicted, strict=True)]
        axes.set_yticks(rows, pairs, color="#333333")
        axes.margins(y=0.01)
        axes.invert_yaxis()
        axes.set_xticks([])
        axes.spines[["bottom", "left"]].set_visible(False)
        axes.tick_params(length=0)
        # Over the names too: beside them the words would run out of the picture.
        figure.suptitle(
            f"{name}: commonest mistakes on validation, {right}", x=0.01, ha="left", fontsize=10, weight="bold"
        )
