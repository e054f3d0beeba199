"""Which classes a categorical target takes for which: a matrix while it can be read, and the commonest mistakes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lacuna.evaluation.scoring import Scored
from lacuna.io.csv_files import write_csv
from lacuna.presentation.style import BLUE, DARK, picture, shorten

MOST_CLASSES = 20
"""A matrix of more classes cannot be read at a page's width."""

MOST_PAIRS = 20

MOST_SAID = 3
"""So many pairs are named in words."""

MATRIX_HEADER = ("actual", "predicted")
MISTAKES_HEADER = ("pair", "actual", "predicted", "images", "of")

NO_CATEGORICAL = "no_categorical_target.csv"
"""The only file, a header without rows, in both folders of a project without a categorical target: git keeps no empty
folder, so that DVC would miss it in every clone."""


def write_confusions(matrices: Path, pairs: Path, scored: Sequence[Scored]) -> None:
    """Write pictures and tables of every categorical target's mistakes into two folders.

    `matrices`: NAME.png, and with few classes NAME.csv (actual, predicted: a row per known image). `pairs`: NAME.csv, a
    row per pair of classes, the commonest mistakes first. Both CSVs are what `dvc plots` draws. Without a categorical
    target each folder holds NO_CATEGORICAL.
    """
    categorical = [of_target for of_target in scored if of_target.target.kind == "categorical"]
    if not categorical:
        write_csv(matrices / NO_CATEGORICAL, MATRIX_HEADER, ())
        write_csv(pairs / NO_CATEGORICAL, MISTAKES_HEADER, ())
    for of_target in categorical:
        name, classes, counts = of_target.target.name, of_target.target.classes, _count(of_target)
        if len(classes) <= MOST_CLASSES:
            known = of_target.labels >= 0
            cells = zip(of_target.labels[known], of_target.decisions[known], strict=True)
            rows = [(classes[actual], classes[predicted]) for actual, predicted in cells]
            write_csv(matrices / f"{name}.csv", MATRIX_HEADER, rows)
            _plot_matrix(matrices / f"{name}.png", name, classes, counts)
        else:
            _plot_pairs(matrices / f"{name}.png", name, classes, counts)
        found = [
            (f"{classes[actual]} → {classes[predicted]}", classes[actual], classes[predicted], mistakes, total)
            for actual, predicted, mistakes, total in _commonest(counts, MOST_PAIRS)
        ]
        write_csv(pairs / f"{name}.csv", MISTAKES_HEADER, found)


def describe_confusions(scored: Scored) -> str:
    """The commonest mistakes of a categorical target in words, such as "kind: hat is taken for bag in 12 of 60"."""
    classes, counts = scored.target.classes, _count(scored)
    if not counts.sum():
        return f"{scored.target.name}: no known label"
    found = [
        f"{classes[actual]} is taken for {classes[predicted]} in {mistakes} of {total}"
        for actual, predicted, mistakes, total in _commonest(counts, MOST_SAID)
    ]
    return f"{scored.target.name}: {', '.join(found) or 'no mistake'}"


def _count(scored: Scored) -> NDArray[np.int_]:
    """Known images by actual and predicted class (n_classes, n_classes)."""
    known = scored.labels >= 0
    counts = np.zeros((scored.target.n_classes, scored.target.n_classes), dtype=int)
    np.add.at(counts, (scored.labels[known], scored.decisions[known]), 1)
    return counts


def _commonest(counts: NDArray[np.int_], most: int) -> list[tuple[int, int, int, int]]:
    """The commonest mistakes: actual class, predicted class, in how many images, of how many of the actual class."""
    mistakes = counts * (1 - np.eye(len(counts), dtype=int))
    order = np.argsort(-mistakes, axis=None, kind="stable")[:most]
    actual, predicted = np.unravel_index(order[mistakes.ravel()[order] > 0], mistakes.shape)
    columns = (actual, predicted, mistakes[actual, predicted], counts.sum(axis=1)[actual])
    return [(int(a), int(p), int(n), int(total)) for a, p, n, total in zip(*columns, strict=True)]


def _plot_matrix(path: Path, name: str, classes: tuple[str, ...], counts: NDArray[np.int_]) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.2 + 0.42 * len(classes)
    with picture(path, side, side) as figure:
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.55 else DARK
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=8, color=colour)
        names = [shorten(name) for name in classes]
        axes.set_xticks(range(len(classes)), names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(classes)), names)
        axes.set(xlabel="predicted", ylabel="actual")
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        _write_title(figure, f"{name}: validation images")


def _plot_pairs(path: Path, name: str, classes: tuple[str, ...], counts: NDArray[np.int_]) -> None:
    found = _commonest(counts, MOST_PAIRS)
    right = f"{np.trace(counts)} of {counts.sum()} right"
    with picture(path, 7, 1.2 + 0.27 * max(len(found), 1)) as figure:
        axes = figure.subplots()
        rows = range(len(found))
        axes.barh(rows, [mistakes for _, _, mistakes, _ in found], color=BLUE, height=0.65)
        for row, (_, _, mistakes, total) in enumerate(found):
            axes.text(mistakes, row, f" {mistakes} of {total}", va="center", fontsize=8, color=DARK)
        pairs = [f"{shorten(classes[actual])} → {shorten(classes[predicted])}" for actual, predicted, _, _ in found]
        axes.set_yticks(rows, pairs, color=DARK)
        axes.margins(y=0.01)
        axes.invert_yaxis()
        axes.set_xticks([])
        axes.spines[["bottom", "left"]].set_visible(False)
        axes.tick_params(length=0)
        _write_title(figure, f"{name}: commonest mistakes on validation, {right}")


def _write_title(figure: Figure, text: str) -> None:
    """Over the classes' names too: beside them the words would run out of the picture."""
    figure.suptitle(text, x=0.01, ha="left", fontsize=10, weight="bold")
