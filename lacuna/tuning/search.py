"""A search for better settings that knows how much a training's seed alone changes. Optuna proposes and remembers.

Each setting is trained with the same seeds as the defaults, so that settings are compared seed by seed. Two rules end
a setting early: in its first training Optuna's median rule, epoch by epoch; after each training a comparison with the
best setting so far, on the seeds both have, against the noise of seeds.
"""

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
from filelock import FileLock, Timeout
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState
from scipy import stats

from lacuna.config.search_space import Range, Value
from lacuna.errors import DivergedError, LacunaError
from lacuna.execution.executor import LOCAL, Executor

Values = Mapping[str, Value]
ReportEpoch = Callable[[float], None]
Score = Callable[[Values, int, ReportEpoch | None], float]
"""Train a setting with the seed of this number, 0 for the first; return its score, the metric on validation. Call the
report, if there is one, with each epoch's score: what it raises must end the training."""

STARTUP_TRIALS = 5
"""Settings that are trained to the end before the median rule sets in."""

STARTUP_EPOCHS = 2
"""Epochs in which the median rule ends no setting."""

MIN_FREEDOM = 4
"""Degrees of freedom that the estimate of the seeds' noise needs before it ends a setting."""

DEFAULTS, FRESH, SCORES, REASON = "defaults", "fresh", "scores", "reason"
"""Names of what the study remembers beside Optuna's own: scores of the defaults, of the winner with fresh seeds, of a
trial, and why a trial ended early."""

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Plan:
    """What is searched, with how many settings of how many seeds; `higher`: whether a higher score is better."""

    space: Mapping[str, Range]
    trials: int
    seeds: int
    higher: bool


@dataclass(frozen=True)
class SeedTask:
    """A training that reports no epoch: takes values and a seed's number, returns the score."""

    score: Score

    def __call__(self, job: tuple[Values, int]) -> float:
        values, seed = job
        return self.score(values, seed, None)


@dataclass(frozen=True)
class Difference:
    """How much better (positive) one setting is than another on the same seeds, and the 95 % interval of the mean."""

    mean: float
    low: float
    high: float


