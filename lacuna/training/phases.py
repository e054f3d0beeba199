"""Both training phases, from parameters and data to networks; they write no files. Stages and the search call them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lacuna.config.params import Params
from lacuna.core.head_weights import HeadWeights
from lacuna.core.manifest import Part
from lacuna.core.scores import Floats
from lacuna.training.checkpoint import Checkpoint, fingerprint
from lacuna.training.data import TrainingData
from lacuna.training.exact_head import solve_head
from lacuna.training.exact_path import PathStep
from lacuna.training.history import EpochRow
from lacuna.training.kept_heads import KeptHeads

if TYPE_CHECKING:
    from lacuna.features.stages import Tail

OnEpoch = Callable[[EpochRow], None]


@dataclass(frozen=True)
class WarmUp:
    """The head, and how many parameters were trained and run.

    By descent: the history and the number of the epoch that was kept. Solved exactly: the path of penalties by target.
    """

    head: HeadWeights
    parameters: dict[str, int]
    history: list[EpochRow] = field(default_factory=list)
    best_epoch: int = 0
    path: Mapping[str, Sequence[PathStep]] = field(default_factory=dict)


@dataclass(frozen=True)
class FineTuned:
    """What fine-tuning made of the layers above the freeze boundary in its best epoch.

    weights (channels, n_logits): what the standardized means of their last feature map add to the head's logits.
    logits (n, n_logits), with that added, by part. history, best_epoch: the epochs, 0 being the head alone, and the
    number of the best one.
    """

    tail: "Tail"
    weights: Floats
    logits: dict[Part, NDArray[np.float32]]
    history: list[EpochRow]
    best_epoch: int
    parameters: dict[str, int]


def warm_up(
    params: Params,
    data: TrainingData,
    checkpoint: Checkpoint | None = None,
    on_epoch: OnEpoch | None = None,
    kept: Path | None = None,
) -> WarmUp:
    """Phase 1: the head on the features of the clean images, solved exactly, or by gradient descent over all views.

    checkpoint, on_epoch: as in `train_phase`; an exact head needs neither. kept: where solved heads are kept. Raises
    LacunaError when the parameters don't suit the data.
    """
    if params.warmup.solver == "sgd":
        from lacuna.training.descent import descend  # here, because it imports Keras

        return descend(params, data, checkpoint, on_epoch)
    training, store = data.manifest.part("train"), data.store
    exact = solve_head(
        store.features,
        training.row,
        training.labels,
        training.group,
        data.targets,
        data.statistics,
        params.train,
        params.warmup.l2,
        params.train.seed,
        KeptHeads(kept, store.info.checksum) if kept else None,
    )
    size = exact.head.weights.size + exact.head.bias.size
    return WarmUp(exact.head, {"parameters_trained": size, "parameters": size}, path=exact.path)


def warm_up_key(params: Params, data: TrainingData) -> str:
    """What names the checkpoint of this very warm-up."""
    settings = (params.head, params.train, params.optimizer, params.warmup, params.augment)
    return fingerprint("warmup", *map(str, settings), *data.identity())


def fine_tune_key(params: Params, data: TrainingData, head: HeadWeights) -> str:
    """What names the checkpoint of this very fine-tuning."""
    settings = (params.head, params.train, params.optimizer, params.finetune, params.augment)
    return fingerprint("finetune", *map(str, settings), *data.identity(), *head.arrays().values())
