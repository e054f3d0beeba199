"""The sheets of images: samples of each class, augmented views, mean images, odd and rejected ones."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.analysis.explore.findings import FEWEST_FOR_MEAN, Findings
from lacuna.analysis.explore.matrices import AGAINST, CELL, draw_matrix
from lacuna.analysis.explore.odd_images import OddImage
from lacuna.analysis.explore.rejected import peek
from lacuna.analysis.explore.shown_classes import name_rest, shown_classes
from lacuna.analysis.explore.subject import Subject
from lacuna.analysis.explore.views import render_view
from lacuna.config.blocks import Augment
from lacuna.core.targets import UNKNOWN, Target
from lacuna.features.augmentation_draws import draw_changes
from lacuna.io.plurals import number_of
from lacuna.io.progress import progress
from lacuna.presentation.style import DARK, GREY, picture
from lacuna.presentation.thumbnails import (
    CAPTIONED,
    ThumbnailRow,
    caption,
    captioned_size,
    draw_captioned,
    plot_captioned,
    plot_rows,
)

SAMPLES = 8
"""Images of a class."""

MOST_VIEWS = 5
MOST_VIEWED, REPEATS = 9, 3
MOST_CAPTIONED = 42
"""Odd or rejected images on a sheet."""


def draw_galleries(folder: Path, subject: Subject, found: Findings, augment: Augment, most: int) -> None:
    """Draw every sheet into `folder`; `most` classes of a target are shown. A sheet that would be empty is left out."""
    (folder / "samples").mkdir()
    (folder / "mean_images").mkdir()
    columns = range(len(subject.targets))
    for column in progress(columns, total=len(columns), what="draw images", unit="targets"):
        target = subject.targets[column]
        plot_samples(folder / "samples" / f"{target.name}.png", subject, column, most)
        of_classes = found.pixels.means[column], found.pixels.counts[column], found.likeness[column]
        plot_means(folder / "mean_images" / f"{target.name}.png", target, *of_classes, most)
    if augment.views != 1:
        plot_views(folder / "views.png", subject, augment, most)
    if found.odd:
        plot_odd(folder / "odd.png", subject, found.odd)


def plot_samples(path: Path, subject: Subject, column: int, most: int) -> None:
    """Images of each class of a target, and of those where it is unknown."""
    target = subject.targets[column]
    labels = subject.manifest.labels[:, column]
    counts = np.bincount(labels[labels >= 0], minlength=target.n_classes).tolist()
    shown = shown_classes(counts, most)
    rows: list[ThumbnailRow] = []
    for index in shown.all:
        examples = list(subject.images[subject.examples(column, index, SAMPLES)])
        rows.append((f"{target.classes[index]}\n{number_of(int(counts[index]), 'image')}", examples, DARK))
    unknown = int((labels == UNKNOWN).sum())
    if unknown:
        examples = list(subject.images[subject.examples(column, UNKNOWN, SAMPLES)])
        rows.append((f"unknown\n{number_of(unknown, 'image')}", examples, GREY))
    title = target.name
    if shown.rest:
        title += f": the {len(shown.frequent)} most frequent and the {len(shown.rarest)} rarest classes"
    plot_rows(path, title, rows, note=name_rest([target.classes[index] for index in shown.rest], 900))


def plot_views(path: Path, subject: Subject, augment: Augment, most: int) -> None:
    """Training images beside what augmentation makes of them: the very views that are trained on."""
    turns = range(1, 1 + (min(augment.views - 1, MOST_VIEWS) if augment.views else MOST_VIEWS))
    rows: list[ThumbnailRow] = []
    for name, row in _viewed(subject, most):
        image = np.asarray(subject.images[row])
        changes = [draw_changes(augment, image[None], turn)[0] for turn in turns]
        rows.append((name, [image, *(render_view(image, change, augment.cutout) for change in changes)], DARK))
    word = "view" if augment.views else "epoch"
    plot_rows(path, "What augmentation makes of an image", rows, ["as it is", *(f"{word} {turn}" for turn in turns)])


def _viewed(subject: Subject, most: int) -> list[tuple[str, int]]:
    """A training image of each of the commonest classes, the targets taking turns, with its class in words.

    Where there are few classes each comes up to three times.
    """
    train = subject.manifest.labels[subject.manifest.split == "train"]
    queues = []
    for column, target in enumerate(subject.targets):
        counts = np.bincount(train[train[:, column] >= 0, column], minlength=target.n_classes)
        classes = [1] if target.kind == "binary" else np.argsort(-counts, kind="stable").tolist()
        queues.append([(column, target, index) for index in classes if counts[index]])
    longest = max(map(len, queues))
    ordered = [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]
    found: dict[int, str] = {}
    for column, target, index in ordered * REPEATS:
        rows = subject.examples(column, index, len(found) + 1, part="train").tolist()
        fresh = [row for row in rows if row not in found]
        if fresh and len(found) < min(most, MOST_VIEWED):
            found[fresh[0]] = target.name if target.kind == "binary" else f"{target.name}:\n{target.classes[index]}"
    return [(name, row) for row, name in found.items()]


def plot_means(
    path: Path, target: Target, means: NDArray[np.float32], counts: NDArray[np.int64], likeness: NDArray[np.float64],
    most: int,
) -> None:  # fmt: skip
    """The mean image of each class, how each differs from that of all, and how alike they are.

    means: `(n_classes, side, side, 3)`. likeness: as `pixels.correlate` has it.
    """
    enough = np.where(counts >= FEWEST_FOR_MEAN, counts, 0)
    shown = shown_classes(enough.tolist(), most).all
    if not shown:
        return
    images = [means[index].round().astype(np.uint8) for index in shown]
    whole = (means * counts[:, None, None, None]).sum(axis=0) / counts.sum()
    names = [caption(target.classes[index], most=2) for index in shown]
    captions = [f"{name}\n{number_of(int(counts[index]), 'image')}" for name, index in zip(names, shown, strict=True)]
    differences = [_difference(means[index] - whole) for index in shown]
    upper, width = captioned_size(captions)
    middle, _ = captioned_size(names)
    matrix = 0.0 if np.isnan(likeness).all() else CELL * len(shown) + 1.4
    heights = [upper + 0.15, middle + 0.15, matrix][: 3 if matrix else 2]
    with picture(path, max(width, CELL * len(shown) + 2.4, 5.4), sum(heights) + 0.5) as figure:
        # Subfigures: axes below each other would all be indented by the longest name.
        parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights).ravel()
        panels = [part.subplots() for part in parts]
        draw_captioned(panels[0], images, captions)
        panels[0].set_title("mean of the images", fontsize=9)
        draw_captioned(panels[1], differences, names)
        panels[1].set_title("brighter (blue) or darker (orange) than the mean of all", fontsize=9)
        if matrix:
            draw_matrix(panels[2], likeness[np.ix_(shown, shown)], [target.classes[i] for i in shown], signed=True)
            panels[2].set_title("depart from the mean of all in the same way: 1, in opposite ways: -1", fontsize=9)
            panels[2].set_anchor("NW")
        figure.suptitle(target.name, x=0.01, ha="left", fontsize=10, weight="bold")


def _difference(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A difference in brightness as a colour, from -64 to 64 of 255."""
    level = np.clip(values.mean(axis=-1) / 128 + 0.5, 0, 1)
    return (np.asarray(AGAINST(level))[..., :3] * 255).round().astype(np.uint8)


