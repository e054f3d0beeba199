"""Solved heads of single targets, kept: where labels of one target change, that one alone is solved again."""

from pathlib import Path

import numpy as np
import scipy
from numpy.typing import NDArray

from lacuna.io.machine import describe_processor
from lacuna.io.recipe import digest_recipe
from lacuna.io.shard_cache import ShardCache
from lacuna.training.exact_path import PathStep, SolvedTarget

CODE_OF_A_HEAD = ("core", "stats", "training")
"""What may change a solved head, and then some: the packages that stage train_warmup depends on for it."""

WEIGHTS_FILE, BIAS_FILE = "weights.npy", "bias.npy"


class KeptHeads:
    """Heads of targets on the same features, by everything that shapes one beside them."""

    def __init__(self, folder: Path, features: str) -> None:
        """folder: of all that is kept. features: a digest of the features of all images."""
        libraries = f"numpy {np.__version__}, SciPy {scipy.__version__}, {describe_processor()}"
        self._cache = ShardCache(folder / "heads", digest_recipe(CODE_OF_A_HEAD, libraries, features))

    def find(self, *inputs: NDArray[np.generic] | str) -> SolvedTarget | None:
        """The head that was solved from these inputs, or None."""
        entry = self._cache.find(digest_recipe((), *inputs))
        if entry is None:
            return None
        path = [PathStep(step["l2"], step["log_loss"], step["chosen"]) for step in entry.notes]
        return SolvedTarget(np.load(entry.folder / WEIGHTS_FILE), np.load(entry.folder / BIAS_FILE), path)

    def keep(self, solved: SolvedTarget, *inputs: NDArray[np.generic] | str) -> None:
        """Keep what was solved from these inputs."""

        def write(folder: Path) -> list[dict[str, float | bool | None]]:
            np.save(folder / WEIGHTS_FILE, solved.weights)
            np.save(folder / BIAS_FILE, solved.bias)
            return [step._asdict() for step in solved.path]

        self._cache.keep(digest_recipe((), *inputs), (), write)
