"""Phase 2: the last layers and the head, from the best epoch of phase 1, with early stopping.

python -m stages.train_finetune
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna import backend
from lacuna.backbones import build_backbone, load_weights
from lacuna.checkpoint import fingerprint, open_checkpoint
from lacuna.config import Params
from lacuna.diagnosis import diagnose_collapse, diagnose_history
from lacuna.files import sha256, whole_folder
from lacuna.freeze_boundary import cut
from lacuna.network import augment_in_graph, build_head, join, save_weights
from lacuna.predictions import Predictions
from lacuna.training import Phase, count_parameters, predict_logits, train_phase, write_history
from lacuna.training_data import TrainingData
from stages._run import Facts, checkpoint_folder, run

HISTORY = Path("plots/history_finetune.csv")


def train_finetune(params: Params) -> Facts:
    backend.make_reproducible(params.train.seed)
    data = TrainingData.open(Path("data"))
    backbone = build_backbone(params.backbone, data.images.shape[1])
    head = build_head(backbone.output_shape[-1], data.targets, params.head.dropout)
    load_weights(head, Path("models/warmup.weights.h5"), "warm-up's head")
    parts = cut(backbone, params.finetune.unfreeze)
    model = join(parts.tail, head)
    if data.store.boundary is None:
        model = augment_in_graph(parts.trunk, model, params.augment.cutout)
    inputs = params.augment if data.store.boundary is None else data.store.boundary

    parameters = count_parameters(model)
    print(
        f"fine-tuning trains {parameters['parameters_trained']:,} of {parameters['parameters']:,} parameters "
        f"from {parts.boundary} up"
        + (f"; reads images: {data.store.info.streamed}" if data.store.info.streamed else "")
    )
    tune = params.finetune
    phase = Phase(
        "finetune", data.targets, data.statistics, params.train, tune.learning_rate, tune.epochs, tune.patience
    )
    training, validation, test = (data.part(name, inputs, params.train) for name in ("train", "val", "test"))
    key = fingerprint(
        "finetune", str(params.train), str(tune), str(params.augment), *data.identity(), *head.get_weights()
    )
    logits: dict[str, NDArray[np.float32]] = {}
    with open_checkpoint(checkpoint_folder(), key) as checkpoint:
        history, best_epoch = train_phase(phase, model, training, validation, checkpoint)
        with whole_folder(Path("data/predictions")) as folder:
            for name, part in (("val", validation), ("test", test)):
                logits[name] = predict_logits(model, part)
                known = part.manifest
                Predictions(logits[name], known.labels, known.image, known.group).save(folder / f"{name}.npz")
        write_history(HISTORY, phase.name, history, data.targets)
        save_weights(join(backbone, head), Path("models/finetuned.weights.h5"))
    notes = diagnose_history(history, best_epoch) + diagnose_collapse(data.targets, validation.labels, logits["val"])
    for note in notes:
        print(note)
    return {**parameters, "epochs": len(history), "notes": notes, "history_sha256": sha256(HISTORY)}


if __name__ == "__main__":
    run("train_finetune", train_finetune)
