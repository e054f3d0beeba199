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
from lacuna.io.plurals import number_of
from lacuna.io.progress import progress
from lacuna.monitoring.class_shares import describe_shares
from lacuna.monitoring.drift import ALPHA, FAMILIES, TOLD_APART, DriftComparison, Family, compare_with_training
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
MOST_SHOWN_CLASSES = 6
"""Of a target with more classes, only those that drifted and the most changed of the others get a line."""

PICTURES = (".png", ".svg", ".pdf")

ROW = "  {name:32}  {before:>8}  {now:>22}  {effect:>8}  {said}"


def report_drift(predictor: Predictor, images: Sequence[str], out: Path, as_json: bool) -> int:
    """Compare the images that a command line names with training; print the comparisons, and draw them into `out`.

    Returns the exit code, 0: drift is a finding, not a failure. Raises LacunaError for another suffix than PICTURES,
    and as `observe` does.
    """
    if out.suffix not in PICTURES:
        raise LacunaError(f"{out}: expected a file name ending in {', '.join(PICTURES)}")
    total = count_images(images)
    observed = observe(predictor, progress(find_images(images), total=total, what="look", unit="images"))
    comparisons = compare_with_training(predictor, observed)
    _, reference = DriftReference.load(predictor.folder / OOD_FILE)
    summary = f"{number_of(len(observed), 'image')} beside those of training: {drift_summary(comparisons)}"
    plot_drift(out, comparisons, reference, observed, summary)
    shares = describe_shares(predictor, observed)
    if as_json:
        print(json.dumps(to_json(comparisons, observed) | {"class_shares": shares}, indent=2, allow_nan=False))
        return 0
    print(f"{summary}\n\n{drift_table(comparisons)}\n", *(f"{said}." for said in shares), f"picture: {out}", sep="\n")
    print_unreadable([f"{path}: {reason}" for path, reason in observed.unreadable.items()])
    return 0


def drift_summary(comparisons: Sequence[DriftComparison]) -> str:
    """The outcome in a single line."""
    drifted = [comparison for comparison in comparisons if comparison.drifted]
    if not drifted:
        return f"no drift shown in {len(comparisons)} comparisons"
    labels = ", ".join(comparison.label for comparison in drifted)
    return f"drifted in {len(drifted)} of {len(comparisons)} comparisons: {labels}"


def drift_table(comparisons: Sequence[DriftComparison]) -> str:
    """A line for each comparison, under the heading of its family."""
    lines = []
    for family in FAMILIES:
        inside = [comparison for comparison in comparisons if comparison.family == family]
        shown = shown_comparisons(inside)
        lines.append(ROW.format(name=TITLES[family], before="training", now="now", effect="effect", said="").strip(" "))
        lines += [_row(comparison) for comparison in shown]
        if len(shown) < len(inside):
            lines.append(f"  {number_of(len(inside) - len(shown), 'more class', 'more classes')}: no drift shown")
        lines.append("")
    floors = (f"{name} from {SMALL[name]:g} on, {LEGEND[name]}" for name in LEGEND)
    lines += [f"Effects that count: {'; '.join(floors)}."]
    return "\n".join(
        [*lines, f"In at most {ALPHA:.0%} of batches like the training images is anything called drifted."]
    )


def shown_comparisons(comparisons: Sequence[DriftComparison]) -> list[DriftComparison]:
    """The comparisons that get a line. Of a target with more than MOST_SHOWN_CLASSES classes: those that drifted, then
    the most changed ones."""
    shown: list[DriftComparison] = []
    targets = list(dict.fromkeys(comparison.target for comparison in comparisons))
    for target in targets:
        inside = [comparison for comparison in comparisons if comparison.target == target]
        if target is None or len(inside) <= MOST_SHOWN_CLASSES:
            shown += inside
            continue
        ranked = sorted(inside, key=lambda comparison: (not comparison.drifted, -comparison.result.effect))
        n_drifted = sum(comparison.drifted for comparison in inside)
        kept = ranked[: max(MOST_SHOWN_CLASSES, n_drifted)]
        shown += [comparison for comparison in inside if comparison in kept]
    return shown


def format_value(value: float, comparison: DriftComparison) -> str:
    """A value of a comparison in its own unit: a share in percent, an AUC, or a property's median."""
    if comparison.name == TOLD_APART:
        return f"{value:.2f}"
    if comparison.result.measure == "D":
        return f"{value:,.0f}"
    return f"{value:.1%}"


def to_json(comparisons: Sequence[DriftComparison], observed: Observed) -> dict[str, Any]:
    """All comparisons for `--json`; what is undefined is left out."""
    return {
        "images": len(observed),
        "unreadable": observed.unreadable,
        "drifted": any(comparison.drifted for comparison in comparisons),
        "alpha": ALPHA,
        "comparisons": [dict(_fields(comparison)) for comparison in comparisons],
    }


def _row(comparison: DriftComparison) -> str:
    name = comparison.label
    now = format_value(comparison.now, comparison)
    if not math.isnan(comparison.low):
        now += f" [{format_value(comparison.low, comparison)}, {format_value(comparison.high, comparison)}]"
    return ROW.format(
        name=name if len(name) <= 32 else f"{name[:31]}…",
        before=format_value(comparison.before, comparison),
        now=now,
        effect=f"{comparison.result.measure} {comparison.result.effect:.2f}",
        said="drifted" if comparison.drifted else "no drift shown",
    )


def _fields(comparison: DriftComparison) -> Iterator[tuple[str, Any]]:
    yield "family", comparison.family
    yield "name", comparison.name
    if comparison.target is not None:
        yield "target", comparison.target
    yield "training", comparison.before
    yield "now", comparison.now
    if not math.isnan(comparison.low):
        yield "now_low", comparison.low
        yield "now_high", comparison.high
    yield "measure", comparison.result.measure
    yield "effect", comparison.result.effect
    yield "p", comparison.p
    yield "drifted", comparison.drifted
