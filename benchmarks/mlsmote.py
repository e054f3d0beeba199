"""Does MLSMOTE help? Warm-up with and without it, on the data that `dvc repro` left in the working folder.

    python -m benchmarks mlsmote       with the default data 15 seconds of processor time a seed

The exact head has no MLSMOTE, so that both descend (`warmup.solver: sgd`); what the exact head reaches, which is the
same with every seed, stands beside them. Scored is the head of each warm-up's best epoch on validation, uncalibrated,
seed by seed, so that differences are paired.
"""

from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.project import machine
from lacuna.config.load import load_params
from lacuna.config.params import Params
from lacuna.core.scores import activate, average_precision, log_loss
from lacuna.training.data import TrainingData, head_logits
from lacuna.training.phases import warm_up

FIGURES = {"average precision": average_precision, "log loss": log_loss}


def mlsmote(project: Path, seeds: int) -> None:
    """Print a Markdown table: per binary target and figure the means over seeds, and the difference in each seed."""
    params = load_params(project / "params.yaml")
    data = TrainingData.open(project / "data", params.train)
    exact = score(params, data)
    without, with_it = (
        [score(descending(params, seed, resample), data) for seed in range(seeds)] for resample in ("none", "mlsmote")
    )
    train = data.manifest.part("train").labels
    print(f"\n{seeds} seeds, {machine()}\n")
    print("| target | present of known in training | figure | exact head | without | with MLSMOTE | gain | each seed |")
    print("|---|---|---|---|---|---|---|---|")
    for place, target in enumerate(data.targets):
        if target.kind != "binary":
            continue
        known = train[:, place][train[:, place] >= 0]
        for figure in FIGURES:
            key = (target.name, figure)
            before, after = (np.array([scores[key] for scores in of]) for of in (without, with_it))
            cells = [target.name, f"{(known == 1).sum()} of {len(known)}", figure, f"{exact[key]:.3f}"]
            cells += [f"{before.mean():.3f}", f"{after.mean():.3f}", describe(after - before)]
            print(f"| {' | '.join(cells)} | {', '.join(f'{gain:+.3f}' for gain in after - before)} |")


def score(params: Params, data: TrainingData) -> dict[tuple[str, str], float]:
    """The figures on validation of the head that these parameters give, by target and name."""
    logits, labels = head_logits(warm_up(params, data).head, data, "val"), data.manifest.part("val").labels
    found: dict[tuple[str, str], float] = {}
    for place, (target, columns) in enumerate(zip(data.targets, data.targets.slices, strict=True)):
        probabilities = activate(target, logits[:, columns])
        for name, figure in FIGURES.items():
            value = figure(labels[:, place], probabilities)
            found[target.name, name] = np.nan if value is None else value
    return found


def descending(params: Params, seed: int, resample: str) -> Params:
    """The parameters with a warm-up by descent."""
    train = params.train.model_copy(update={"seed": seed})
    warmup = params.warmup.model_copy(update={"solver": "sgd", "resample": resample})
    return params.model_copy(update={"train": train, "warmup": warmup})


def describe(gains: np.ndarray) -> str:
    """The mean over seeds, with a 95 % interval by Student's t."""
    if len(gains) < 2:
        return f"{gains.mean():+.3f}"
    low, high = stats.t.interval(0.95, len(gains) - 1, gains.mean(), stats.sem(gains))
    return f"{gains.mean():+.3f} [{low:+.3f}, {high:+.3f}]"
