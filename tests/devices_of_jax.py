"""Fine-tuning as a process of its own: JAX takes its devices, and joins other processes, when it starts.

python tests/devices_of_jax.py GIVEN FOUND EPOCH: GIVEN is a pickle of parameters, data and head. History, weights and
logits, and how many rows each device here was given of each array, go to FOLDER FOUND. After epoch EPOCH the training
is killed, and resumed; 0 lets it be.
"""

import contextlib
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np

from lacuna.training.checkpoint import Checkpoint, TrainingState
from lacuna.training.fine_tuning import fine_tune
from lacuna.training.phases import FineTuned


class Killed(KeyboardInterrupt):
    pass


class KilledAfter(Checkpoint):
    epoch = 0

    def save(self, state: TrainingState) -> None:
        super().save(state)
        if state.history[-1]["epoch"] == self.epoch:
            raise Killed


def main(given: Path, found: Path, epoch_of_the_kill: int) -> None:
    params, data, head = pickle.loads(given.read_bytes())
    laid_out = _watch_layouts()
    if epoch_of_the_kill:
        KilledAfter.epoch = epoch_of_the_kill
        with contextlib.suppress(Killed):
            fine_tune(params, data, head, KilledAfter(found / "state.npz"), on_epoch=lambda row: None)
    tuned = fine_tune(params, data, head, Checkpoint(found / "state.npz"), on_epoch=lambda row: None)
    _save(found, tuned, laid_out)


def _watch_layouts() -> list[list[int]]:
    """What JAX is about to lay out over devices: of each array how many rows each device of this process gets."""
    import jax

    lay_out, seen = jax.make_array_from_process_local_data, []

    def watched(sharding: Any, array: Any) -> Any:
        whole = lay_out(sharding, array)
        seen.append([len(shard.data) for shard in whole.addressable_shards])
        return whole

    jax.make_array_from_process_local_data = watched
    return seen


def _save(folder: Path, tuned: FineTuned, laid_out: list[list[int]]) -> None:
    weights = [tuned.weights, *tuned.tail.means.get_weights()]
    np.savez(folder / "arrays.npz", **tuned.logits, **{f"weights_{i}": array for i, array in enumerate(weights)})
    (folder / "history.json").write_text(json.dumps(tuned.history))
    (folder / "laid_out.json").write_text(json.dumps(laid_out))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
