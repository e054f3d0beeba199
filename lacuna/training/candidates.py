"""What may be kept of both phases: the head, the fine-tuned network, or their mean in logits."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lacuna.config.params import Params
from lacuna.core.feature_layout import FeatureLayout
from lacuna.core.head_weights import HeadWeights
from lacuna.core.manifest import Part
from lacuna.training.checkpoint import Checkpoint
from lacuna.training.data import TrainingData
from lacuna.training.phases import FineTuned, OnEpoch, head_logits

if TYPE_CHECKING:
    from lacuna.features.backend import keras

HEAD, FINE_TUNED, MEAN = "head", "fine-tuned", "mean"
"""The candidates' names, from the cheapest to the dearest in prediction."""


@dataclass(frozen=True)
class Candidate:
    """A head on features of `layout`, with the fine-tuned layers `tail` if some of those are theirs.

    logits: float32 (n, n_logits) by part.
    """

    head: HeadWeights
    layout: FeatureLayout
    tail: "keras.Model | None"
    logits: dict[Part, NDArray[np.float32]]

    def save(self, folder: Path, kept: str, unfreeze: int | str) -> None:
        """Write the model as `lacuna.training.trained` reads it."""
        from lacuna.training.trained import Trained, save_trained

        save_trained(folder, Trained(kept, self.layout, unfreeze), self.head, self.tail)


def candidates_of(
    params: Params,
    data: TrainingData,
    head: HeadWeights,
    checkpoint: Checkpoint | None = None,
    on_epoch: OnEpoch | None = None,
    predict: Sequence[Part] = ("val", "test"),
) -> tuple[dict[str, Candidate], FineTuned | None]:
    """Fine-tune from a head, and name what may be kept. Without an epoch better than the head, that is the head alone.

    checkpoint, on_epoch, predict: as in `fine_tune`. Keras is only loaded where something is fine-tuned.
    """
    layout = data.store.info.layout
    logits = {part: head_logits(head, data, part) for part in predict}
    candidates = {HEAD: Candidate(head, layout, None, logits)}
    if params.finetune.epochs == 0:
        return candidates, None
    from lacuna.training.fine_tuning import fine_tune, mean_of_heads

    tuned = fine_tune(params, data, head, checkpoint, on_epoch, predict)
    if tuned.best_epoch > 0:
        candidates[FINE_TUNED] = Candidate(tuned.head, tuned.layout, tuned.tail, tuned.logits)
        if head.linear:
            both, wider = mean_of_heads(head, tuned, layout)
            means = {part: (logits[part] + tuned.logits[part]) / 2 for part in predict}
            candidates[MEAN] = Candidate(both, wider, tuned.tail, means)
    return candidates, tuned
