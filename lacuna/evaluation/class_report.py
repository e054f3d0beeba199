"""Figures of every single class: a CSV of all, a table for people where there are few, and what is taken for what."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from lacuna.evaluation.scoring import Scored
from lacuna.io.atomic import whole_file
from lacuna.io.csv_files import write_csv
from lacuna.io.text_table import align
from lacuna.stats.bootstrap import interval
from lacuna.stats.intervals import exact_bound

MOST_PRINTED = 10
"""The classes of a target with more of them stand in the CSV only."""

HEADER = (
    "part",
    "target",
    "class",
    "support",
    "predicted",
    "precision",
    "recall",
    "f1",
    "f1_low",
    "f1_high",
    "average_precision",
)


def write_classes(path: Path, scored: Mapping[str, Sequence[Scored]], confidence: float) -> None:
    """Write a row per part, target and class; a cell is empty where its figure is undefined.

    `support` counts the known images of the class, `predicted` those among all known ones that were decided for it. The
    classes of a binary target are absent and present.
    """
    rows = [(part, *row) for part, scores in scored.items() for one in scores for row in _rows(one, confidence)]
    with whole_file(path) as partial:
        write_csv(partial, HEADER, rows)


def class_table(one: Scored, confidence: float) -> str:
    """A line of text per class of a target, figures in percent with the interval of F1 in brackets."""
    lines = [("", "support", "precision", "recall", "F1")]
    for _, name, support, _, precision, recall, f1, low, high, _ in _rows(one, confidence):
        ends = "" if low == "" else f" [{_percent(low)}-{_percent(high)}]"
        lines.append((f"  {name}", str(support), _percent(precision), _percent(recall), _percent(f1) + ends))
    lines[0] = (one.target.name, *lines[0][1:])
    return align(lines)


def _rows(one: Scored, confidence: float) -> Iterator[tuple[object, ...]]:
    for index, name in enumerate(one.target.classes):
        figures = {key: float(one.classes[key][index]) for key in ("precision", "recall", "average_precision")}
        counts = [int(one.classes[key][index]) for key in ("actual", "predicted")]
        f1 = [float(one.classes["f1"][0, index]), *_f1_ends(one, index, confidence)] if counts[0] else [np.nan] * 3
        cells = [figures["precision"], figures["recall"], *f1, figures["average_precision"]]
        yield (one.target.name, name, *counts, *("" if np.isnan(cell) else round(cell, 6) for cell in cells))


def _f1_ends(one: Scored, index: int, confidence: float) -> tuple[float, float]:
    """The interval of a class's F1, as verdicts has it: exact where all or nothing is right."""
    f1 = one.classes["f1"][:, index]
    if f1[0] in (0, 1):
        bound = exact_bound(len(np.unique(one.group[one.labels == index])), confidence)
        wrong = 1 - bound
        return (2 * bound / (1 + bound), 1.0) if f1[0] == 1 else (0.0, 2 * wrong / (1 + wrong))
    return interval(f1[1:], confidence) or (np.nan, np.nan)


def _percent(value: object) -> str:
    return "-" if value == "" else f"{100 * float(str(value)):.0f}"
