"""Does MLSMOTE help? Warm-up with and without it, on the data that `dvc repro` left in the working folder.

    python -m benchmarks mlsmote       with the default data about two minutes on 2 cores

The exact head has no MLSMOTE, so that both descend (`warmup.solver: sgd`). Scored is the head of each warm-up's best
epoch on validation, seed by seed, so that differences are paired.
"""

from pathlib import Path
from statistics import mean

from benchmarks.project import machine
from lacuna.config.load import load_params
from lacuna.config.params import Params
from lacuna.training.data import TrainingData
from lacuna.training.phases import warm_up

FIGURES = {"average precision": "val_average_precision", "log loss": "val_log_loss"}


def mlsmote(project: Path, seeds: int) -> None:
    """Print a Markdown table: per binary target and figure the means over seeds, and the difference in each seed."""
    params = load_params(project / "params.yaml")
    data = TrainingData.open(project / "data", params.train)
    binary = {target.name: place for place, target in enumerate(data.targets) if target.kind == "binary"}
    train = data.manifest.part("train").labels
    best: dict[str, list[dict[str, float]]] = {"none": [], "mlsmote": []}
    for seed in range(seeds):
        for resample, rows in best.items():
            warm = warm_up(_changed(params, seed, resample), data)
            rows.append(next(row for row in warm.history if row["epoch"] == warm.best_epoch))
    print(f"\n{seeds} seeds, {machine()}\n")
    print("| target | present of known in training | figure | without | with MLSMOTE | difference, each seed |")
    print("|---|---|---|---|---|---|")
    for name, place in binary.items():
        known = train[:, place][train[:, place] >= 0]
        for figure, key in FIGURES.items():
            without, with_it = ([row[f"{key}_{name}"] for row in best[resample]] for resample in ("none", "mlsmote"))
            differences = ", ".join(f"{b - a:+.3f}" for a, b in zip(without, with_it, strict=True))
            counts = f"{(known == 1).sum()} of {len(known)}"
            print(f"| {name} | {counts} | {figure} | {mean(without):.3f} | {mean(with_it):.3f} | {differences} |")


def _changed(params: Params, seed: int, resample: str) -> Params:
    return params.model_copy(
        update={
            "train": params.train.model_copy(update={"seed": seed}),
            "warmup": params.warmup.model_copy(update={"solver": "sgd", "resample": resample}),
        }
    )