def plot_odd(path: Path, subject: Subject, odd: Sequence[OddImage]) -> None:
    """The odd images with their names and reasons."""
    shown = odd[:MOST_CAPTIONED]
    more = f", the first {len(shown)}" if len(odd) > len(shown) else ""
    images = [np.asarray(subject.images[image.row]) for image in shown]
    captions = [caption(_tail(image.image), image.reason, most=6) for image in shown]
    plot_captioned(path, f"{_count(len(odd), 'odd')}{more}", images, captions)


def plot_rejected(path: Path, folder: Path, rejected: Sequence[tuple[str, str]], max_pixels: int) -> None:
    """What can be seen of the rejected images in `folder`, with their names and reasons."""
    shown = rejected[:MOST_CAPTIONED]
    more = f", the first {len(shown)}" if len(rejected) > len(shown) else ""
    nothing = np.full((CAPTIONED, CAPTIONED, 3), 255, np.uint8)
    images = [peek(folder / name, CAPTIONED, max_pixels) for name, _ in shown]
    captions = [caption(_tail(name), reason, most=6) for name, reason in shown]
    pictures = [nothing if image is None else image for image in images]
    plot_captioned(path, f"{_count(len(rejected), 'rejected')}{more}", pictures, captions)


def _tail(name: str) -> str:
    """The end of a long path: what tells one file from another."""
    return name if len(name) <= 34 else f"…{name[-33:]}"


def _count(n: int, what: str) -> str:
    return number_of(n, f"{what} image")
