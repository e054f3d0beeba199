"""Figures for all images where labels are missing for a reason, on simulated networks of which the truth is known.

    python -m benchmarks selective

Each simulation draws validation images, a fifth of them copies, with four binary targets of different prevalence and
one of six classes. An image's brightness moves its scores, too. Figures are those of all images, as computed on the
labelled ones now and when these are weighted by the estimated priors; the truth is that of 100,000 others. About
half an hour on one core for 20 simulations of each mechanism and size.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmarks.verdicts import PREVALENCE, TARGETS
from lacuna.calibration.cross_fit import cross_fit
from lacuna.calibration.fit import fit_calibration
from lacuna.calibration.population import Population
from lacuna.calibration.prevalence import estimate_population
from lacuna.config.blocks import Calibrate, Evaluate
from lacuna.config.load import load_params
from lacuna.core.predictions import Predictions
from lacuna.core.scores import Floats, Labels, activate, log_loss, ranking_metrics
from lacuna.core.targets import Targets
from lacuna.evaluation.comparison import metric_replicates
from lacuna.evaluation.metrics import decision_metrics
from lacuna.evaluation.scoring import score_validation
from lacuna.io.text_table import align
from lacuna.stats.bootstrap import interval

POPULATION = 100_000
BOOTSTRAP = 200
ALPHA = 0.05
MATTERS = 0.05
"""An error of precision that the test of label shift is to see."""
SIGNAL = 2.0
BRIGHTNESS = 0.7
"""How much of a score's deviation within a class is brightness."""

FIGURES = ("precision", "recall", "f1", "average_precision", "accuracy", "log_loss")


def by_label(present: float, absent: float, even: float, odd: float) -> Callable[[Labels, Floats, int], Floats]:
    """Known with these chances if present or absent, or by whether the number of the class is even."""
    return lambda truth, brightness, n_classes: np.where(
        truth % 2 == 0, *((absent, present) if n_classes == 2 else (even, odd))
    )


MECHANISMS = {
    ".5 / .5": by_label(0.5, 0.5, 0.5, 0.5),
    ".7 / .2": by_label(0.7, 0.2, 0.75, 0.25),
    ".2 / .7": by_label(0.2, 0.7, 0.25, 0.75),
    ".9 / .1": by_label(0.9, 0.1, 0.9, 0.5),
    "brightness": lambda truth, brightness, n_classes: 1 / (1 + np.exp(-2 * brightness)),
}
"""Chance of being known if present / absent; of six classes by class, with odds of 9."""


