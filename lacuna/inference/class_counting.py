"""Count how many of new images are of each class, with intervals, and decide by how frequent the classes are there.

`python -m lacuna count FOLDER` and `python -m lacuna predict --adapt FOLDER`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lacuna.core.scores import Floats, Labels
from lacuna.core.targets import Target
from lacuna.errors import LacunaError
from lacuna.inference.bundle import read_predictions
from lacuna.inference.image_inputs import count_images, find_images
from lacuna.inference.output_files import print_unreadable
from lacuna.inference.predictor import Predictor
from lacuna.io.names import listed
from lacuna.io.progress import progress
from lacuna.io.text_table import align
from lacuna.stats.class_counts import ClassShares, estimate_shares
from lacuna.stats.label_shift import prior_shift
from lacuna.stats.mixture_fit import UNLIKE_LEVEL
from lacuna.stats.numbers import in_percent, rounded

FEWEST_COUNTED = 20
"""Fewer images are looked at one by one; their class shares say nothing."""

VAGUE = 0.5
"""An interval that leaves so much of all images open says next to nothing."""

CONFIDENCE, REPLICATES, SEED = 0.95, 500, 0


class Reference(NamedTuple):
    """A target on the validation images: calibrated probabilities (n, n_classes), labels and groups (n,)."""

    probabilities: Floats
    labels: Labels
    group: NDArray[np.int64]


@dataclass(frozen=True)
class CountedTarget:
    """What was found of a target on n images. decided (n_classes,): how many images each class is decided for."""

    target: Target
    reference: Reference
    n_images: int
    decided: Floats
    shares: ClassShares

    @property
    def refusal(self) -> str:
        """Why the target is not counted; empty where it is."""
        if np.isnan(self.shares.shares).any():
            return "validation has no labels of two classes, in several groups of images, to compare with"
        if self.shares.unlike_p is not None and self.shares.unlike_p <= UNLIKE_LEVEL:
            return "these images are unlike the labelled ones in more than how frequent the classes are"
        return ""

    @property
    def vague(self) -> list[str]:
        """The classes of which next to nothing is told: the interval leaves more than half of all possible counts."""
        return [name for name, _, low, high, _ in self.counts() if high - low > VAGUE * self.n_images]

    def counts(self) -> list[tuple[str, int, int, int, int]]:
        """Of each class its name, how many images are of it, the ends of the interval, and how many are decided so."""
        ends = self.shares.shares, self.shares.low, self.shares.high
        found = [np.rint(self.n_images * of_class).astype(int).tolist() for of_class in ends]
        return list(zip(self.target.classes, *found, self.decided.astype(int).tolist(), strict=True))


def count_classes(
    predictor: Predictor, arguments: Sequence[str], column: str | None
) -> tuple[list[CountedTarget], list[str]]:
    """Predict the images that the arguments name, and count each target's classes among those that can be read.

    Also returns why others could not be read. Raises LacunaError when fewer than FEWEST_COUNTED could.
    """
    targets = predictor.bundle.targets
    found: list[list[list[float]]] = [[] for _ in targets]
    decided = [np.zeros(target.n_classes) for target in targets]
    unreadable = []
    total = count_images(arguments, column)
    stream = predictor.stream(find_images(arguments, column))
    for prediction in progress(stream, total=total, what="count", unit="images"):
        if prediction.error is not None:
            unreadable.append(f"{prediction.name}: {prediction.error}")
            continue
        for index, (target, said) in enumerate(zip(targets, prediction.targets.values(), strict=True)):
            found[index].append(list(said.probabilities.values()))
            decided[index][target.classes.index(said.decision)] += 1
    if len(found[0]) < FEWEST_COUNTED:
        raise LacunaError(
            f"classes are counted among at least {FEWEST_COUNTED} images that can be read, received {len(found[0])}"
        )
    return count_predicted(predictor, [np.array(of_target) for of_target in found], decided), unreadable


def count_predicted(
    predictor: Predictor, probabilities: Sequence[Floats], decided: Sequence[Floats]
) -> list[CountedTarget]:
    """Count each target's classes among images by their probabilities (n, n_classes), against labelled validation
    images. decided: how many images each class is decided for (n_classes,)."""
    targets, validation = predictor.bundle.targets, read_predictions(predictor.folder)["validation"]
    known = predictor.bundle.calibration.apply(targets, validation.logits)
    counted = []
    for index, target in enumerate(targets):
        reference = Reference(known[index], validation.labels[:, index], validation.group)
        shares = estimate_shares(*reference, probabilities[index], CONFIDENCE, REPLICATES, SEED)
        counted.append(CountedTarget(target, reference, len(probabilities[index]), decided[index], shares))
    return counted


def adapt(predictor: Predictor, counted: Sequence[CountedTarget]) -> tuple[Predictor, list[str]]:
    """The predictor for images with the class shares that were counted, and a line on each target.

    Calibrated probabilities are moved from validation's shares to these by Bayes' rule; thresholds on them stay. A
    target that cannot be counted stays as it is.
    """
    bundle = predictor.bundle
    calibrations, said = dict(bundle.calibration.targets), []
    for of_target in counted:
        name, target, shares = of_target.target.name, of_target.target, of_target.shares.shares
        if of_target.refusal:
            said.append(f"{name}: not adapted: {of_target.refusal}")
            continue
        shift = prior_shift(of_target.reference.probabilities, of_target.reference.labels, shares)
        moves = shift[1:] - shift[:1] if target.kind == "binary" else shift
        bias = tuple((np.array(calibrations[name].bias) + moves).tolist())
        calibrations[name] = replace(calibrations[name], bias=bias)
        labels = of_target.reference.labels
        before = np.bincount(labels[labels >= 0], minlength=target.n_classes)
        largest = 1 if target.kind == "binary" else int(np.argmax(np.abs(shares - before / before.sum())))
        said.append(f"{name}: decided as where {in_percent(shares[largest])} are {target.classes[largest]}")
    calibration = replace(bundle.calibration, targets=calibrations)
    return replace(predictor, bundle=replace(bundle, calibration=calibration)), said


def report_counts(predictor: Predictor, arguments: Sequence[str], column: str | None, as_json: bool) -> int:
    """Print how many of the images that a command line names are of each class; return the exit code.

    1 when no target can be counted. A target that cannot be is named with the reason.
    """
    counted, unreadable = count_classes(predictor, arguments, column)
    if as_json:
        print(json.dumps(_to_json(counted), allow_nan=False, indent=2))
    else:
        rows = [("target", "class", "images", f"{CONFIDENCE:.0%} interval", "decided so")]
        for of_target in counted:
            for name, count, low, high, decided in [] if of_target.refusal else of_target.counts():
                rows.append((of_target.target.name, name, f"{count:,}", f"{low:,} to {high:,}", f"{decided:,}"))
        print(f"{counted[0].n_images:,} images, counted against the labelled validation images of {predictor.folder}")
        if len(rows) > 1:
            print(align(rows, left=(0, 1)))
        for of_target in counted:
            if of_target.refusal:
                print(f"{of_target.target.name}: not counted: {of_target.refusal}")
            elif vague := of_target.vague:
                of = "" if len(vague) == of_target.target.n_classes else f" of {listed(vague)}"
                print(
                    f"{of_target.target.name}: the counts{of} say next to nothing, their intervals leave more than "
                    "half of all that is possible: more images, or more labelled ones in validation, make them narrower"
                )
    print_unreadable(unreadable)
    return 1 if all(of_target.refusal for of_target in counted) else 0


def _to_json(counted: Sequence[CountedTarget]) -> dict[str, Any]:
    targets: dict[str, Any] = {}
    for of_target in counted:
        if of_target.refusal:
            targets[of_target.target.name] = {"refused": of_target.refusal}
            continue
        shares = of_target.shares.shares.tolist()
        targets[of_target.target.name] = {
            name: {"count": count, "low": low, "high": high, "share": rounded(share), "decided": decided}
            for (name, count, low, high, decided), share in zip(of_target.counts(), shares, strict=True)
        }
    return {"images": counted[0].n_images, "confidence": CONFIDENCE, "targets": targets}
