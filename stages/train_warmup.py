"""Phase 1: the head on the pooled features of the frozen backbone.

python -m stages.train_warmup
"""

from pathlib import Path

from lacuna.checkpoint import open_checkpoint
from lacuna.config import Params
from lacuna.diagnosis import diagnose_history
from lacuna.files import sha256
from lacuna.network import save_weights
from lacuna.phases import warm_up, warm_up_key
from lacuna.training import write_history
from lacuna.training_data import TrainingData
from stages._run import Facts, checkpoint_folder, run

HISTORY = Path("plots/history_warmup.csv")


def train_warmup(params: Params) -> Facts:
    data = TrainingData.open(Path("data"), params.train)
    with open_checkpoint(checkpoint_folder(), warm_up_key(params, data)) as checkpoint:
        warm = warm_up(params, data, checkpoint)
        write_history(HISTORY, "warmup", warm.history, data.targets)
        save_weights(warm.head, Path("models/warmup.weights.h5"))
    notes = diagnose_history(warm.history, warm.best_epoch)
    for note in notes:
        print(note)
    return {**warm.parameters, "epochs": len(warm.history), "notes": notes, "history_sha256": sha256(HISTORY)}


if __name__ == "__main__":
    run("train_warmup", train_warmup)
