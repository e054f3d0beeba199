"""What learning and judging cost, on fabricated features, labels and predictions: head, intervals, audit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from threadpoolctl import threadpool_limits

from lacuna.analysis.audit.audit import audit_targets
from lacuna.analysis.audit.projection import COMPONENTS
from lacuna.calibration.cross_fit import cross_fit
from lacuna.calibration.fit import fit_calibration
from lacuna.calibration.prevalence import estimate_population
from lacuna.config.params import Params
from lacuna.core.manifest import Manifest
from lacuna.core.predictions import Predictions
from lacuna.core.scores import Floats
from lacuna.core.targets import UNKNOWN, Target, Targets
from lacuna.estimate.rates import CostLine, busy_seconds, fit_line
from lacuna.evaluation.scoring import score_test, score_validation
from lacuna.stats.logistic_regression import LOOSE_AXES, cross_validate, find_axes, fit
from lacuna.training.exact_target import TargetProblem
from lacuna.training.standard_rows import StandardRows
from lacuna.training.streamed_head import SumsOfPart

KNOWN = 0.6
HEAD_FOLDS = 3
HEAD_ROWS = 4 * LOOSE_AXES, 10 * LOOSE_AXES
"""From four times the columns on the rows are multiplied as they are, which is how many rows are treated."""

PASS_TARGETS = 1, 11
L2 = 0.01
PARTS, REPLICATES = (2000, 10_000), (10, 40)
AUDITED = 600, 2400
AUDITED_GROUPS = 200


@dataclass(frozen=True)
class HeadRates:
    """Processor seconds. products: of a row and a pair of columns; axes: of three columns, once. validate, solve: of a
    row, a column and a logit, in the cross-validation along the first LOOSE_AXES and in the last fit of all columns.
    Of a pass over rows that are not in memory, read: of a row and a column; streamed: of a logit more for each."""

    products: float
    axes: float
    validate: float
    solve: float
    read: float
    streamed: float


@dataclass(frozen=True)
class IntervalRates:
    """Processor seconds of `measured_targets`: once, of an image, of a replicate, of an image in a replicate."""

    once: float
    image: float
    replicate: float
    both: float

    def at(self, images: float, resampled: float, replicates: int) -> float:
        """The cost of a part of so many images, of which each replicate looks at `resampled`."""
        return self.once + self.image * images + replicates * (self.replicate + self.both * resampled)


@dataclass(frozen=True)
class LearningRates:
    """By stage; shares: the class shares of all images, which train_finetune estimates. audit: of an image."""

    head: HeadRates
    shares: IntervalRates
    calibrate: IntervalRates
    evaluate: IntervalRates
    audit: CostLine


def measure_learning(targets: Targets, params: Params) -> LearningRates:
    """Measure with the stages' own functions, linear algebra in one thread as there."""
    with threadpool_limits(1):
        shares, calibrate, evaluate = _intervals(targets, params)
        return LearningRates(_head(targets), shares, calibrate, evaluate, _audit(targets, params))


def fabricate_labels(targets: Targets, n: int, seed: int) -> NDArray[np.int16]:
    """Classes by chance (n, n_targets), the first ones more frequent, 1 - KNOWN of the cells unknown."""
    random = np.random.default_rng(seed)
    labels = np.full((n, len(targets)), UNKNOWN, np.int16)
    for column, target in enumerate(targets):
        shares = 1 / np.arange(1, target.n_classes + 1)
        labels[:, column] = random.choice(target.n_classes, n, p=shares / shares.sum())
    labels[random.random(labels.shape) >= KNOWN] = UNKNOWN
    return labels


def fabricate_predictions(targets: Targets, n: int, seed: int) -> Predictions:
    """Logits that know a part of the labels, each image a group of its own."""
    random = np.random.default_rng(seed)
    labels = fabricate_labels(targets, n, seed)
    logits = random.normal(size=(n, targets.n_logits))
    for column, (target, own) in enumerate(zip(targets, targets.slices, strict=True)):
        first = target.n_classes - target.n_logits  # a binary target's logit is that of class 1
        logits[:, own] += 2 * (labels[:, column, None] == np.arange(first, target.n_classes))
    light = random.normal(size=(n, 3))
    return Predictions(logits.astype(np.float32), labels, np.array([str(row) for row in range(n)]), np.arange(n), light)


def _head(targets: Targets) -> HeadRates:
    few, many = HEAD_ROWS
    random = np.random.default_rng(0)
    rows = random.normal(size=(many, LOOSE_AXES)).astype(np.float32)
    line = fit_line(lambda n: find_axes(rows[:n]), few, many)
    axes, target = find_axes(rows), targets[0]
    labels = _classes_along(rows, target.n_classes)
    weight, cells = np.ones(many), many * LOOSE_AXES * target.n_logits
    folds = np.arange(many) % HEAD_FOLDS
    validate = busy_seconds(lambda: cross_validate(axes, labels, target.n_logits, weight, folds))
    solve = busy_seconds(lambda: fit(axes, labels, target.n_logits, weight, L2))
    a_pass = _pass_over(rows, target, labels)
    return HeadRates(
        products=line.each / LOOSE_AXES**2,
        axes=line.once / LOOSE_AXES**3,
        validate=validate / cells,
        solve=solve / cells,
        read=a_pass.once / rows.size,
        streamed=a_pass.each / rows.size / target.n_logits,
    )


