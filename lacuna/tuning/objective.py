"""What `python -m lacuna tune` trains and compares: both phases on the cached features, scored on validation."""

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lacuna.config.params import Params
from lacuna.config.search_space import Value, get_value, set_values, typed_space
from lacuna.core.predictions import Predictions
from lacuna.core.scores import activate, average_precision, log_loss
from lacuna.evaluation.baselines.trivial import training_prior
from lacuna.evaluation.scoring import score_validation
from lacuna.features.backend import keras
from lacuna.io.atomic import whole_file
from lacuna.tracking.content import Run, flatten
from lacuna.training.data import TrainingData
from lacuna.training.loop import Row
from lacuna.training.phases import fine_tune, warm_up
from lacuna.tuning.plots import plot_search
from lacuna.tuning.report import as_run, summary, write_trials
from lacuna.tuning.search import (
    Plan,
    Report,
    Values,
    chosen_values,
    confirm,
    confirmed_best,
    open_study,
    place_of,
    search,
)

TRAINING_BLOCKS = ("backbone", "augment", "head", "train", "optimizer", "warmup", "finetune")


@dataclass(frozen=True)
class Tuned:
    """What a search came to: the table with the verdict, the winner's values and experiment's name, the MLflow run."""

    summary: str
    values: dict[str, Value]
    experiment: str
    run: Run


logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns that many models are built, as they are here


def tune(params: Params, data: TrainingData, parent: Path) -> Tuned:
    """Search, or go on searching, in the folder of `parent` that is named after the study; write what was found there.

    study.db, trials.csv, summary.txt, history.png, space.png, importance.png. `values` is empty when nothing beats the
    parameters as they are, or what did loses to them with fresh seeds.
    """
    plan, name, figure = plan_search(params), study_name(params, data), params.tune.figure
    folder = parent / name

    def score(values: Values, seed: int, report: Report | None) -> float:
        return score_setting(params, data, values, seed, report)

    print(f"{folder}: {plan.trials} settings of {plan.seeds} seeds, {len(plan.space)} parameters", flush=True)
    with open_study(folder, name, plan) as study:
        search(study, plan, score)
        confirmed = confirm(study, plan, score)
        text = summary(study, plan, figure, confirmed)
        write_trials(folder / "trials.csv", study, plan)
        with whole_file(folder / "summary.txt") as partial:
            partial.write_text(text + "\n", encoding="utf-8")
        defaults = {key: get_value(params, key) for key in plan.space}
        pictures = plot_search(folder, study, plan, figure, defaults)
        files = [folder / "trials.csv", folder / "summary.txt", *pictures]
        run = as_run(study, plan, flatten(params.model_dump(mode="json")), figure, files)
        winner = confirmed_best(study, confirmed)
        values = chosen_values(winner.params, plan.space) if winner else {}
        return Tuned(text, values, f"{name}-{place_of(study, winner)}" if winner else "", run)


def plan_search(params: Params) -> Plan:
    """What the block `tune` asks for."""
    tune = params.tune
    return Plan(typed_space(params, tune.space), tune.trials, tune.seeds, higher=tune.figure != "log_loss")


def study_name(params: Params, data: TrainingData) -> str:
    """Names the study by what its figures depend on: data, space, seeds, figure, and all other training parameters.

    With the same name a search goes on; anything else starts another one.
    """
    content = params.model_dump(mode="json")
    read = {block: content[block] for block in TRAINING_BLOCKS}
    read["tune"] = {key: value for key, value in content["tune"].items() if key != "trials"}
    if params.tune.figure == "f1":
        read["calibrate"] = content["calibrate"]
    digest = hashlib.sha256(json.dumps(read, sort_keys=True).encode())
    for part in data.identity():
        digest.update(part.encode() if isinstance(part, str) else np.ascontiguousarray(part).tobytes())
    return f"tune-{digest.hexdigest()[:8]}"


def score_setting(params: Params, data: TrainingData, values: Values, seed: int, report: Report | None) -> float:
    """Train both phases with `values` in the place of the parameters; return the macro figure on validation.

    It is the figure of the fine-tuned model's best epoch. The test part is not read. Average precision and log loss
    are those of the network's own scores: the former does not ask for calibration, the latter is raw. F1 is of
    decisions by cross-fitted calibration, as in metrics/validation.json, each target deciding alone.
    """
    keras.utils.clear_session()
    setting: Params = set_values(params, {**values, "train.seed": params.train.seed + seed})

    def on_epoch(row: Row) -> None:
        if report is not None:
            report(row["val_average_precision"] if figure == "average_precision" else sign * row["val_log_loss"])

    figure = params.tune.figure
    sign = -1 if figure == "f1" else 1  # an epoch has no decisions; its log loss stands in
    fine_tunes = setting.finetune.epochs > 0
    warm = warm_up(setting, data, on_epoch=_ignore if fine_tunes else on_epoch)
    tuned = fine_tune(setting, data, warm.head, on_epoch=on_epoch if fine_tunes else _ignore, predict=("val",))
    part = data.manifest.part("val")
    predictions = Predictions(tuned.logits["val"], part.labels, part.image, part.group)
    return macro_metric(setting, data, predictions)


def macro_metric(params: Params, data: TrainingData, validation: Predictions) -> float:
    """The mean over targets of the figure that is searched for; targets whose known labels don't define it left out."""
    values: list[float | None] = []
    if params.tune.figure == "f1":
        priors = [training_prior(list(statistic.counts)) for statistic in data.statistics]
        alone = params.evaluate.model_copy(update={"bootstrap": 0})
        scored = score_validation(data.targets, validation, priors, params.calibrate, alone)
        values = [float(one.figures["f1"][0]) for one in scored]
    else:
        for index, (target, columns) in enumerate(zip(data.targets, data.targets.slices, strict=True)):
            labels = validation.labels[:, index]
            probabilities = activate(target, validation.logits[:, columns])
            if params.tune.figure == "average_precision":
                values.append(average_precision(labels, probabilities))
            elif (labels >= 0).any():
                values.append(log_loss(labels, probabilities))
    return float(np.mean([value for value in values if value is not None and not np.isnan(value)]))


def _ignore(row: Row) -> None:
    """The epochs of a search are not printed."""
