"""The content of metrics/explain.json, the tables beside the pictures, and what is printed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.analysis.explain.likeness import ConfusedPair
from lacuna.analysis.explain.slices import Slice
from lacuna.core.scores import Floats
from lacuna.core.targets import Targets
from lacuna.io.csv_files import write_csv
from lacuna.io.plurals import number_of
from lacuna.stats.numbers import rounded

SLICES_HEADER = (
    "target",
    "by",
    "slice",
    "images",
    "groups",
    "accuracy",
    "rest",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "shown",
)


def summarise_explanation(
    targets: Targets,
    faithfulness: Mapping[str, Mapping[str, Any]],
    pairs: Mapping[str, Sequence[ConfusedPair]],
    slices: Sequence[Slice],
) -> dict[str, Any]:
    """By target its maps' faithfulness, if it is categorical its most confused pairs, and the worse slices.

    What is undefined is left out, without heat maps their faithfulness.
    """
    content: dict[str, Any] = {}
    for target in targets:
        tested = [tested for tested in slices if tested.target == target.name]
        content[target.name] = {
            **({"faithfulness": dict(faithfulness[target.name])} if faithfulness else {}),
            "slices_tested": len(tested),
            "worse_slices": {tested.title: _slice(tested) for tested in tested if tested.shown},
        }
        if target.name in pairs:
            content[target.name]["confused_pairs"] = {
                f"{target.classes[pair.actual]} → {target.classes[pair.predicted]}": _pair(pair)
                for pair in pairs[target.name]
            }
    return content


def write_slices(path: Path, slices: Sequence[Slice]) -> None:
    rows = []
    for tested in slices:
        metrics = (tested.accuracy, tested.rest, tested.difference, tested.low, tested.high)
        chances = (f"{tested.p:.3g}", f"{tested.adjusted:.3g}", int(tested.shown))
        cells = ("" if np.isnan(value) else rounded(value) for value in metrics)
        rows.append((tested.target, tested.by, tested.name, tested.images, tested.groups, *cells, *chances))
    write_csv(path, SLICES_HEADER, rows)


def write_places(path: Path, image: NDArray[np.str_], places: Floats) -> None:
    """The layout of the images: names (n,), places (n, 2)."""
    rows = [(name, f"{x:.4f}", f"{y:.4f}") for name, (x, y) in zip(image.tolist(), places.tolist(), strict=True)]
    write_csv(path, ("image", "x", "y"), rows)


def describe_faithfulness(name: str, summary: Mapping[str, Any]) -> str:
    """One line for people.

    >>> found = {"images": 60, "drop_hottest": 0.31, "drop_random": 0.02, "difference": 0.29}
    >>> describe_faithfulness("red", {**found, "difference_low": 0.2, "difference_high": 0.38, "shown": True})
    'red: blurring the hottest tenth lowers the probability by 0.31, another tenth by 0.02; difference [0.20, 0.38]'
    """
    if "difference" not in summary:
        return f"{name}: no image was decided to be present, so no map could be checked"
    text = (
        f"{name}: blurring the hottest tenth lowers the probability by {summary['drop_hottest']:.2f}, another tenth by "
        f"{summary['drop_random']:.2f}"
    )
    if "difference_low" not in summary:
        return f"{text}; too few images ({summary['images']}) for an interval"
    ends = f"[{summary['difference_low']:.2f}, {summary['difference_high']:.2f}]"
    return f"{text}; difference {ends}" + ("" if summary["shown"] else ": the maps are not shown to be right")


def describe_slices(slices: Sequence[Slice]) -> list[str]:
    """A line for each slice that is shown to be worse, or one that says there is none."""
    shown = [tested for tested in slices if tested.shown]
    lines = [
        f"{tested.target} is right in {tested.accuracy:.0%} of {number_of(tested.images, 'image')} with "
        f"{tested.title}, elsewhere in {tested.rest:.0%}"
        for tested in shown
    ]
    return lines or [f"none of {len(slices)} slices is shown to be worse than the rest"]


def _pair(pair: ConfusedPair) -> dict[str, float | int]:
    content: dict[str, float | int] = {"images": len(pair.rows), "of": pair.of}
    for key, value in (("likeness", pair.likeness), ("more_alike_than", pair.rank)):
        if not np.isnan(value):
            content[key] = rounded(value)
    return content


def _slice(tested: Slice) -> dict[str, float | int]:
    return {
        "images": tested.images,
        "groups": tested.groups,
        "accuracy": rounded(tested.accuracy),
        "rest": rounded(tested.rest),
        "difference": rounded(tested.difference),
        "difference_low": rounded(tested.low),
        "difference_high": rounded(tested.high),
        "p_holm": float(f"{tested.adjusted:.3g}"),
    }
