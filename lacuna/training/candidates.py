"""What may be kept of both phases: the head, the fine-tuned layers with it, or the mean of both logits."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lacuna.config.params import Params
from lacuna.core.feature_store import FeatureLayout
from lacuna.core.head_weights import HEAD_ALONE, HeadWeights
from lacuna.core.manifest import Part
from lacuna.training.checkpoint import Checkpoint
from lacuna.training.data import TrainingData, head_logits
from lacuna.training.phases import FineTuned, OnEpoch

if TYPE_CHECKING:
    from lacuna.features.stages import Tail

SHARES_TUNED = {"mean": 0.5, "fine-tuned": 1.0}
"""The candidates beside the head, and how far the logits of each go from the head's to the fine-tuned ones."""


@dataclass(frozen=True)
class ModelCandidate:
    """A head on features of `layout`, with the fine-tuned layers `tail` if some of those are theirs.

    logits: float32 (n, n_logits) by part.
    """

    head: HeadWeights
    layout: FeatureLayout
    tail: "Tail | None"
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
) -> tuple[dict[str, ModelCandidate], FineTuned | None]:
    """Fine-tune from a head, and name what may be kept. Without an epoch better than the head, that is the head alone.

    checkpoint, on_epoch, predict: as in `fine_tune`. Keras is only loaded where something is fine-tuned.
    """
    layout = data.store.info.layout
    logits = {part: head_logits(head, data, part) for part in predict}
    candidates = {HEAD_ALONE: ModelCandidate(head, layout, None, logits)}
    if params.finetune.epochs == 0:
        return candidates, None
    from lacuna.features.stages import layout_with
    from lacuna.training.fine_tuning import fine_tune

    residual = params.finetune.residual
    tuned = fine_tune(params, data, head if residual else head.scaled(0), checkpoint, on_epoch, predict)
    if tuned.best_epoch > 0:
        wider, top = layout_with(layout, tuned.tail), layout.top
        for name, share in SHARES_TUNED.items():
            beside = head if residual else head.scaled(1 - share)
            candidates[name] = ModelCandidate(
                beside.with_columns(head.mean[top], head.scale[top], share * tuned.weights),
                wider,
                tuned.tail,
                {part: logits[part] + share * (tuned.logits[part] - logits[part]) for part in predict},
            )
    return candidates, tuned
