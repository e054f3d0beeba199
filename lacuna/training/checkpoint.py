"""What a killed training needs to end with the same weights as an undisturbed one: a file, renewed each epoch."""

import contextlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from lacuna.io.atomic import save_arrays
from lacuna.io.recipe import digest_recipe

Arrays = list[NDArray[Any]]

CODE_OF_A_TRAINING = ("core", "features", "training")
"""The packages whose code shapes a training: those that dvc.yaml names among the deps of both training stages."""


@dataclass
class TrainingState:
    """A phase after an epoch: everything that does not derive from (seed, epoch).

    The optimizer's values include its step, its learning rate and the moving average of the weights.
    """

    weights: Arrays
    optimizer: Arrays
    best_weights: Arrays
    best_log_loss: float
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Checkpoint:
    path: Path

    def save(self, state: TrainingState) -> None:
        arrays = {
            f"{name}_{i:04d}": array
            for name in ("weights", "optimizer", "best_weights")
            for i, array in enumerate(getattr(state, name))
        }
        numbers = {"best_log_loss": state.best_log_loss, "best_epoch": state.best_epoch, "history": state.history}
        save_arrays(self.path, {"numbers": np.array(json.dumps(numbers)), **arrays})

    def load(self) -> TrainingState | None:
        """The state after the last finished epoch, or None when there is none that can be read."""
        if not self.path.exists():
            return None
        try:
            return self._read()
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            print(f"{self.path}: damaged ({error}); training starts over", flush=True)
            return None

    def _read(self) -> TrainingState:
        with self.path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays: dict[str, Arrays] = {"weights": [], "optimizer": [], "best_weights": []}
            for key in sorted(file.files):
                if key != "numbers":
                    arrays[key.rpartition("_")[0]].append(file[key])
            numbers = json.loads(str(file["numbers"]))
        return TrainingState(
            arrays["weights"],
            arrays["optimizer"],
            arrays["best_weights"],
            numbers["best_log_loss"],
            numbers["best_epoch"],
            numbers["history"],
        )


def fingerprint(*inputs: NDArray[Any] | str) -> str:
    """Name a training by everything that shapes it: its inputs, Keras' version and the code of CODE_OF_A_TRAINING.

    Only the very same training may resume from a checkpoint; any other would end with weights that no uninterrupted
    training has.
    """
    return digest_recipe(CODE_OF_A_TRAINING, version("keras"), *inputs)


@contextlib.contextmanager
def open_checkpoint(folder: Path, key: str) -> Iterator[Checkpoint]:
    """Yield the checkpoint `key` below `folder`, locked; remove it when the block ends without an error.

    The lock is needed because a stage lives on when the `dvc` that started it is killed: a second one waits for it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{key}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("waiting: the same training is running in another process", flush=True)
        lock.acquire()
    try:
        yield Checkpoint(folder / key / "state.npz")
        shutil.rmtree(folder / key, ignore_errors=True)
    finally:
        lock.release()
