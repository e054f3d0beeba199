"""The population of a small project: what stage train_finetune writes beside its predictions."""

from pathlib import Path

from lacuna.calibration.cross_fit import cross_fit
from lacuna.calibration.prevalence import estimate_population
from lacuna.config.params import Params
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Targets


def write_population(params: Params) -> None:
    """Estimate it from the validation predictions in the working folder."""
    targets = Targets.load(Path("data/predictions/targets.json"))
    validation = Predictions.load(Path("data/predictions/val.npz"))
    population = estimate_population(cross_fit(targets, validation, params.calibrate), params.evaluate)
    population.save(Path("data/predictions/population.npz"))
