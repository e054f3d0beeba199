"""A training phase: epochs of batches, early stopping, and resuming after a kill to the same weights."""

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lacuna.config.blocks import Optimizer, Train
from lacuna.core.scores import activate, average_precision, log_loss
from lacuna.core.targets import Targets
from lacuna.errors import DivergedError
from lacuna.features import backend
from lacuna.features.backend import keras
from lacuna.io.progress import progress
from lacuna.training import data_parallel
from lacuna.training.checkpoint import Checkpoint, TrainingState
from lacuna.training.data import LabelledBatches
from lacuna.training.history import EpochRow
from lacuna.training.losses import MaskedLoss
from lacuna.training.optimizers import SCHEDULES, averaged, epochs_of_rise, make_optimizer
from lacuna.training.statistics import TargetStatistics

PRINTED = ("log_loss", "val_log_loss", "val_average_precision")


@dataclass(frozen=True)
class Phase:
    """How one phase trains.

    `patience` counts epochs without a better validation log loss; None never stops early. While no epoch is better than
    the weights that the phase started from it is one epoch, and those in which the learning rate still rises are not
    judged: what brings nothing costs little. `factors`: by layer name, what its learning rate is multiplied by; 1 for
    the others.
    """

    name: str
    targets: Targets
    statistics: list[TargetStatistics]
    train: Train
    optimizer: Optimizer
    learning_rate: float
    epochs: int
    patience: int | None
    factors: Mapping[str, float] = field(default_factory=dict)


def train_phase(
    phase: Phase,
    model: keras.Model,
    training: LabelledBatches,
    validation: LabelledBatches,
    checkpoint: Checkpoint | None = None,
    on_epoch: Callable[[EpochRow], None] | None = None,
) -> tuple[list[EpochRow], int]:
    """Train `model` in place, leave it with the weights of its best epoch; return the history and that epoch's number.

    Best is the lowest validation log loss: unweighted, masked, averaged over targets, so that runs with different
    losses and class weights compare. Epoch 0, the model as it came, takes part: a phase never makes the model worse. It
    is the history's first row, which has no training loss.
    With a moving average of the weights, the averaged ones are validated and kept, the others go on learning.

    Without a checkpoint nothing is written. `on_epoch` is called with each epoch's row of the history, instead of
    printing it; what it raises stops the training. Raises DivergedError when the loss becomes infinite or NaN.
    """
    objective = MaskedLoss(phase.targets, phase.statistics, phase.train)
    plain = MaskedLoss(phase.targets, phase.statistics)
    optimizer = make_optimizer(
        phase.optimizer, model, phase.learning_rate, phase.epochs * len(training.batches), phase.factors
    )
    model.compile(
        optimizer=optimizer,
        loss=objective,
        weighted_metrics=[keras.metrics.MeanMetricWrapper(plain.call, name="log_loss")],
        jit_compile=backend.jit_compile(),
    )
    data_parallel.gather_predictions(model)
    state = (checkpoint.load() if checkpoint else None) or _first_state(phase, model, optimizer, objective, validation)
    data_parallel.check_agreement(len(state.history) - 1)
    model.set_weights(state.weights)
    _assign(optimizer, state.optimizer)
    for epoch in range(len(state.history), phase.epochs + 1):
        if epoch > _last_epoch(phase, state.best_epoch):
            break
        _reseed_dropout(model, phase.train.seed, epoch)
        row = {"epoch": epoch, **_train_epoch(model, training, epoch)}
        with averaged(model):
            row |= validate(phase, model, objective, validation)
            weights = model.get_weights()
        if not all(map(math.isfinite, row.values())):
            raise DivergedError(
                f"{phase.name} diverged: its loss is not finite after epoch {epoch}; lower {phase.name}.learning_rate"
            )
        state.history.append(row)
        if row.get("val_log_loss", math.inf) < state.best_log_loss:
            state.best_weights, state.best_log_loss, state.best_epoch = weights, row["val_log_loss"], epoch
        SCHEDULES[phase.optimizer.schedule].after_epoch(optimizer, phase.optimizer, epoch - state.best_epoch)
        state.weights, state.optimizer = model.get_weights(), _values(optimizer)
        if checkpoint:
            checkpoint.save(state)
        (on_epoch or _print_row(phase))(row)
    model.set_weights(state.best_weights)
    if state.best_epoch == 0 and not on_epoch:
        print(f"{phase.name}: no epoch improved the validation log loss, the weights it started from are kept")
    return state.history, state.best_epoch


