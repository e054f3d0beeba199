"""The parts that a predictor is made of, loaded from a bundle: each fits the others, or is refused."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lacuna.core.feature_store import FeatureLayout
from lacuna.core.head_weights import HeadWeights
from lacuna.errors import LacunaError
from lacuna.inference.bundle import Bundle, Member, read_predictions
from lacuna.inference.ood import OodDetector
from lacuna.inference.runtimes import HEAD_FILE, OUTPUTS, ExportedNetwork, load_network
from lacuna.stats.label_shift import importance_replicates

if TYPE_CHECKING:
    from lacuna.calibration.selective import Promise

SHARE_REPLICATES = 500
"""Bootstrap replicates of the class shares among all images that a promise rests on."""


def load_member(folder: Path, member: Member, runtime: str, sizes: tuple[int, int]) -> ExportedNetwork:
    """Load a network into a runtime and run it once, so that one that does not fit is found now.

    sizes: how many logits and features it must put out. Raises LacunaError when it doesn't, and when it doesn't run.
    """
    size = member.input.image_size
    try:
        network = load_network(folder / member.folder, runtime)
        output = network(np.zeros((1, size, size, 3), dtype=np.uint8))
    except Exception as error:  # the runtimes have no common exception
        reason = " ".join(str(error).split())[:200]
        raise LacunaError(f"{folder}: {runtime} cannot run this network: {reason}") from None
    for name, values, wanted in zip(OUTPUTS, output[:2], sizes, strict=True):
        if values.shape != (1, wanted):
            raise LacunaError(f"{folder}: expected a network of {wanted} {name}, received shape {values.shape}")
        if not np.isfinite(values).all():
            raise LacunaError(f"{folder}: the network's {name} of a black image are not finite")
    return network


def load_head(folder: Path, bundle: Bundle, layout: FeatureLayout) -> HeadWeights | None:
    """The linear head of a bundle's only network, None where there is none. Raises LacunaError when it doesn't fit."""
    member = bundle.members[0]
    if len(bundle.members) > 1 or HEAD_FILE not in member.files:
        return None
    path = folder / member.folder / HEAD_FILE
    head = HeadWeights.load(path)
    if not head.linear or head.weights.shape != (layout.n_columns, bundle.targets.n_logits):
        raise LacunaError(f"{path}: not the linear head of this network; run `dvc repro bundle`")
    return head


def load_detector(path: Path, layout: FeatureLayout) -> OodDetector:
    """A bundle's detector. Raises LacunaError when it is damaged, or not one of a network's features."""
    detector, wanted = OodDetector.load(path), layout.top.stop - layout.top.start
    if len(detector.mean) != wanted:
        raise LacunaError(f"{path}: of {len(detector.mean)} features, the network has {wanted}; run `dvc repro bundle`")
    return detector


def find_promises(folder: Path, bundle: Bundle, precision: float, certainty: float) -> "dict[str, Promise]":
    """By target what selective prediction can promise by the bundle's test part. Raises LacunaError when the part's
    predictions are damaged, or not of the bundle's targets."""
    from lacuna.calibration.selective import promise  # here, because it loads SciPy

    targets, calibration, test = bundle.targets, bundle.calibration, read_predictions(folder)["test"]
    probabilities, decisions = calibration.apply(targets, test.logits), calibration.decide(targets, test.logits)
    promises = {}
    for index, target in enumerate(targets):
        labels, importance = test.labels[:, index], None
        if calibration.targets[target.name].population == "all":
            importance = importance_replicates(probabilities[index], labels, test.group, SHARE_REPLICATES, seed=0)
        promises[target.name] = promise(
            target, labels, probabilities[index], decisions[:, index], test.group, precision, certainty, importance
        )
    return promises
