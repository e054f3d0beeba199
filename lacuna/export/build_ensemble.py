"""Build an ensemble: one bundle of several finished ones that were scored on the same images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from lacuna.calibration.cross_fit import cross_fit
from lacuna.calibration.fit import fit_calibration
from lacuna.calibration.prevalence import estimate_population
from lacuna.config.blocks import Calibrate, Evaluate
from lacuna.core.predictions import Predictions
from lacuna.errors import LacunaError
from lacuna.evaluation.baselines.trivial import training_prior
from lacuna.evaluation.comparison import ExperimentComparison, compare
from lacuna.evaluation.scoring import score_test, score_validation
from lacuna.evaluation.verdicts import summarise
from lacuna.inference.bundle import (
    OOD_FILE,
    PREDICTION_FILES,
    Bundle,
    check_files,
    read_bundle,
    read_description,
    read_predictions,
    write_bundle,
)
from lacuna.inference.ensemble import mean_logits
from lacuna.inference.packing import check_replaceable
from lacuna.io.atomic import atomic_folder


@dataclass(frozen=True)
class Ensemble:
    """An ensemble's metrics by part, as stage evaluate writes them, and its comparison with each member on validation,
    by the member's folder."""

    metrics: dict[str, dict[str, Any]]
    gains: dict[str, ExperimentComparison]


def build_ensemble(folders: Sequence[Path], out: Path, options: Calibrate, evaluate: Evaluate) -> Ensemble:
    """Write the ensemble of the bundles in `folders` to `out`, calibrated on validation and scored on test.

    Raises LacunaError when there are fewer than two, when one is named twice, when they differ in targets, in training
    labels, or in the images or labels of a part (one member could then have learned from what another is scored on),
    and when `out` holds anything but another bundle.
    """
    if len(folders) < 2:
        raise LacunaError(f"an ensemble needs at least two bundles, received {len(folders)}")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise LacunaError("the same bundle is named twice: expected different ones")
    if out.resolve() in {folder.resolve() for folder in folders}:
        raise LacunaError(f"{out}: one of the members, which the ensemble would replace; name another folder")
    check_replaceable(out)
    bundles = [_read(folder) for folder in folders]
    first, name = bundles[0], folders[0]
    for other, folder in zip(bundles[1:], folders[1:], strict=True):
        for what in ("targets", "training_counts"):
            if getattr(first, what) != getattr(other, what):
                raise LacunaError(f"{name} and {folder} differ in {what.replace('_', ' ')}: expected the same in all")
    members = [read_predictions(folder) for folder in folders]
    parts = {part: _mean(first, part, folders, [member[part] for member in members]) for part in PREDICTION_FILES}

    relations = first.calibration.relations
    population = estimate_population(cross_fit(first.targets, parts["validation"], options), evaluate)
    calibration = fit_calibration(first.targets, parts["validation"], options, evaluate, relations, population)
    priors = [training_prior(first.training_counts[target]) for target in first.targets.names]
    thresholds = {name: calibrated.threshold for name, calibrated in calibration.targets.items()}
    validation = score_validation(first.targets, parts["validation"], priors, options, evaluate, relations, population)
    test = score_test(
        first.targets, parts["validation"], parts["test"], calibration, priors, options, evaluate, population
    )
    metrics = {
        part: summarise(scored, thresholds, evaluate.confidence, options.min_positives)
        for part, scored in (("validation", validation), ("test", test))
    }
    networks = [replace(single.members[0], folder=str(number)) for number, single in enumerate(bundles, start=1)]
    detector = folders[0] / OOD_FILE  # an ensemble judges by its first member's features
    bundle = replace(first, calibration=calibration, members=tuple(networks))
    with atomic_folder(out) as whole, TemporaryDirectory() as scratch:
        predictions = {part: Path(scratch, file) for part, file in PREDICTION_FILES.items()}
        for part, path in predictions.items():
            parts[part].save(path)
        write_bundle(
            whole,
            bundle,
            exported=folders,
            predictions=predictions,
            origin={"members": [read_description(folder)["origin"] for folder in folders]},
            metrics=metrics,
            detector=detector if detector.is_file() else None,
        )
    gains = {
        str(folder): compare(
            first.targets, member["validation"], parts["validation"], options, options, evaluate, relations, relations
        )
        for folder, member in zip(folders, members, strict=True)
    }
    return Ensemble(metrics, gains)


def _read(folder: Path) -> Bundle:
    check_files(folder)
    bundle = read_bundle(folder, "openvino")
    if len(bundle.members) > 1:
        raise LacunaError(f"{folder}: an ensemble itself; name the bundles that it was made of")
    return bundle


def _mean(bundle: Bundle, part: str, folders: Sequence[Path], members: list[Predictions]) -> Predictions:
    """The mean of the members' predictions for a part. Raises LacunaError when their images or labels differ."""
    first = members[0]
    for folder, other in zip(folders[1:], members[1:], strict=True):
        same = np.array_equal(first.image, other.image) and np.array_equal(first.labels, other.labels)
        if not same:
            raise LacunaError(
                f"{folders[0]} and {folder} were scored on different {part} images or labels; train them on the same "
                "data and split (data and split in params.yaml)"
            )
    return replace(first, logits=mean_logits(bundle.targets, [member.logits for member in members]))
