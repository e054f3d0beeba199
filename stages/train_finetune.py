"""Phase 2: the last layers and the head, from the best epoch of phase 1, with early stopping.

python -m stages.train_finetune
"""

from pathlib import Path

from lacuna.config.params import Params
from lacuna.core.predictions import Predictions
from lacuna.features.backbones import load_weights
from lacuna.io.atomic import atomic_folder, sha256
from lacuna.training.checkpoint import open_checkpoint
from lacuna.training.data import TrainingData
from lacuna.training.loop import write_history
from lacuna.training.model import build_head, save_weights
from lacuna.training.phases import fine_tune, fine_tune_key
from stages._run import Facts, checkpoint_folder, run

HISTORY = Path("plots/history_finetune.csv")


def train_finetune(params: Params) -> Facts:
    data = TrainingData.open(Path("data"), params.train)
    head = build_head(data.store.pooled.shape[-1], data.targets, params.head)
    load_weights(head, Path("models/warmup.weights.h5"), "warm-up's head")
    with open_checkpoint(checkpoint_folder(), fine_tune_key(params, data, head)) as checkpoint:
        tuned = fine_tune(params, data, head, checkpoint)
        with atomic_folder(Path("data/predictions")) as folder:
            data.targets.save(folder / "targets.json")
            for name, logits in tuned.logits.items():
                part = data.manifest.part(name)
                Predictions(logits, part.labels, part.image, part.group).save(folder / f"{name}.npz")
        write_history(HISTORY, "finetune", tuned.history, data.targets)
        save_weights(tuned.network, Path("models/finetuned.weights.h5"))
    return {
        **tuned.parameters,
        "epochs": len(tuned.history),
        "best_epoch": tuned.best_epoch,
        "history_sha256": sha256(HISTORY),
    }


if __name__ == "__main__":
    run("train_finetune", train_finetune)
