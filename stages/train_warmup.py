"""Phase 1: the head on the features of the frozen backbone.

python -m stages.train_warmup
"""

from pathlib import Path

from lacuna.config.params import Params
from lacuna.io.atomic import sha256
from lacuna.training.checkpoint import open_checkpoint
from lacuna.training.data import TrainingData
from lacuna.training.exact_path import describe_path, write_path
from lacuna.training.history import write_history
from lacuna.training.phases import warm_up, warm_up_key
from stages._run import Facts, cache_folder, checkpoint_folder, run

HISTORY = Path("plots/history_warmup.csv")


def train_warmup(params: Params) -> Facts:
    data = TrainingData.open(Path("data"), params.train)
    with open_checkpoint(checkpoint_folder(), warm_up_key(params, data)) as checkpoint:
        warm = warm_up(params, data, checkpoint, kept=cache_folder())
        write_history(HISTORY, "warmup", warm.history, warm.best_epoch, data.targets)
        write_path(Path("plots/regularization_path.csv"), warm.path)
        warm.head.save(Path("models/head.npz"))
    print(*describe_path(warm.path), sep="\n", end="\n" if warm.path else "")
    return {
        **warm.parameters,
        "epochs": max(len(warm.history) - 1, 0),
        "best_epoch": warm.best_epoch,
        "history_sha256": sha256(HISTORY),
    }


if __name__ == "__main__":
    run("train_warmup", train_warmup)