@contextlib.contextmanager
def open_study(folder: Path, name: str, plan: Plan) -> Iterator[optuna.Study]:
    """Yield the study `name` in `folder`/study.db, made if it is not there; trials that were killed are marked failed.

    Raises LacunaError when another process is searching in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "study.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LacunaError(f"{folder}: another process is searching here; wait for it or end it") from None
    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'study.db'}")
        study = make_study(plan, storage, name)
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)
        yield study
        storage.remove_session()
        storage.engine.dispose()
    finally:
        lock.release()


def make_study(plan: Plan, storage: optuna.storages.BaseStorage | None = None, name: str | None = None) -> optuna.Study:
    """A study in the storage, the one of that name if it is there; without a storage in memory."""
    return optuna.create_study(
        storage=storage,
        study_name=name,
        direction="maximize" if plan.higher else "minimize",
        pruner=optuna.pruners.MedianPruner(STARTUP_TRIALS, STARTUP_EPOCHS + 1),
        load_if_exists=True,
    )


def search(
    study: optuna.Study, plan: Plan, score: Score, say: Callable[[str], None] = print, executor: Executor = LOCAL
) -> None:
    """Score the defaults, then settings until `plan.trials` are finished, those of earlier calls counted.

    What is proposed depends on the finished trials alone: a search that was interrupted ends as if it had not been,
    its broken-off setting tried again. executor: trains a setting with several seeds at a time, and then `score` must
    be a value that can be sent; one setting comes after the other on each, so that the search is the same.
    """
    _score_seeds(study, DEFAULTS, "", {}, range(plan.seeds), score, executor)
    say(f"params.yaml as it is: {describe(default_scores(study))}")
    distributions = {key: _distribution(values) for key, values in plan.space.items()}
    while (done := len(finished(study))) < plan.trials:
        study.sampler = optuna.samplers.TPESampler(seed=done)
        trial = study.ask(distributions)
        values = chosen_values(trial.params, plan.space)
        say(f"setting {done + 1} of {plan.trials}: " + ", ".join(f"{key}={value}" for key, value in values.items()))
        try:
            scores = _try(study, plan, trial, values, score, executor)
        except (optuna.TrialPruned, DivergedError) as end:
            trial.set_user_attr(REASON, str(end))
            study.tell(trial, state=TrialState.PRUNED)
            say(f"  ended early: {end}")
        else:
            study.tell(trial, float(np.mean(scores)))
            say(f"  {describe(scores)}")


def _try(
    study: optuna.Study, plan: Plan, trial: optuna.Trial, values: Values, score: Score, executor: Executor
) -> list[float]:
    """Train with the first seed, then with the others; raises TrialPruned as soon as a rule ends the setting."""
    for earlier in completed(study):
        if chosen_values(earlier.params, plan.space) == values:  # a choice among few comes up again
            trial.set_user_attr(SCORES, earlier.user_attrs[SCORES])
            return list(earlier.user_attrs[SCORES])
    scores: list[float] = []
    epoch = 0

    def report(score_of_epoch: float) -> None:
        nonlocal epoch
        epoch += 1
        trial.report(score_of_epoch, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned(f"in epoch {epoch} worse than half of the settings were there")

    first = iter([score(values, 0, report)])
    others = executor.map(SeedTask(score), [(values, seed) for seed in range(1, plan.seeds)])
    for of_seed in itertools.chain(first, others):
        scores.append(of_seed)
        trial.set_user_attr(SCORES, scores)
        if len(scores) < plan.seeds and is_hopeless(scores, best_scores(study), *noise(study), plan.higher):
            raise optuna.TrialPruned(
                f"after {len(scores)} of {plan.seeds} seeds worse than the best beyond their noise"
            )
    return scores


def is_hopeless(
    scores: Sequence[float], best: Sequence[float], spread: float, freedom: int, higher: bool, level: float = 0.05
) -> bool:
    """Whether a setting is worse than the best one, on the seeds both have, by more than seeds explain.

    One-sided t-test of the mean paired difference, its standard deviation known from all settings (`noise`).
    """
    if freedom < MIN_FREEDOM:
        return False
    differences = np.subtract(scores, best[: len(scores)]) * (1 if higher else -1)
    reach = stats.t.ppf(1 - level, freedom) * spread / math.sqrt(len(differences))
    return bool(differences.mean() + reach < 0)


def noise(study: optuna.Study) -> tuple[float, int]:
    """The standard deviation of one seed's difference between two settings, and its degrees of freedom.

    Pooled over the finished settings: the differences of each to the defaults, seed by seed, around their own mean.
    """
    defaults = default_scores(study)
    differences = [np.subtract(trial.user_attrs[SCORES], defaults) for trial in completed(study)]
    freedom = sum(len(each) - 1 for each in differences)
    if not freedom:
        return math.nan, 0
    return math.sqrt(sum(float(((each - each.mean()) ** 2).sum()) for each in differences) / freedom), freedom


def confirm(study: optuna.Study, plan: Plan, score: Score, executor: Executor = LOCAL) -> Difference | None:
    """Train the winner and the defaults with fresh seeds; return how much better the winner is.

    With the seeds that chose it the winner looks too good, because the best of many settings also had luck with them.
    None with a single seed, which has no spread to compute an interval from, and when no setting beats the defaults.
    """
    winner = best(study)
    if winner is None or plan.seeds < 2:
        return None
    fresh = range(plan.seeds, 2 * plan.seeds)
    theirs = _score_seeds(study, FRESH, "defaults", {}, fresh, score, executor)
    values = chosen_values(winner.params, plan.space)
    ours = _score_seeds(study, FRESH, str(winner.number), values, fresh, score, executor)
    differences = np.subtract(ours, theirs) * (1 if plan.higher else -1)
    spread, freedom = noise(study)
    reach = float(stats.t.ppf(0.975, freedom)) * spread / math.sqrt(len(differences))
    mean = float(differences.mean())
    return Difference(mean, mean - reach, mean + reach)


def best(study: optuna.Study) -> FrozenTrial | None:
    """The finished setting with the best mean; None when none is better than the defaults."""
    sign = 1 if study.direction is optuna.study.StudyDirection.MAXIMIZE else -1
    top = max(completed(study), key=lambda trial: sign * _mean(trial), default=None)
    return top if top is not None and sign * (_mean(top) - np.mean(default_scores(study))) > 0 else None


def confirmed_best(study: optuna.Study, confirmed: Difference | None) -> FrozenTrial | None:
    """The best setting; None when fresh seeds say that its lead was luck."""
    return None if confirmed is not None and confirmed.high < 0 else best(study)


def best_scores(study: optuna.Study) -> list[float]:
    """The scores of the best setting so far, the defaults included."""
    winner = best(study)
    return list(winner.user_attrs[SCORES]) if winner else default_scores(study)


def completed(study: optuna.Study) -> list[FrozenTrial]:
    """The settings that were trained with every seed."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """The settings that count: those trained with every seed, and those that were ended early."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def place_of(study: optuna.Study, trial: FrozenTrial) -> int:
    """The number by which a setting is called: 1 for the first that was finished."""
    return [other.number for other in finished(study)].index(trial.number) + 1


def default_scores(study: optuna.Study) -> list[float]:
    return list(study.user_attrs[DEFAULTS][""])


def chosen_values(proposed: Values, space: Mapping[str, Range]) -> dict[str, Value]:
    """The values a setting is trained with: numbers have three significant digits, so that what is read is what was."""
    chosen: dict[str, Value] = {}
    for key, value in proposed.items():
        low, high = space[key].low, space[key].high
        if isinstance(value, float) and low is not None and high is not None:
            value = min(max(float(f"{value:.3g}"), float(low)), float(high))
        chosen[key] = value
    return chosen


def describe(scores: Sequence[float]) -> str:
    """Mean and, with several seeds, their standard deviation.

    >>> describe([0.5, 0.6]), describe([0.5])
    ('0.5500 ± 0.0707', '0.5000')
    """
    return f"{np.mean(scores):.4f}" + (f" ± {np.std(scores, ddof=1):.4f}" if len(scores) > 1 else "")


def _score_seeds(
    study: optuna.Study, attribute: str, name: str, values: Values, seeds: range, score: Score, executor: Executor
) -> list[float]:
    """The scores with these seeds; remembered, so that no training is done twice."""
    remembered = dict(study.user_attrs.get(attribute, {}))
    scores = list(remembered.get(name, []))
    for of_seed in executor.map(SeedTask(score), [(values, seed) for seed in seeds[len(scores) :]]):
        scores.append(of_seed)
        study.set_user_attr(attribute, remembered | {name: scores})
    return scores


def _distribution(values: Range) -> BaseDistribution:
    if values.low is None or values.high is None:
        return CategoricalDistribution(values.choices)
    if isinstance(values.low, int) and isinstance(values.high, int):
        return IntDistribution(values.low, values.high, log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)


def _mean(trial: FrozenTrial) -> float:
    return float(np.mean(trial.user_attrs[SCORES]))
