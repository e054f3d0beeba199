"""Probabilities and a decision rule per target, on the validation part only.

python -m stages.calibrate
"""

from dataclasses import asdict
from pathlib import Path

from lacuna.calibration.cross_fit import cross_fit
from lacuna.calibration.fit import fit_calibration
from lacuna.calibration.plots import plot_precision_recall, plot_reliability
from lacuna.calibration.population import Population, whole_sample
from lacuna.config.params import Params
from lacuna.core.predictions import Predictions
from lacuna.core.relations import load_relations
from lacuna.core.targets import Targets
from lacuna.stats.numbers import decimal
from stages._run import Facts, run


def calibrate(params: Params) -> Facts:
    targets = Targets.load(Path("data/predictions/targets.json"))
    validation = Predictions.load(Path("data/predictions/val.npz"))
    relations = load_relations(Path("data/prepared/hierarchy.json"), targets) if params.calibrate.consistent else ()
    population = Population.load(Path("data/predictions/population.npz"), targets, params.evaluate)
    calibration = fit_calibration(targets, validation, params.calibrate, params.evaluate, relations, population)
    probabilities = cross_fit(targets, validation, params.calibrate, population).probabilities()

    sample = whole_sample(targets, validation, population)
    plot_precision_recall(Path("plots/pr_curves.png"), targets, validation, calibration, sample)
    plot_reliability(Path("plots/reliability.png"), targets, validation, probabilities, sample)
    calibration.save(Path("models/calibration.json"))

    notes = [f"{name}: {warning}" for name, fitted in calibration.targets.items() for warning in fitted.warnings]
    for name, fitted in calibration.targets.items():
        if fitted.threshold is not None:
            threshold = decimal(asdict(fitted), "threshold")
            print(f"{name}: present from {threshold} by {fitted.rule}, {fitted.n_known} labels known")
    print(*(f"warning: {note}" for note in notes), sep="\n", end="\n" if notes else "")
    return {"notes": notes}


if __name__ == "__main__":
    run("calibrate", calibrate)
