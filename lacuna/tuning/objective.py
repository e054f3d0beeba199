"""What `python -m lacuna tune` trains and compares: both phases on the cached features, scored on validation."""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lacuna.calibration.candidates import choose
from lacuna.config.params import Params
from lacuna.config.search_space import (
    CHOICE_KEYS,
    TRAINING_BLOCKS,
    Value,
    check_together,
    get_value,
    set_values,
    typed_space,
    without_effect,
)
from lacuna.core.predictions import Predictions
from lacuna.core.scores import Floats, Labels, activate, average_precision, log_loss
from lacuna.errors import LacunaError
from lacuna.evaluation.baselines.trivial import training_prior
from lacuna.evaluation.scoring import score_validation
from lacuna.execution.executor import LOCAL, Executor
from lacuna.io.atomic import atomic_file
from lacuna.tracking.content import Run, flatten
from lacuna.training.candidates import candidates_of
from lacuna.training.data import TrainingData
from lacuna.training.history import EpochRow
from lacuna.training.phases import warm_up
from lacuna.tuning.plots import plot_search
from lacuna.tuning.report import as_run, summary, write_trials
from lacuna.tuning.search import (
    Plan,
    ReportEpoch,
    Values,
    chosen_values,
    confirm,
    confirmed_best,
    open_study,
    place_of,
    search,
)

OfTargets = Callable[[Params, TrainingData, Predictions], list[float | None]]
"""Parameters, data and the predictions for validation → the metric of each target, None where it is not defined."""


@dataclass(frozen=True)
class SearchMetric:
    """What may be searched for. `of_epoch`: a row of the history → what stands for the metric while a training runs;
    `higher`: whether more is better, in both."""

    of_targets: OfTargets
    of_epoch: Callable[[EpochRow], float]
    higher: bool


@dataclass(frozen=True)
class Tuned:
    """The result of a search: the table with the verdict, the winner's values and experiment's name, the MLflow run."""

    summary: str
    values: dict[str, Value]
    experiment: str
    run: Run


logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns that many models are built, as they are here


@dataclass(frozen=True)
class SettingScore:
    """`score_setting` of these parameters and data."""

    params: Params
    data: TrainingData

    def __call__(self, values: Values, seed: int, report: ReportEpoch | None) -> float:
        return score_setting(self.params, self.data, values, seed, report)


def tune(params: Params, data: TrainingData, parent: Path, executor: Executor = LOCAL) -> Tuned:
    """Search, or go on searching, in the folder of `parent` that is named after the study; write what was found there.
    executor: trains with several seeds at a time.

    Files: study.db, trials.csv, summary.txt, history.png, space.png, importance.png. `values` is empty when no setting
    beats params.yaml as it is, or the best setting is worse than it with fresh seeds.
    """
    plan, name, metric = plan_search(params), study_name(params, data), params.tune.metric
    folder, score = parent / name, SettingScore(params, data)
    print(f"{folder}: {plan.trials} settings of {plan.seeds} seeds, {len(plan.space)} parameters", flush=True)
    with open_study(folder, name, plan) as study:
        search(study, plan, score, executor=executor)
        confirmed = confirm(study, plan, score, executor)
        text = summary(study, plan, metric, confirmed)
        write_trials(folder / "trials.csv", study, plan)
        with atomic_file(folder / "summary.txt") as partial:
            partial.write_text(text + "\n", encoding="utf-8")
        defaults = {key: get_value(params, key) for key in plan.space}
        plots = plot_search(folder, study, plan, metric, defaults)
        files = [folder / "trials.csv", folder / "summary.txt", *plots]
        run = as_run(study, plan, flatten(params.model_dump(mode="json")), metric, files)
        winner = confirmed_best(study, confirmed)
        values = chosen_values(winner.params, plan.space) if winner else {}
        return Tuned(text, values, f"{name}-{place_of(study, winner)}" if winner else "", run)


def plan_search(params: Params) -> Plan:
    """What the block `tune` asks for; keys that change nothing under the other settings are named and left out.

    Raises LacunaError when no other key is in the space, or a value in it does not go with the other settings.
    """
    tune = params.tune
    inert = without_effect(params, tune.space)
    said = [f"tune.space.{key} has no effect with {setting}" for key, setting in inert.items()]
    if len(inert) == len(tune.space):
        raise LacunaError(f"params.yaml: nothing to search: {'; '.join(said)}")
    for each in said:
        print(f"{each}; left out of the search", flush=True)
    space = {key: values for key, values in typed_space(params, tune.space).items() if key not in inert}
    try:
        check_together(params, space)
    except ValueError as error:
        raise LacunaError(f"params.yaml: {error}") from None
    return Plan(space, tune.trials, tune.seeds, higher=METRICS[tune.metric].higher)


