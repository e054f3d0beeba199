"""What has drifted, as a table for a person and as JSON for a program."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lacuna.errors import LacunaError
from lacuna.inference.bundle import OOD_FILE
from lacuna.inference.drift_reference import DriftReference
from lacuna.inference.image_inputs import count_images, find_images
from lacuna.inference.output_files import print_unreadable
from lacuna.inference.predictor import Predictor
from lacuna.io.progress import progress
from lacuna.monitoring.compare import ALPHA, FAMILIES, TOLD_APART, Comparison, Family, compare_with_training
from lacuna.monitoring.observe import Observed, observe
from lacuna.monitoring.plots import plot_drift
from lacuna.monitoring.two_sample import SMALL, Measure

TITLES: dict[Family, str] = {
    "features": "What the network sees",
    "predictions": "What it predicts",
    "properties": "What the images are",
}
LEGEND: dict[Measure, str] = {
    "h": "the difference of two shares",
    "AUC": "how well a classifier tells new images from old ones",
    "TV": "the share of images that would have to change",
    "D": "the largest gap of two distributions",
}
MOST_CLASSES = 6
"""Of a target with more classes, only those that drifted and the most changed of the others have a line."""

PICTURES = (".png", ".svg", ".pdf")

ROW = "  {name:32}  {before:>8}  {now:>22}  {effect:>8}  {said}"


def report_drift(predictor: Predictor, images: Sequence[str], out: Path, as_json: bool) -> int:
    """Compare the images that a command line names with training; print it, and draw it into `out`.

    Returns the exit code, 0: drift is a finding, not a failure.
    """
    if out.suffix not in PICTURES:
        raise LacunaError(f"{out}: expected a file name ending in {', '.join(PICTURES)}")
    total = count_images(images)
    observed = observe(predictor, progress(find_images(images), total=total, what="look", unit="images"))
    comparisons = compare_with_training(predictor, observed)
    _, reference = DriftReference.load(predictor.folder / OOD_FILE)
    said = f"{len(observed):,} images beside those of training: {conclude(comparisons)}"
    plot_drift(out, comparisons, reference, observed, said)
    if as_json:
        print(json.dumps(to_json(comparisons, observed), indent=2, allow_nan=False))
        return 0
    print(f"{said}\n\n{table(comparisons)}\npicture: {out}")
    print_unreadable([f"{path}: {reason}" for path, reason in observed.unreadable.items()])
    return 0


def conclude(comparisons: Sequence[Comparison]) -> str:
    """The outcome in one line."""
    drifted = [one for one in comparisons if one.drifted]
    if not drifted:
        return f"no drift shown in {len(comparisons)} comparisons"
    return f"drifted in {len(drifted)} of {len(comparisons)} comparisons: {', '.join(one.label for one in drifted)}"


def table(comparisons: Sequence[Comparison]) -> str:
    """A line for each comparison, under the heading of its family."""
    lines = []
    for family in FAMILIES:
        inside = [one for one in comparisons if one.family == family]
        shown = shown_comparisons(inside)
        lines.append(ROW.format(name=TITLES[family], before="training", now="now", effect="effect", said="").strip(" "))
        lines += [_row(one) for one in shown]
        if len(shown) < len(inside):
            lines.append(f"  {len(inside) - len(shown)} more classes: no drift shown")
        lines.append("")
    floors = (f"{name} from {SMALL[name]:g} on, {LEGEND[name]}" for name in LEGEND)
    lines += [f"Effects that count: {'; '.join(floors)}."]
    return "\n".join(
        [*lines, f"In at most {ALPHA:.0%} of batches like the training images is anything called drifted."]
    )


def shown_comparisons(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Those worth a line: all but the classes of a large target that have changed least, none of which drifted."""
    shown: list[Comparison] = []
    targets = list(dict.fromkeys(one.target for one in comparisons))
    for target in targets:
        inside = [one for one in comparisons if one.target == target]
        if target is None or len(inside) <= MOST_CLASSES:
            shown += inside
            continue
        ranked = sorted(inside, key=lambda one: (not one.drifted, -one.difference.effect))
        n_drifted = sum(one.drifted for one in inside)
        kept = ranked[: max(MOST_CLASSES, n_drifted)]
        shown += [one for one in inside if one in kept]
    return shown


def describe(value: float, one: Comparison) -> str:
    """A comparison's figure in its own unit."""
    if one.name == TOLD_APART:
        return f"{value:.2f}"
    if one.difference.measure == "D":
        return f"{value:,.0f}"
    return f"{value:.1%}"


def to_json(comparisons: Sequence[Comparison], observed: Observed) -> dict[str, Any]:
    """Everything, undefined figures left out."""
    return {
        "images": len(observed),
        "unreadable": observed.unreadable,
        "drifted": any(one.drifted for one in comparisons),
        "alpha": ALPHA,
        "comparisons": [dict(_fields(one)) for one in comparisons],
    }


def _row(one: Comparison) -> str:
    name = one.label
    now = describe(one.now, one)
    if not math.isnan(one.low):
        now += f" [{describe(one.low, one)}, {describe(one.high, one)}]"
    return ROW.format(
        name=name if len(name) <= 32 else f"{name[:31]}…",
        before=describe(one.before, one),
        now=now,
        effect=f"{one.difference.measure} {one.difference.effect:.2f}",
        said="drifted" if one.drifted else "no drift shown",
    )


def _fields(one: Comparison) -> Iterator[tuple[str, Any]]:
    yield "family", one.family
    yield "name", one.name
    if one.target is not None:
        yield "target", one.target
    yield "training", one.before
    yield "now", one.now
    if not math.isnan(one.low):
        yield "now_low", one.low
        yield "now_high", one.high
    yield "measure", one.difference.measure
    yield "effect", one.difference.effect
    yield "p", one.p
    yield "drifted", one.drifted
