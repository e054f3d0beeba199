"""What a phase was like from epoch to epoch, as a file."""

import csv
from collections.abc import Sequence
from pathlib import Path

from lacuna.core.targets import Targets
from lacuna.io.atomic import atomic_file

EpochRow = dict[str, float]
"""An epoch: its number, and losses and metrics by name; epoch 0 is the model as it came."""


def write_history(path: Path, phase: str, history: Sequence[EpochRow], best_epoch: int, targets: Targets) -> None:
    """Write the history as CSV, a row per epoch, for `dvc plots`; `kept` is 1 in the row of the best epoch."""
    columns = ["loss", "val_loss", "log_loss", "val_log_loss", "val_average_precision"]
    columns += [f"val_{metric}_{name}" for name in targets.names for metric in ("log_loss", "average_precision")]
    with atomic_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["phase", "epoch", "kept", *columns], lineterminator="\n")
        writer.writeheader()
        for row in history:
            known = {name: f"{row[name]:.6f}" for name in columns if name in row}
            epoch = int(row["epoch"])
            writer.writerow({"phase": phase, "epoch": epoch, "kept": int(epoch == best_epoch), **known})
