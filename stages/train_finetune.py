"""Phase 2: the last layers and the head, from the best epoch of phase 1, with early stopping.

python -m stages.train_finetune
"""

from pathlib import Path

from lacuna.backbones import load_weights
from lacuna.checkpoint import open_checkpoint
from lacuna.config import Params
from lacuna.diagnosis import diagnose_collapse, diagnose_history
from lacuna.files import sha256, whole_folder
from lacuna.network import build_head, save_weights
from lacuna.phases import fine_tune, fine_tune_key
from lacuna.predictions import Predictions
from lacuna.training import write_history
from lacuna.training_data import TrainingData
from stages._run import Facts, checkpoint_folder, run

HISTORY = Path("plots/history_finetune.csv")


def train_finetune(params: Params) -> Facts:
    data = TrainingData.open(Path("data"), params.train)
    head = build_head(data.store.pooled.shape[-1], data.targets, params.head)
    load_weights(head, Path("models/warmup.weights.h5"), "warm-up's head")
    with open_checkpoint(checkpoint_folder(), fine_tune_key(params, data, head)) as checkpoint:
        tuned = fine_tune(params, data, head, checkpoint)
        with whole_folder(Path("data/predictions")) as folder:
            data.targets.save(folder / "targets.json")
            for name, logits in tuned.logits.items():
                part = data.manifest.part(name)
                Predictions(logits, part.labels, part.image, part.group).save(folder / f"{name}.npz")
        write_history(HISTORY, "finetune", tuned.history, data.targets)
        save_weights(tuned.network, Path("models/finetuned.weights.h5"))
    labels = data.manifest.part("val").labels
    notes = diagnose_history(tuned.history, tuned.best_epoch)
    notes += diagnose_collapse(data.targets, labels, tuned.logits["val"])
    for note in notes:
        print(note)
    return {**tuned.parameters, "epochs": len(tuned.history), "notes": notes, "history_sha256": sha256(HISTORY)}


if __name__ == "__main__":
    run("train_finetune", train_finetune)
