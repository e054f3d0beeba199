"""How often verdicts and intervals err, on simulated networks of which the truth is known. About three minutes.

    python -m benchmarks verdicts

Each simulation draws 240 validation and 240 test images, a fifth of them copies, with a third of the labels unknown,
four binary targets of different prevalence and one of six classes.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from lacuna.calibration.cross_fit import cross_fit
from lacuna.calibration.fit import fit_calibration
from lacuna.calibration.prevalence import estimate_population
from lacuna.config.load import load_params
from lacuna.config.params import Params
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Target, Targets
from lacuna.evaluation.baselines.trivial import training_prior
from lacuna.evaluation.metrics import decision_metrics
from lacuna.evaluation.scoring import score_test, score_validation
from lacuna.evaluation.verdicts import summarise

PREVALENCE = {"rare": 0.1, "some": 0.3, "half": 0.5, "most": 0.88}
TARGETS = Targets(
    (
        *(Target(name, "binary", ("absent", "present")) for name in PREVALENCE),
        Target("six", "categorical", tuple("abcdef")),
    )
)
POPULATION = 40_000


def simulate(n: int, signal: float, seed: int, unknown: float) -> Predictions:
    """Logits whose classes lie `signal` standard deviations apart; a fifth of the images are near copies."""
    generator = np.random.default_rng(seed)
    originals = n - n // 5
    group = np.concatenate([np.arange(originals), generator.integers(0, originals, n // 5)])
    labels, logits = np.empty((n, len(TARGETS)), np.int16), np.empty((n, TARGETS.n_logits), np.float32)
    for index, (target, columns) in enumerate(zip(TARGETS, TARGETS.slices, strict=True)):
        noise = generator.normal(size=(originals, target.n_logits))[group]
        noise += 0.3 * generator.normal(size=noise.shape)
        if target.kind == "binary":
            truth = (generator.random(originals) < PREVALENCE[target.name]).astype(int)[group]
            logits[:, columns] = signal * truth[:, None] + noise
        else:
            truth = generator.integers(0, target.n_classes, originals)[group]
            logits[:, columns] = signal * np.eye(target.n_classes)[truth] + noise
        labels[:, index] = np.where(generator.random(n) < unknown, -1, truth)
    return Predictions(logits, labels, np.array([str(row) for row in range(n)]), group.astype(np.int64))


def verdicts() -> None:
    """Simulate without signal, with some and with much, under the parameters of the working folder."""
    params = load_params(Path("params.yaml"))
    for signal in (0.0, 1.0, 2.0):
        count_verdicts(params, signal, 120)


def count_verdicts(params: Params, signal: float, simulations: int) -> None:
    """Print the verdicts, how often average precision seems above chance, and how often intervals hold the truth."""
    settings = params.evaluate.model_copy(update={"bootstrap": 200})
    options, confidence = params.calibrate, params.evaluate.confidence
    population = simulate(POPULATION, signal, simulations, 0)
    counts: Counter[str] = Counter()
    above: list[bool] = []
    held: list[bool] = []
    for seed in range(simulations):
        validation, test = (simulate(240, signal, 2 * (simulations + seed) + part, 1 / 3) for part in (1, 2))
        priors = [
            training_prior(np.bincount(validation.labels[:, i] + 1, minlength=t.n_classes + 1)[1:].tolist())
            for i, t in enumerate(TARGETS)
        ]
        every = estimate_population(cross_fit(TARGETS, validation, options), settings)
        calibration = fit_calibration(TARGETS, validation, options, settings, population=every)
        decisions = calibration.decide(TARGETS, population.logits)
        scored = (
            score_validation(TARGETS, validation, priors, options, settings, population=every),
            score_test(TARGETS, validation, test, calibration, priors, options, settings, every),
        )
        for scores in scored:
            metrics = summarise(scores, {}, confidence, options.min_positives)["targets"]
            for index, target in enumerate(TARGETS):
                figures = metrics[target.name]
                counts[figures["verdict"]] += 1
                above.append(figures["average_precision_low"] > figures["baseline_average_precision"])
                truth = decision_metrics(
                    population.labels[:, index], decisions[:, index], np.ones((1, POPULATION)), target.n_classes
                )
                held.append(figures["f1_low"] <= truth["f1"][0] <= figures["f1_high"])
    print(f"signal {signal:g}, {len(held)} targets: {dict(counts.most_common())}")
    print(f"  average precision's interval above its baseline {np.mean(above):.1%}")
    print(f"  F1's interval holds the F1 of {POPULATION:,} images {np.mean(held):.1%}\n")
