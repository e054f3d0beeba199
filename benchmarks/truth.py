"""Do the intervals on the default data cover what the withheld labels would have shown?

The sample data set hides about 40 % of its label cells and keeps the truth in a file no stage reads. Here the figures
of metrics/*.json, estimated from the known cells, stand beside the same figures over every cell.

    dvc repro && python -m benchmarks truth
"""

import csv
from pathlib import Path

import numpy as np

from lacuna.calibration.model import Calibration
from lacuna.calibration.population import Population
from lacuna.config.load import load_params
from lacuna.core.predictions import Predictions
from lacuna.core.scores import activate, ranking_metrics
from lacuna.core.targets import Targets
from lacuna.evaluation.metrics import decision_metrics
from lacuna.evaluation.scoring import Scored, priors_of, score_test, score_validation
from lacuna.io.atomic import read_json

FIGURES = ("precision", "recall", "f1", "average_precision", "roc_auc")


def true_figures(scored: Scored, truth: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """The figures of the decisions that were made, against all labels."""
    ones = np.ones((1, len(truth)))
    figures = decision_metrics(truth, scored.decisions[None], ones, scored.target.n_classes)
    figures |= ranking_metrics(truth, activate(scored.target, logits), ones)
    return {name: float(figures[name][0]) for name in FIGURES}


def truth(project: Path) -> None:
    """Print a Markdown table: per part, target and figure the reported interval and the truth; and how many covered."""
    params = load_params(project / "params.yaml")
    targets = Targets.load(project / "data/predictions/targets.json")
    with (project / "data/sample/truth.csv").open(encoding="utf-8", newline="") as file:
        true_labels = {
            row["image"]: [
                target.classes.index(row[target.name]) if target.kind == "categorical" else int(row[target.name])
                for target in targets
            ]
            for row in csv.DictReader(file)
        }
    priors = priors_of(targets, read_json(project / "data/prepared/class_weights.json"))
    val, test = (Predictions.load(project / f"data/predictions/{name}.npz") for name in ("val", "test"))
    quick = params.evaluate.model_copy(update={"bootstrap": 50})  # only the decisions are needed; intervals are read
    calibration = Calibration.load(project / "models/calibration.json")
    population = Population.load(project / "data/predictions/population.npz", targets, params.evaluate)
    parts = {
        "validation": (
            val,
            score_validation(targets, val, priors, params.calibrate, quick, calibration.relations, population),
        ),
        "test": (test, score_test(targets, val, test, calibration, priors, params.calibrate, quick, population)),
    }
    covered = total = 0
    print("| part | target | " + " | ".join(FIGURES) + " |")
    print("|---" * (len(FIGURES) + 2) + "|")
    for part, (predictions, scores) in parts.items():
        reported = read_json(project / f"metrics/{part}.json")["targets"]
        every = np.array([true_labels[name] for name in predictions.image])
        for index, (scored, columns) in enumerate(zip(scores, targets.slices, strict=True)):
            figures = true_figures(scored, every[:, index], predictions.logits[:, columns])
            cells = []
            for name, value in figures.items():
                low, high = (reported[scored.target.name][f"{name}_{end}"] for end in ("low", "high"))
                inside = low - 5e-7 <= value <= high + 5e-7
                covered, total = covered + inside, total + 1
                cells.append(f"{low:.2f}-{high:.2f}: {value:.2f}" + ("" if inside else " **missed**"))
            print(f"| {part} | {scored.target.name} | " + " | ".join(cells) + " |")
    print(f"\nThe intervals covered {covered} of {total} true figures ({params.evaluate.confidence:.0%} intended).")