def simulate(n: int, mechanism: str, seed: int) -> tuple[Predictions, Labels]:
    """Images with gaps in their labels, whose light is their brightness, and all labels (n, n_targets)."""
    generator = np.random.default_rng(seed)
    originals = n - n // 5
    group = np.concatenate([np.arange(originals), generator.integers(0, originals, n // 5)])
    brightness = generator.normal(size=originals)[group]
    truths, logits = np.empty((n, len(TARGETS)), np.int16), np.empty((n, TARGETS.n_logits), np.float32)
    labels = np.empty_like(truths)
    for index, (target, columns) in enumerate(zip(TARGETS, TARGETS.slices, strict=True)):
        noise = generator.normal(size=(originals, target.n_logits))[group] + 0.3 * generator.normal(
            size=(n, target.n_logits)
        )
        along = np.sqrt(1 - BRIGHTNESS**2) * noise[:, 0] + BRIGHTNESS * brightness
        noise[:, 0] = along
        if target.kind == "binary":
            truth = (generator.random(originals) < PREVALENCE[target.name]).astype(int)[group]
            logits[:, columns] = SIGNAL * truth[:, None] + noise
        else:
            truth = generator.integers(0, target.n_classes, originals)[group]
            logits[:, columns] = SIGNAL * np.eye(target.n_classes)[truth] + noise
        known = generator.random(n) < MECHANISMS[mechanism](truth, brightness, target.n_classes)
        truths[:, index], labels[:, index] = truth, np.where(known, truth, -1)
    names = np.array([str(row) for row in range(n)])
    return Predictions(logits, labels, names, group.astype(np.int64), brightness[:, None]), truths


def selective(simulations: int = 20) -> None:
    """Simulate every mechanism with 600 and 2,000 images, under the parameters of the working folder."""
    params = load_params(Path("params.yaml"))
    settings = params.evaluate.model_copy(update={"bootstrap": BOOTSTRAP, "population": "all"})
    for n in (600, 2000):
        for mechanism in MECHANISMS:
            everything, truths = simulate(POPULATION, mechanism, 0)
            tally = Tally(TARGETS, params.calibrate, settings)
            for seed in range(1, simulations + 1):
                validation, _ = simulate(n, mechanism, seed)
                tally.add(validation, replace(everything, labels=truths))
            tally.show(f"{n} images, known {mechanism}, {simulations} simulations of {len(TARGETS)} targets")


@dataclass
class Tally:
    """How far off figures are, how often intervals hold the truth, and what the tests claim."""

    targets: Targets
    options: Calibrate
    settings: Evaluate
    errors: defaultdict[str, list[list[float]]] = field(default_factory=lambda: defaultdict(list))
    claims: defaultdict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))

    def add(self, validation: Predictions, everything: Predictions) -> None:
        """Count a validation part with gaps. everything: other images, of which the labels are the truth."""
        dark = replace(validation, light=None)
        population, blind = (
            estimate_population(cross_fit(self.targets, part, self.options), self.settings)
            for part in (validation, dark)
        )
        judged = [self.judge(validation, everything, one) for one in (None, population)]
        selected = [found.selectively_labelled(ALPHA) for found in population.prevalences]
        self.claims["some target selected"].append(any(selected))
        for index, target in enumerate(self.targets):
            for name in FIGURES:
                self.errors[name].append([number for of_one in judged for number in of_one[index][name]])
            priors, truth = population.prevalences[index].priors, everything.labels[:, index]
            shares = np.bincount(truth[truth >= 0], minlength=target.n_classes) / (truth >= 0).sum()
            for place in range(1, target.n_classes):
                both = [held(of_class[:, place], shares[place]) for of_class in (priors.known, priors.every)]
                self.errors["prevalence"].append([number for pair in both for number in pair])
            self.claims[f"selected, {target.kind}"].append(selected[index])
            self.claims[f"unlike by scores, {target.kind}"].append(blind.prevalences[index].unlike())
            self.claims[f"unlike by brightness too, {target.kind}"].append(population.prevalences[index].unlike())
            precise = abs(judged[0][index]["precision"][0]) > MATTERS
            if precise:
                self.claims["unlike by brightness too, precision off"].append(population.prevalences[index].unlike())

    def show(self, title: str) -> None:
        """Print a table of what was counted."""
        rows = [
            (name, f"{bias:+.3f}", f"{share:.1%}", f"{bias_corrected:+.3f}", f"{share_corrected:.1%}")
            for name, cells in self.errors.items()
            for bias, share, bias_corrected, share_corrected in [np.nanmean(cells, axis=0)]
        ]
        print(title)
        print(align([("figure", "bias now", "held now", "bias corrected", "held corrected"), *rows]))
        print(", ".join(f"{name} {np.mean(made):.1%}" for name, made in self.claims.items()) + "\n", flush=True)

    def judge(
        self, validation: Predictions, everything: Predictions, population: Population | None
    ) -> list[dict[str, tuple[float, float]]]:
        """Of each target and figure as `held` has it: what evaluate says on validation, against what the calibration
        that is shipped does on everything."""
        targets, options, settings = self.targets, self.options, self.settings
        priors = [np.full(target.n_classes, 1 / target.n_classes) for target in targets]
        scored = score_validation(targets, validation, priors, options, settings, population=population)
        losses = metric_replicates(targets, validation, options, settings, (), population).targets
        once = settings.model_copy(update={"bootstrap": 1})
        calibration = fit_calibration(targets, validation, options, once, population=population)
        decisions, chances = (
            calibration.decide(targets, everything.logits),
            calibration.apply(targets, everything.logits),
        )
        found = []
        for index, (target, columns) in enumerate(zip(targets, targets.slices, strict=True)):
            known = everything.labels[:, index] >= 0
            labels, ones = everything.labels[known, index], np.ones((1, known.sum()))
            true = decision_metrics(labels, decisions[known, index], ones, target.n_classes)
            true |= ranking_metrics(labels, activate(target, everything.logits[known, columns]))
            true["log_loss"] = np.array([log_loss(labels, chances[index][known])])
            values = scored[index].metrics | {"log_loss": losses[target.name]["log_loss"]}
            found.append({name: held(values[name], true[name][0]) for name in FIGURES})
        return found


def held(values: Floats, truth: float) -> tuple[float, float]:
    """The error of a figure (1 + replicates,), and whether its 95 % interval holds the truth; NaN where undefined."""
    ends = interval(values[1:], 0.95)
    return float(values[0] - truth), float(ends[0] <= truth <= ends[1]) if ends else float("nan")
