"""Metrics with intervals beside trivial baselines, on validation (cross-fitted) and test.

python -m stages.evaluate
"""

from pathlib import Path

from lacuna.calibration.model import Calibration
from lacuna.calibration.population import Population
from lacuna.config.params import Params
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Targets
from lacuna.core.training_curves import HISTORIES, REGULARIZATION, diagnose_collapse, diagnose_phases
from lacuna.evaluation.class_report import MOST_PRINTED, class_table, write_classes
from lacuna.evaluation.confusion import describe_confusions, write_confusions
from lacuna.evaluation.consistency_report import describe_consistency, summarise_consistency
from lacuna.evaluation.plots import plot_attributes, plot_loss_curve
from lacuna.evaluation.scoring import priors_of, score_test, score_validation
from lacuna.evaluation.verdicts import conclude, describe_missing, summarise, table
from lacuna.io.atomic import atomic_folder, read_json, write_json
from stages._run import Facts, run


def evaluate(params: Params) -> Facts:
    targets = Targets.load(Path("data/predictions/targets.json"))
    priors = priors_of(targets, read_json(Path("data/prepared/class_weights.json")))
    validation, test = (Predictions.load(Path(f"data/predictions/{part}.npz")) for part in ("val", "test"))
    calibration = Calibration.load(Path("models/calibration.json"))
    thresholds = {name: fitted.threshold for name, fitted in calibration.targets.items()}
    options, settings, relations = params.calibrate, params.evaluate, calibration.relations
    population = Population.load(Path("data/predictions/population.npz"), targets, params.evaluate)

    scored = {
        "validation": score_validation(targets, validation, priors, options, settings, relations, population),
        "test": score_test(targets, validation, test, calibration, priors, options, settings, population),
    }
    facts: dict[str, object] = {}
    metrics = {}
    for part, scores in scored.items():
        content = metrics[part] = summarise(scores, thresholds, settings.confidence, options.min_positives)
        facts[f"{part}_conclusion"] = conclude(content)
        facts[f"{part}_missing"] = missing = describe_missing(content)
        print(f"{part} ({settings.confidence:.0%} intervals)\n{table(content)}\n{conclude(content)}.")
        print(*missing, sep="\n", end="\n" * bool(missing))
        if relations:
            content["consistency"] = summarise_consistency(scores, relations)
            print(f"{describe_consistency(content, relations)}.")
        categorical = [of_target for of_target in scores if of_target.target.kind == "categorical"]
        few = [of_target for of_target in categorical if of_target.target.n_classes <= MOST_PRINTED]
        print(*(f"\n{class_table(of_target, settings.confidence)}" for of_target in few), sep="\n", end="\n\n")
    confusions = [
        describe_confusions(of_target) for of_target in scored["validation"] if of_target.target.kind == "categorical"
    ]
    facts["confusions"] = confusions
    if confusions:
        print("commonest mistakes on validation", *confusions, sep="\n  ")

    notes = diagnose_collapse(targets, validation.labels, validation.logits) + diagnose_phases(HISTORIES)
    print(*notes, sep="\n")
    plot_attributes(Path("plots/attributes.png"), metrics)
    plot_loss_curve(Path("plots/loss_curve.png"), HISTORIES["warm-up"], HISTORIES["fine-tuning"], REGULARIZATION)
    with atomic_folder(Path("plots/confusion")) as matrices, atomic_folder(Path("plots/confused_pairs")) as pairs:
        write_confusions(matrices, pairs, scored["validation"])
    write_classes(Path("metrics/classes.csv"), scored, settings.confidence)
    for part, content in metrics.items():  # last, so that they don't outlive a failure above
        write_json(Path(f"metrics/{part}.json"), content)
    return facts


if __name__ == "__main__":
    run("evaluate", evaluate)