def _last_epoch(phase: Phase, best_epoch: int) -> float:
    """The epoch after which the phase stops if none is better than `best_epoch`."""
    if phase.patience is None:
        return math.inf
    if best_epoch:
        return best_epoch + phase.patience
    return max(epochs_of_rise(phase.optimizer, phase.epochs), 1)


def _first_state(
    phase: Phase, model: keras.Model, optimizer: keras.Optimizer, objective: MaskedLoss, validation: LabelledBatches
) -> TrainingState:
    row = {"epoch": 0, **validate(phase, model, objective, validation)}
    weights = model.get_weights()
    return TrainingState(weights, _values(optimizer), weights, row.get("val_log_loss", math.inf), 0, [row])


def _print_row(phase: Phase) -> Callable[[EpochRow], None]:
    def show(row: EpochRow) -> None:
        shown = "  ".join(f"{name} {row[name]:.4f}" for name in PRINTED if name in row)
        print(f"{phase.name} epoch {row['epoch']}/{phase.epochs}  {shown}", flush=True)

    return show


def _train_epoch(model: keras.Model, part: LabelledBatches, epoch: int) -> EpochRow:
    """One pass over a part; the objective and the log loss, averaged over its images as they were trained on."""
    totals = {"loss": 0.0, "log_loss": 0.0}
    batches = part.batches.epoch(epoch, data_parallel.own_share)
    for chosen, inputs in progress(batches, total=len(part.batches), what=f"epoch {epoch}", unit="batches"):
        logs = data_parallel.train_on_batch(model, inputs, part.labels[chosen])
        for name in totals:
            totals[name] += float(logs[name]) * len(chosen)
    return {name: total / len(part.labels) for name, total in totals.items()}


def predict_logits(model: keras.Model, part: LabelledBatches) -> NDArray[np.float32]:
    """The logits (n, n_logits) of a part's clean images."""
    batches = part.batches.clean(data_parallel.own_share)
    return np.concatenate([data_parallel.predict_on_batch(model, inputs, len(chosen)) for chosen, inputs in batches])


def validate(phase: Phase, model: keras.Model, objective: MaskedLoss, part: LabelledBatches) -> EpochRow:
    """The objective, the log loss and the average precision on a part; the last two also per target.

    A metric that the known labels do not define is left out.
    """
    logits = predict_logits(model, part)
    row = {"val_loss": float(keras.ops.mean(objective.call(part.labels, keras.ops.convert_to_tensor(logits))))}
    for index, (target, columns) in enumerate(zip(phase.targets, phase.targets.slices, strict=True)):
        labels, probabilities = part.labels[:, index], activate(target, logits[:, columns])
        if (labels >= 0).any():
            row[f"val_log_loss_{target.name}"] = log_loss(labels, probabilities)
        precision = average_precision(labels, probabilities)
        if precision is not None:
            row[f"val_average_precision_{target.name}"] = precision
    for metric in ("val_log_loss", "val_average_precision"):
        values = [value for name, value in row.items() if name.startswith(f"{metric}_")]
        if values:
            row[metric] = float(np.mean(values))
    return row


def count_parameters(model: keras.Model) -> dict[str, int]:
    """How many parameters a phase trains, of how many it runs."""
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    return {"parameters_trained": trained, "parameters": int(model.count_params())}


def _reseed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Have dropout draw the same masks in an epoch whether or not the training was interrupted before it."""
    for layer in backend.flat_layers(model):
        if isinstance(layer, keras.layers.Dropout) and getattr(layer, "seed_generator", None) is not None:
            state = np.random.SeedSequence([seed, epoch, zlib.crc32(layer.name.encode())]).generate_state(2)
            layer.seed_generator.state.assign(state.astype(layer.seed_generator.state.dtype))


def _values(optimizer: keras.Optimizer) -> list[NDArray[np.generic]]:
    return [keras.ops.convert_to_numpy(variable) for variable in optimizer.variables]


def _assign(optimizer: keras.Optimizer, values: list[NDArray[np.generic]]) -> None:
    for variable, value in zip(optimizer.variables, values, strict=True):
        variable.assign(value)
