"""Simpler models beside the trained one, on validation: metrics, paired gains, and what is not beaten.

python -m stages.baseline
"""

from pathlib import Path
from typing import Any

from lacuna.calibration.population import Population
from lacuna.config.params import Params
from lacuna.core.head_weights import HeadWeights
from lacuna.core.predictions import Predictions
from lacuna.core.relations import load_relations
from lacuna.core.targets import Targets
from lacuna.evaluation.baseline_comparison import (
    SIMPLER,
    TRAINED,
    ComparedModel,
    baseline_table,
    describe_gains,
    gains_over,
    plot_baselines,
    summarise_baselines,
)
from lacuna.evaluation.baselines.model_size import head_size, stored_size
from lacuna.evaluation.comparison import metric_replicates
from lacuna.io.atomic import read_json, write_json
from stages._run import Facts, run


def baseline(params: Params) -> Facts:
    targets = Targets.load(Path("data/predictions/targets.json"))
    counted = read_json(Path("data/baselines/parameters.json"))
    answers = {
        name: (Predictions.load(Path(f"data/baselines/{name}.npz")), counted["models"][name]) for name in SIMPLER
    }
    size = counted["backbone"] + _added_size(Path("models/trained"))
    answers[TRAINED] = (Predictions.load(Path("data/predictions/val.npz")), size)
    relations = load_relations(Path("data/prepared/hierarchy.json"), targets) if params.calibrate.consistent else ()
    asked = (
        params.calibrate,
        params.evaluate,
        relations,
        Population.load(Path("data/predictions/population.npz"), targets, params.evaluate),
    )
    models = {
        name: ComparedModel(metric_replicates(targets, predictions, *asked), n)
        for name, (predictions, n) in answers.items()
    }
    content = summarise_baselines(models, gains_over(models, params.evaluate.confidence), params.evaluate.confidence)
    notes = describe_gains(content)
    print(baseline_table(content, *_times()), *notes, sep="\n")
    plot_baselines(Path("plots/baseline.png"), content)
    write_json(Path("metrics/baseline.json"), content)
    return {"notes": notes}


def _added_size(trained: Path) -> int:
    """How many numbers the trained model has besides the backbone's: fine-tuned layers stand beside those."""
    head, tail = HeadWeights.load(trained / "head.npz"), trained / "tail.weights.h5"
    return head_size(head) + (stored_size(tail) if tail.exists() else 0)


def _times() -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of training and milliseconds per image of the models that were trained here."""
    simpler, *phases = (_record(f"train_{what}") for what in ("baselines", "warmup", "finetune"))
    seconds = dict(simpler.get("training_seconds", {}))
    if all(phases):
        seconds[TRAINED] = sum(record["seconds"] for record in phases)
    return seconds, simpler.get("ms_per_image", {})


def _record(stage: str) -> dict[str, Any]:
    path = Path(f"runs/{stage}.json")
    found: dict[str, Any] = read_json(path) if path.exists() else {}
    return found


if __name__ == "__main__":
    run("baseline", baseline)
