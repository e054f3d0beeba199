"""What figures with intervals cost: simulated predictions, scored as the stages score them.

    python -m benchmarks intervals --images 10000

Ten binary targets, 2 to 50 % present, and one target of a hundred classes; two fifths of the labels unknown, some
images copies; validation and test, which are what `evaluate` does, have so many images each. 500 replicates, one thread
of linear algebra, as in stages.
"""

import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.project import ROOT, machine
from lacuna.calibration.cross_fit import cross_fit
from lacuna.calibration.fit import fit_calibration
from lacuna.calibration.prevalence import estimate_population
from lacuna.config.load import load_params
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Target, Targets
from lacuna.evaluation.comparison import compare
from lacuna.evaluation.scoring import score_test, score_validation

BINARY = Targets(tuple(Target(f"t{number}", "binary", ("absent", "present")) for number in range(10)))
CATEGORICAL = Targets((Target("kind", "categorical", tuple(f"c{number}" for number in range(100))),))
KNOWN, COPIES = 0.6, 0.1

Found = TypeVar("Found")


def intervals(images: int) -> None:
    """Print the processor seconds of each step."""
    print(f"{images:,} images, 500 replicates, {machine()}")
    with threadpool_limits(1):
        for targets in (BINARY, CATEGORICAL):
            measure(targets, images)


def measure(targets: Targets, images: int) -> None:
    """Print what estimating the population, calibrating, evaluating validation and test, and comparing take."""
    params = load_params(Path(ROOT / "params.yaml"))
    options, settings = params.calibrate, params.evaluate.model_copy(update={"bootstrap": 500})
    validation, test = simulate(targets, images, 1), simulate(targets, images, 2)
    priors = [np.full(target.n_classes, 1 / target.n_classes) for target in targets]
    print(f"\n{len(targets)} targets of {targets[0].n_classes} classes")
    fitted = cross_fit(targets, validation, options)
    population = timed("class shares of all images", lambda: estimate_population(fitted, settings))
    calibration = timed("calibrate", lambda: fit_calibration(targets, validation, options, settings, (), population))
    timed("validation", lambda: score_validation(targets, validation, priors, options, settings, (), population))
    timed("test", lambda: score_test(targets, validation, test, calibration, priors, options, settings, population))
    noise = np.random.default_rng(3).normal(scale=0.5, size=validation.logits.shape)
    other = replace(validation, logits=validation.logits + noise.astype(np.float32))
    timed("compare with another model", lambda: compare(targets, validation, other, options, options, settings))


def simulate(targets: Targets, n: int, seed: int) -> Predictions:
    """Logits that know the label to a part, and labels with gaps."""
    random = np.random.default_rng(seed)
    group = np.sort(random.integers(0, int(n * (1 - COPIES)), n))
    if targets[0].kind == "binary":
        shares = np.linspace(0.02, 0.5, len(targets))
        labels = (random.random((n, len(targets))) < shares).astype(np.int16)
        logits = random.normal(size=labels.shape) + 2 * (labels - 0.5) + np.log(shares / (1 - shares))
    else:
        frequent = 1 / np.arange(1, targets[0].n_classes + 1) ** 0.7
        labels = random.choice(len(frequent), n, p=frequent / frequent.sum()).astype(np.int16)[:, None]
        logits = random.normal(size=(n, len(frequent))) + np.log(frequent)
        logits[np.arange(n), labels[:, 0]] += 3
    labels[random.random(labels.shape) >= KNOWN] = -1
    names = np.array([str(number) for number in range(n)])
    return Predictions(logits.astype(np.float32), labels, names, group, random.normal(size=(n, 1)))


def timed(name: str, work: Callable[[], Found]) -> Found:
    """Do it; print its processor seconds and the peak memory of the process so far."""
    before = seconds()
    found = work()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  {name:<28}{seconds() - before:7.1f} s, peak {memory:5.0f} MiB", flush=True)
    return found


def seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
