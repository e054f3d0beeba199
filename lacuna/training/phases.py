"""Both training phases, from parameters and data to networks; they write no files. Stages and the search call them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.config.blocks import Augment
from lacuna.config.params import Params
from lacuna.core.manifest import Part
from lacuna.errors import LacunaError
from lacuna.features import backend
from lacuna.features.backbones import build_backbone
from lacuna.features.backend import keras
from lacuna.features.freeze_boundary import cut
from lacuna.training.batches import FeatureBatches, ResampledBatches
from lacuna.training.checkpoint import Checkpoint, fingerprint
from lacuna.training.data import LabelledBatches, TrainingData
from lacuna.training.loop import EpochRow, Phase, count_parameters, predict_logits, train_phase
from lacuna.training.mlsmote import Synthetic, mlsmote, resampled_statistics
from lacuna.training.model import attach_head, augment_in_graph, build_head, start_at_prior
from lacuna.training.optimizers import depth_factors
from lacuna.training.statistics import TargetStatistics

OnEpoch = Callable[[EpochRow], None]

RESAMPLERS = {"mlsmote": mlsmote}
"""By the names that `warmup.resample` may have beside none: what makes synthetic images of the training part."""


@dataclass(frozen=True)
class WarmUp:
    """The head of the best epoch, the history, that epoch's number, and how many parameters were trained and run."""

    head: keras.Model
    history: list[EpochRow]
    best_epoch: int
    parameters: dict[str, int]


@dataclass(frozen=True)
class FineTuned:
    """The network of the best epoch, images uint8 (n, size, size, 3) → logits, its logits (n, n_logits) by part, the
    history, that epoch's number, and how many parameters were trained and run."""

    network: keras.Model
    logits: dict[Part, NDArray[np.float32]]
    history: list[EpochRow]
    best_epoch: int
    parameters: dict[str, int]


def warm_up(
    params: Params, data: TrainingData, checkpoint: Checkpoint | None = None, on_epoch: OnEpoch | None = None
) -> WarmUp:
    """Train a new head on the pooled features, or on freshly changed images where no views were stored.

    checkpoint, on_epoch: as in `train_phase`. Raises LacunaError when the parameters don't suit the data.
    """
    resampler = RESAMPLERS[params.warmup.resample] if params.warmup.resample != "none" else None
    if resampler and not data.store.info.views:
        raise LacunaError(
            f"params.yaml: warmup.resample: {params.warmup.resample} works on stored pooled features, and warm-up "
            f"reads images here ({data.store.info.streamed}); expected none"
        )
    backend.make_reproducible(params.train.seed)
    head = build_head(data.store.pooled.shape[-1], data.targets, params.head)
    start_at_prior(head, data.targets, data.statistics)
    inputs: NDArray[Any] | Augment = data.store.pooled
    model = head
    if not data.store.info.views:
        backbone = build_backbone(params.backbone, data.images.shape[1])
        parts = cut(backbone, unfreeze=0)
        inputs = params.augment
        model = augment_in_graph(parts.trunk, attach_head(parts.tail, head), params.augment.cutout)
    training, validation = (data.part(name, inputs, params.train) for name in ("train", "val"))
    statistics = data.statistics
    if resampler:
        training, statistics = _resample(resampler, training, data, params.train.seed)
    parameters = count_parameters(model)
    if not on_epoch:
        synthetic = len(training.labels) - len(data.manifest.part("train"))
        print(
            f"warm-up trains {parameters['parameters_trained']:,} of {parameters['parameters']:,} parameters"
            + (f"; {synthetic} synthetic images beside the real ones" if statistics is not data.statistics else "")
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
    history, best_epoch = train_phase(phase, model, training, validation, checkpoint, on_epoch)
    return WarmUp(head, history, best_epoch, parameters)


def warm_up_key(params: Params, data: TrainingData) -> str:
    """What names the checkpoint of this very warm-up."""
    settings = (params.head, params.train, params.optimizer, params.warmup, params.augment)
    return fingerprint("warmup", *map(str, settings), *data.identity())


def fine_tune(
    params: Params,
    data: TrainingData,
    head: keras.Model,
    checkpoint: Checkpoint | None = None,
    on_epoch: OnEpoch | None = None,
    predict: Sequence[Part] = ("val", "test"),
) -> FineTuned:
    """Train the tail and, in place, a warmed-up head; then compute the logits of the parts in `predict`.

    checkpoint, on_epoch: as in `train_phase`. A search must leave the test part out of `predict`.
    """
    backend.make_reproducible(params.train.seed)
    settings = params.finetune
    backbone = build_backbone(params.backbone, data.images.shape[1])
    parts = cut(backbone, settings.unfreeze)
    model = attach_head(parts.tail, head)
    inputs: NDArray[Any] | Augment = params.augment
    if data.store.boundary is None:
        model = augment_in_graph(parts.trunk, model, params.augment.cutout)
    else:
        inputs = data.store.boundary
    parameters = count_parameters(model)
    if not on_epoch:
        print(
            f"fine-tuning trains {parameters['parameters_trained']:,} of {parameters['parameters']:,} parameters "
            f"from {parts.boundary} up"
            + (f"; reads images: {data.store.info.streamed}" if data.store.info.streamed else "")
        )
    phase = Phase(
        "finetune",
        data.targets,
        data.statistics,
        params.train,
        params.optimizer,
        settings.learning_rate,
        settings.epochs,
        settings.patience,
        depth_factors(backbone, settings.layer_decay),
    )
    training, validation = (data.part(name, inputs, params.train) for name in ("train", "val"))
    history, best_epoch = train_phase(phase, model, training, validation, checkpoint, on_epoch)
    logits = {name: predict_logits(model, data.part(name, inputs, params.train)) for name in predict}
    return FineTuned(attach_head(backbone, head), logits, history, best_epoch, parameters)


def fine_tune_key(params: Params, data: TrainingData, head: keras.Model) -> str:
    """What names the checkpoint of this very fine-tuning."""
    settings = (params.head, params.train, params.optimizer, params.finetune, params.augment)
    return fingerprint("finetune", *map(str, settings), *data.identity(), *head.get_weights())


def _resample(
    resampler: Callable[..., Synthetic], training: LabelledBatches, data: TrainingData, seed: int
) -> tuple[LabelledBatches, list[TargetStatistics]]:
    real = training.batches
    assert isinstance(real, FeatureBatches)
    synthetic = resampler(real.features[:, 0], real.rows, training.labels, data.targets, seed)
    labels = np.concatenate([training.labels, synthetic.labels])
    return LabelledBatches(ResampledBatches(real, synthetic), labels), resampled_statistics(data.statistics, labels)
