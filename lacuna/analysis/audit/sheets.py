"""Sheets of the images behind an audit's lists: label issues, copies whose labels differ, what to label next."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.analysis.audit.audit import TargetAudit
from lacuna.core.manifest import Manifest
from lacuna.core.targets import TOO_RARE
from lacuna.presentation.style import GREY, picture, shorten

MOST_TILES = 24

MOST_COPIES = 3

LONGEST_WORD = 13

TILES_ACROSS = 6

Tile = tuple[int, str, str]
"""The row of an image among the audited images, a line above it, a line below it."""


def plot_sheets(
    folder: Path,
    audits: Sequence[TargetAudit],
    manifest: Manifest,
    copies: NDArray[np.int64],
    images: NDArray[np.uint8],
) -> None:
    """Write a sheet for each list that is not empty, targets in turn so that each shows its first."""
    lists = {
        "label_issues": ("Label issues, lowest quality first: given → likeliest", _issues(audits)),
        "to_label": ("Label next: what the model is least sure of", _unknown(audits)),
        "conflicts": ("Copies of one image with different labels", _conflicting(audits, manifest, copies)),
    }
    for name, (title, tiles) in lists.items():
        if tiles:
            _draw(folder / f"{name}.png", title, tiles, manifest, images)


def _issues(audits: Sequence[TargetAudit]) -> list[Tile]:
    lists = []
    for audited in audits:
        if audited.issues is None:
            continue
        issues, classes = audited.issues, audited.target.classes
        lists.append(
            [
                (
                    int(issues.rows[place]),
                    audited.target.name,
                    f"{shorten(classes[issues.given[place]])} →\n{shorten(classes[issues.likeliest[place]])}",
                )
                for place in issues.listed()[:MOST_TILES].tolist()
            ]
        )
    return _in_turn(lists)


def _unknown(audits: Sequence[TargetAudit]) -> list[Tile]:
    lists = []
    for audited in audits:
        if audited.unknown is None:
            continue
        unknown, classes = audited.unknown, audited.target.classes
        lists.append(
            [
                (
                    int(unknown.rows[place]),
                    audited.target.name,
                    f"{shorten(classes[unknown.likeliest[place]])}?\n{unknown.probability[place]:.0%}",
                )
                for place in range(min(MOST_TILES, len(unknown.rows)))
            ]
        )
    return _in_turn(lists)


def _conflicting(audits: Sequence[TargetAudit], manifest: Manifest, copies: NDArray[np.int64]) -> list[Tile]:
    """Small groups first, at most MOST_COPIES of each, each with the targets that disagree in its group."""
    tiles: list[Tile] = []
    groups, sizes = np.unique(copies, return_counts=True)
    disagreeing = np.isin(groups, copies[np.concatenate([audited.copies.rows for audited in audits])])
    for group in groups[disagreeing][np.argsort(sizes[disagreeing], kind="stable")].tolist():
        rows = np.flatnonzero(copies == group)[:MOST_COPIES]
        if len(tiles) + len(rows) > MOST_TILES:
            break
        disagree = [
            (column, audited)
            for column, audited in enumerate(audits)
            if np.isin(np.flatnonzero(copies == group), audited.copies.rows).any()
        ]
        for row in rows.tolist():
            said = [
                f"{_brief(audited.target.name)}: {_brief(_word(audited, manifest.labels[row, column]))}"
                for column, audited in disagree
            ]
            more = [f"and {len(said) - 3} more"] if len(said) > 4 else []
            tiles.append((row, f"group {group}", "\n".join(said[: 3 if more else 4] + more)))
    return tiles


def _brief(name: str) -> str:
    """Short enough for two side by side below an image."""
    return name if len(name) <= LONGEST_WORD else name[: LONGEST_WORD - 1] + "…"


def _word(audited: TargetAudit, label: np.int16) -> str:
    if label == TOO_RARE:
        return "too rare"
    return audited.target.classes[label] if label >= 0 else "unknown"


def _in_turn(lists: list[list[Tile]]) -> list[Tile]:
    """The first of each list, then the second of each, until the sheet is full."""
    longest = max(map(len, lists), default=0)
    tiles = [tiles[place] for place in range(longest) for tiles in lists if place < len(tiles)]
    return tiles[:MOST_TILES]


def _draw(path: Path, title: str, tiles: Sequence[Tile], manifest: Manifest, images: NDArray[np.uint8]) -> None:
    down = math.ceil(len(tiles) / TILES_ACROSS)
    lines = max(below.count("\n") + 1 for _, _, below in tiles)
    with picture(path, 9.6, 0.5 + down * (1.6 + 0.16 * lines)) as figure:
        figure.suptitle(title, fontsize=11, fontweight="bold", x=0.01, ha="left")
        grid = figure.subplots(down, TILES_ACROSS, squeeze=False).ravel().tolist()
        for unused in grid[len(tiles) :]:
            unused.set_visible(False)
        for axes, (row, above, below) in zip(grid, tiles, strict=False):
            axes.imshow(images[manifest.row[row]], interpolation="nearest" if images.shape[1] < 64 else "antialiased")
            axes.set(xticks=[], yticks=[])
            axes.spines[["top", "right"]].set_visible(True)
            for spine in axes.spines.values():
                spine.set(color=GREY, linewidth=0.5)
            axes.set_title(shorten(above), fontsize=7.5, fontweight="normal", color=GREY, pad=3)
            axes.set_xlabel(below, fontsize=7, labelpad=3)