def study_name(params: Params, data: TrainingData) -> str:
    """Name the study by what its scores depend on: data, space, seeds, metric, and all other training parameters.

    A search goes on where one of the same name stopped; any difference starts another.
    """
    content = params.model_dump(mode="json")
    read = {block: content[block] for block in TRAINING_BLOCKS} | {key: get_value(params, key) for key in CHOICE_KEYS}
    read["tune"] = {key: value for key, value in content["tune"].items() if key != "trials"}
    if params.tune.metric == "f1":
        read["calibrate"] = content["calibrate"]
    digest = hashlib.sha256(json.dumps(read, sort_keys=True).encode())
    for part in data.identity():
        digest.update(part.encode() if isinstance(part, str) else np.ascontiguousarray(part).tobytes())
    return f"tune-{digest.hexdigest()[:8]}"


def score_setting(params: Params, data: TrainingData, values: Values, seed: int, report: ReportEpoch | None) -> float:
    """Train both phases with `values` in the place of the parameters; return the macro metric on validation.

    It is that of the model that would be kept. The test part is not read. Average precision and log loss are
    those of the network's own probabilities, before calibration, which changes the log loss alone. F1 is that of
    decisions by cross-fitted calibration, as in metrics/validation.json, each target deciding alone.
    """
    setting: Params = set_values(params, {**values, "train.seed": params.train.seed + seed})

    def on_epoch(row: EpochRow) -> None:
        if report is not None:
            report(METRICS[params.tune.metric].of_epoch(row))

    fine_tunes = setting.finetune.epochs > 0
    warm = warm_up(setting, data, on_epoch=_ignore if fine_tunes else on_epoch)
    candidates, _ = candidates_of(setting, data, warm.head, on_epoch=on_epoch, predict=("val",))
    part = data.manifest.part("val")
    predictions = {
        name: Predictions(candidate.logits["val"], part.labels, part.image, part.group)
        for name, candidate in candidates.items()
    }
    kept = choose(data.targets, predictions, setting.calibrate, setting.evaluate).kept
    return macro_metric(setting, data, predictions[kept])


def macro_metric(params: Params, data: TrainingData, validation: Predictions) -> float:
    """The mean over targets of the metric that is searched for; targets whose known labels don't define it left out."""
    values = METRICS[params.tune.metric].of_targets(params, data, validation)
    return float(np.mean([value for value in values if value is not None and not np.isnan(value)]))


def _ignore(row: EpochRow) -> None:
    """Print nothing: a search has too many epochs."""


def _each_target(score: Callable[[Labels, Floats], float | None]) -> OfTargets:
    """A metric of the labels (n,) and the probabilities before calibration, of one target after the other."""

    def of_targets(params: Params, data: TrainingData, validation: Predictions) -> list[float | None]:
        return [
            score(validation.labels[:, index], activate(target, validation.logits[:, columns]))
            for index, (target, columns) in enumerate(zip(data.targets, data.targets.slices, strict=True))
        ]

    return of_targets


def _log_loss(labels: Labels, probabilities: Floats) -> float | None:
    return log_loss(labels, probabilities) if (labels >= 0).any() else None


def _f1(params: Params, data: TrainingData, validation: Predictions) -> list[float | None]:
    priors = [training_prior(list(statistic.counts)) for statistic in data.statistics]
    alone = params.evaluate.model_copy(update={"bootstrap": 0})
    scored = score_validation(data.targets, validation, priors, params.calibrate, alone)
    return [float(of_target.metrics["f1"][0]) for of_target in scored]


METRICS = {
    "average_precision": SearchMetric(
        _each_target(average_precision), lambda row: row["val_average_precision"], higher=True
    ),
    "log_loss": SearchMetric(_each_target(_log_loss), lambda row: row["val_log_loss"], higher=False),
    "f1": SearchMetric(_f1, lambda row: -row["val_log_loss"], higher=True),  # an epoch has no decisions
}
"""By the names that `tune.metric` may have."""
