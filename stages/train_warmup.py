"""Phase 1: the head on the pooled features of the frozen backbone.

python -m stages.train_warmup
"""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lacuna import backend
from lacuna.backbones import build_backbone
from lacuna.checkpoint import fingerprint, open_checkpoint
from lacuna.config import Augment, Params
from lacuna.diagnosis import diagnose_history
from lacuna.files import sha256
from lacuna.freeze_boundary import cut
from lacuna.network import augment_in_graph, build_head, join, save_weights, start_at_prior
from lacuna.training import Phase, count_parameters, train_phase, write_history
from lacuna.training_data import TrainingData
from stages._run import Facts, checkpoint_folder, run

HISTORY = Path("plots/history_warmup.csv")


def train_warmup(params: Params) -> Facts:
    backend.make_reproducible(params.train.seed)
    data = TrainingData.open(Path("data"))
    head = build_head(data.store.pooled.shape[-1], data.targets, params.head.dropout)
    start_at_prior(head, data.targets, data.statistics)
    inputs: NDArray[Any] | Augment = data.store.pooled
    model = head
    if not data.store.info.views:
        backbone = build_backbone(params.backbone, data.images.shape[1])
        parts = cut(backbone, unfreeze=0)
        inputs = params.augment
        model = augment_in_graph(parts.trunk, join(parts.tail, head), params.augment.cutout)

    parameters = count_parameters(model)
    print(f"warm-up trains {parameters['parameters_trained']:,} of {parameters['parameters']:,} parameters")
    phase = Phase(
        "warmup", data.targets, data.statistics, params.train, params.warmup.learning_rate, params.warmup.epochs, None
    )
    training, validation = (data.part(name, inputs, params.train) for name in ("train", "val"))
    key = fingerprint("warmup", str(params.train), str(params.warmup), str(params.augment), *data.identity())
    with open_checkpoint(checkpoint_folder(), key) as checkpoint:
        history, best_epoch = train_phase(phase, model, training, validation, checkpoint)
        write_history(HISTORY, phase.name, history, data.targets)
        save_weights(head, Path("models/warmup.weights.h5"))
    notes = diagnose_history(history, best_epoch)
    for note in notes:
        print(note)
    return {**parameters, "epochs": len(history), "notes": notes, "history_sha256": sha256(HISTORY)}


if __name__ == "__main__":
    run("train_warmup", train_warmup)
