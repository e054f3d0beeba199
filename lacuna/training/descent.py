"""Phase 1 by gradient descent: for heads with a hidden layer, and losses that an exact solution does not have."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lacuna.config.params import Params
from lacuna.features import backend
from lacuna.features.backend import keras
from lacuna.io.plurals import number_of
from lacuna.training.batches import FeatureBatches, ResampledBatches
from lacuna.training.checkpoint import Checkpoint
from lacuna.training.data import LabelledBatches, TrainingData
from lacuna.training.data_parallel import use_all_devices
from lacuna.training.loop import Phase, count_parameters, train_phase
from lacuna.training.mlsmote import Synthetic, mlsmote, resampled_statistics
from lacuna.training.model import build_head, head_weights, set_standardization, start_at_prior
from lacuna.training.phases import OnEpoch, WarmUp
from lacuna.training.standard_rows import training_scale
from lacuna.training.statistics import TargetStatistics

RESAMPLERS = {"mlsmote": mlsmote}
"""By the names that `warmup.resample` may have beside none: what makes synthetic images of the training part."""


def descend(
    params: Params, data: TrainingData, checkpoint: Checkpoint | None = None, on_epoch: OnEpoch | None = None
) -> WarmUp:
    """Train a new head on the features of all views that are stored.

    checkpoint, on_epoch: as in `train_phase`. Raises LacunaError when the parameters don't suit the data.
    """
    store = data.store
    resampler = RESAMPLERS[params.warmup.resample] if params.warmup.resample != "none" else None
    keras.utils.clear_session()  # a search trains many
    backend.make_reproducible(params.train.seed)
    use_all_devices()
    head = build_head(store.features.shape[-1], data.targets, params.head)
    set_standardization(head, *training_scale(store.features, data.manifest.part("train").row))
    start_at_prior(head, data.targets, data.statistics)
    training, validation = (data.feature_batches(name, params.train) for name in ("train", "val"))
    statistics = data.statistics
    if resampler:
        training, statistics = _resample(resampler, training, data, params.train.seed)
    parameters = count_parameters(head)
    if not on_epoch:
        synthetic = len(training.labels) - len(data.manifest.part("train"))
        print(
            f"warm-up trains {parameters['parameters_trained']:,} of {parameters['parameters']:,} parameters"
            + (
                f"; {number_of(synthetic, 'synthetic image')} beside the real ones"
                if statistics is not data.statistics
                else ""
            )
        )
    settings = params.warmup
    phase = Phase(
        "warmup",
        data.targets,
        statistics,
        params.train,
        params.optimizer,
        settings.learning_rate,
        settings.epochs,
        patience=None,
    )
    history, best_epoch = train_phase(phase, head, training, validation, checkpoint, on_epoch)
    return WarmUp(head_weights(head), parameters, history, best_epoch)


def _resample(
    resampler: Callable[..., Synthetic], training: LabelledBatches, data: TrainingData, seed: int
) -> tuple[LabelledBatches, list[TargetStatistics]]:
    real = training.batches
    assert isinstance(real, FeatureBatches)
    synthetic = resampler(real.arrays[0][:, 0], real.rows, training.labels, data.targets, seed)
    labels = np.concatenate([training.labels, synthetic.labels])
    return replace(training, batches=ResampledBatches(real, synthetic), labels=labels), resampled_statistics(
        data.statistics, labels
    )
