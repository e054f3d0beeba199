"""Whether intervals from bags of groups hold what those of all groups hold, on simulated targets.

    python -m benchmarks bags --seeds 60

Ten binary targets, 2 to 50 % present, two fifths of the labels unknown; 20,000 images, some of them copies. Bags have
2,000 groups here instead of 20,000, so that ten of them fit into images that can be resampled whole as well. The truth
is the mean of each figure over all simulations.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks.intervals import BINARY, seconds, simulate
from benchmarks.project import ROOT, machine
from lacuna.config.load import load_params
from lacuna.core.predictions import Predictions
from lacuna.core.scores import Floats
from lacuna.evaluation.scoring import score_validation
from lacuna.stats import bags as module
from lacuna.stats.bootstrap import interval

IMAGES, REPLICATES = 20_000, 500
METRICS = ("precision", "recall", "f1", "accuracy", "average_precision", "roc_auc")
BAG_GROUPS = {"all groups": 10**9, "ten bags": 2_000 - 250}
"""250: beside the 200 groups of each class that are in every bag."""


def bags(seeds: int) -> None:
    """Print for each metric how many of 100 intervals hold the truth, and how wide they are against each other."""
    print(f"{seeds} simulations of {IMAGES:,} images, {REPLICATES} replicates, {machine()}")
    figures: dict[tuple[str, int], list[float]] = defaultdict(list)
    ends: dict[tuple[str, str, int], list[tuple[float, float]]] = defaultdict(list)
    spent: dict[str, float] = defaultdict(float)
    for seed in range(seeds):
        validation = simulate(BINARY, IMAGES, 100 + seed)
        for way, size in BAG_GROUPS.items():
            module.BAG_GROUPS = size
            before = seconds()
            metrics = _score(validation)
            spent[way] += seconds() - before
            for index, of_target in enumerate(metrics):
                for name in METRICS:
                    found = interval(of_target[name][1:], 0.95)
                    ends[way, name, index].append(found or (np.nan, np.nan))
                    if way == "all groups":
                        figures[name, index].append(float(of_target[name][0]))
    for name in METRICS:
        line, widths = f"{name:<18}", {}
        for way in BAG_GROUPS:
            held = [
                low <= np.mean(figures[name, index]) <= high
                for index in range(len(BINARY))
                for low, high in ends[way, name, index]
            ]
            widths[way] = np.mean([np.ptp(np.array(ends[way, name, index]), axis=1) for index in range(len(BINARY))])
            line += f"  {way} hold {np.mean(held):6.1%}"
        print(f"{line}  width {widths['ten bags'] / widths['all groups']:.3f}")
    print(", ".join(f"{way}: {total / seeds:.1f} processor seconds a simulation" for way, total in spent.items()))


def _score(validation: Predictions) -> list[dict[str, Floats]]:
    params = load_params(Path(ROOT / "params.yaml"))
    settings = params.evaluate.model_copy(update={"bootstrap": REPLICATES})
    priors = [np.full(target.n_classes, 1 / target.n_classes) for target in BINARY]
    return [scored.metrics for scored in score_validation(BINARY, validation, priors, params.calibrate, settings)]