def _pass_over(rows: NDArray[np.float32], target: Target, labels: NDArray[np.int16]) -> CostLine:
    """What a pass costs, and what each target adds to it."""
    n, columns = rows.shape
    standard = StandardRows(rows[:, None], np.arange(n), np.zeros(columns), np.ones(columns))
    problem = TargetProblem(target, labels, np.ones(target.n_classes), L2, 0.0, 0)
    point = np.zeros((columns + 1, target.n_logits))
    return fit_line(lambda k: SumsOfPart(standard, [problem] * k, [point] * k)(slice(0, n)), *PASS_TARGETS)


def _classes_along(rows: NDArray[np.float32], n_classes: int) -> NDArray[np.int16]:
    """Classes that a direction in the rows tells, but for some noise."""
    random = np.random.default_rng(1)
    told = rows[:, :16].sum(axis=1) / 4 + random.normal(size=len(rows))
    borders = np.quantile(told, np.arange(1, n_classes) / n_classes)
    classes: NDArray[np.int16] = np.searchsorted(borders, told).astype(np.int16)
    return classes


def _intervals(targets: Targets, params: Params) -> list[IntervalRates]:
    """Of class shares, calibration and evaluation, from runs at two sizes with two numbers of replicates each."""
    runs = [(n, replicates) for n in PARTS for replicates in REPLICATES]
    _score(targets, params, *runs[0])  # loads what is used
    costs = np.array([_score(targets, params, n, replicates) for n, replicates in runs])
    terms = np.array([(1, n, replicates, n * replicates) for n, replicates in runs], float)
    return [IntervalRates(*share_out(cost, terms)) for cost in costs.T]


def share_out(costs: Floats, terms: Floats) -> list[float]:
    """What one of each term (m, k) costs so that they explain the costs (m,), all above 0, with the least squared
    relative errors; none below 0.

    >>> [round(cost, 6) for cost in share_out(np.array([3.0, 5.0]), np.array([[1.0, 1.0], [1.0, 2.0]]))]
    [1.0, 2.0]
    """
    size = terms.max(axis=0)
    found, _ = nnls(terms / size / costs[:, None], np.ones(len(costs)))
    shares: list[float] = (found / size).tolist()
    return shares


def _score(targets: Targets, params: Params, n: int, replicates: int) -> list[float]:
    """The processor seconds of the three steps."""
    options, settings = params.calibrate, params.evaluate.model_copy(update={"bootstrap": replicates})
    validation, test = fabricate_predictions(targets, n, 1), fabricate_predictions(targets, n, 2)
    priors = [np.full(target.n_classes, 1 / target.n_classes) for target in targets]
    population = estimate_population(cross_fit(targets, validation, options), settings)
    calibration = fit_calibration(targets, validation, options, settings, (), population)

    def score() -> None:
        score_validation(targets, validation, priors, options, settings, (), population)
        score_test(targets, validation, test, calibration, priors, options, settings, population)

    return [
        busy_seconds(lambda: estimate_population(cross_fit(targets, validation, options), settings)),
        busy_seconds(lambda: fit_calibration(targets, validation, options, settings, (), population)),
        busy_seconds(score),
    ]


def _audit(targets: Targets, params: Params) -> CostLine:
    """What each image adds; permutations are of `audit.max_groups` at most and add nothing beyond."""
    few = {"max_groups": AUDITED_GROUPS, "permutations": 99, "alpha": 0.05}
    settings = params.audit.model_copy(update=few)
    random = np.random.default_rng(0)
    rows = random.normal(size=(max(AUDITED), COMPONENTS)).astype(np.float32)
    labels = np.stack([_classes_along(rows, target.n_classes) for target in targets], axis=1)
    labels[random.random(labels.shape) >= KNOWN] = UNKNOWN
    features, fields = rows.astype(np.float64), {"width": random.integers(0, 2, (len(rows), 8)).astype(np.float64)}
    names, split = np.array([str(row) for row in range(len(rows))]), np.full(len(rows), "train")

    def audit(n: int) -> None:
        manifest = Manifest(names[:n], np.arange(n), split[:n], np.arange(n), labels[:n])
        of_files = {name: columns[:n] for name, columns in fields.items()}
        audit_targets(targets, manifest, features[:n], of_files, np.arange(n), params.evaluate.confidence, settings)

    return fit_line(audit, *AUDITED)
