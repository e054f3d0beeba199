"""The metrics of every single class: a CSV of all, and a table for people where there are few."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lacuna.core.groups import distinct
from lacuna.evaluation.intervals import exact_interval
from lacuna.evaluation.scoring import Scored
from lacuna.io.atomic import atomic_file
from lacuna.io.csv_files import write_csv
from lacuna.io.text_table import align
from lacuna.stats.bootstrap import interval
from lacuna.stats.numbers import percent, rounded

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
    "share_known",
    "share_all",
    "share_low",
    "share_high",
)


def write_classes(path: Path, scored: Mapping[str, Sequence[Scored]], confidence: float) -> None:
    """Write a row per part, target and class; a cell is empty where its metric is undefined.

    `support` counts the known images of the class, `predicted` those among all known ones that were decided for it. The
    classes of a binary target are absent and present. `share_known` is the class's share among the labelled images,
    `share_all` that among all, with its interval.
    """
    rows = [
        (part, *(row.get(column, "") for column in HEADER[1:]))
        for part, targets in scored.items()
        for of_target in targets
        for row in _rows(of_target, confidence)
    ]
    with atomic_file(path) as partial:
        write_csv(partial, HEADER, rows)


def class_table(scored: Scored, confidence: float) -> str:
    """A line of text per class of a target, metrics in percent with the interval of F1 in brackets."""
    lines: list[tuple[str, ...]] = [(scored.target.name, "support", "precision", "recall", "F1")]
    for row in _rows(scored, confidence):
        percents = (percent(row, metric) for metric in ("precision", "recall", "f1"))
        lines.append((f"  {row['class']}", str(row["support"]), *percents))
    return align(lines)


def _rows(scored: Scored, confidence: float) -> Iterator[dict[str, Any]]:
    """By the columns of HEADER but the part; undefined metrics are left out."""
    known = scored.labels >= 0
    for index, name in enumerate(scored.target.classes):
        support, predicted = (int((known & (of == index)).sum()) for of in (scored.labels, scored.decisions))
        metrics = {key: scored.classes[key][index] for key in ("precision", "recall", "average_precision")}
        f1 = scored.classes["f1"][:, index]
        if support:
            groups = len(distinct(scored.group[scored.labels == index]))
            ends = exact_interval("f1", f1[0], confidence, [groups]) or interval(f1[1:], confidence)
            metrics |= {"f1": f1[0]} | (dict(zip(("f1_low", "f1_high"), ends, strict=True)) if ends else {})
        if scored.shares is not None:
            known_share, every = scored.shares.known[0, index], scored.shares.every[:, index]
            ends = interval(every[1:], confidence)
            metrics |= {"share_known": known_share, "share_all": every[0]}
            metrics |= dict(zip(("share_low", "share_high"), ends, strict=True)) if ends else {}
        defined = {key: rounded(value) for key, value in metrics.items() if not np.isnan(value)}
        yield {"target": scored.target.name, "class": name, "support": support, "predicted": predicted, **defined}
