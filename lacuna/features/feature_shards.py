"""Features in the shards of their images, kept: an image whose pixels were seen before is not computed again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lacuna.execution.executor import LOCAL, Executor
from lacuna.io.atomic import create_array, sha256
from lacuna.io.file_digests import digests_in, open_digests, stamp_of
from lacuna.io.machine import describe_processor
from lacuna.io.progress import progress
from lacuna.io.recipe import digest_recipe
from lacuna.io.shard_cache import Entry, ShardCache
from lacuna.io.sharded_array import list_shards

CODE_OF_FEATURES = ("core/feature_store.py", "features")
"""The code that shapes features: what dvc.yaml names among the deps of featurize."""


class ArrayForm(NamedTuple):
    """Shape of an image's row in an array, and the dtype."""

    shape: tuple[int, ...]
    dtype: DTypeLike


class Compute(Protocol):
    """Fills the given rows of arrays by name, from the same rows of images uint8 (n, size, size, 3).

    It may be sent to another process, where it makes what it needs anew.
    """

    def __call__(self, images: NDArray[np.uint8], rows: Sequence[int], arrays: Mapping[str, NDArray[Any]]) -> None: ...


@dataclass(frozen=True)
class ShardOfFeatures:
    """A piece of work: a shard of images, whose features go below `folder`, under the shard's name."""

    images: Path
    folder: Path


@dataclass(frozen=True)
class FeatureTask:
    """Makes the files of a shard, from what is kept as far as it goes; returns how many images it has.

    inputs: a digest of everything beside code, pixels and processor that shapes a row. kept, digests: where shards are
    kept, and the file that remembers digests of files.
    """

    forms: Mapping[str, ArrayForm]
    compute: Compute
    inputs: str
    kept: Path
    digests: Path

    def __call__(self, shard: ShardOfFeatures) -> int:
        with open_digests(self.digests) as known:
            stamp = stamp_of(shard.images)
            key = known.find(stamp)
            if key is None:
                key = sha256(shard.images)
                known.remember(stamp, key)
        entry = self._cache.find(key) or self._compute_shard(key, shard.images)
        for name in self.forms:
            entry.link(f"{name}.npy", shard.folder / name / shard.images.name)
        return len(entry.rows)

    @cached_property
    def _cache(self) -> ShardCache:
        """By the recipe of where it runs: another machine's processor may give other last bits."""
        stated = [f"{name} {form.shape} {np.dtype(form.dtype).str}" for name, form in self.forms.items()]
        recipe = digest_recipe(CODE_OF_FEATURES, describe_processor(), *stated, self.inputs)
        return ShardCache(self.kept / "features", recipe)

    def _compute_shard(self, key: str, path: Path) -> Entry:
        images = np.load(path, mmap_mode="r")
        rows = [blake2b(image.tobytes(), digest_size=16).hexdigest() for image in images]

        def write(folder: Path) -> tuple[()]:
            arrays = {
                name: create_array(folder / f"{name}.npy", (len(rows), *form.shape), form.dtype)
                for name, form in self.forms.items()
            }
            missing = []
            for at, row in enumerate(rows):
                place = self._cache.place(row)
                if place is None:
                    missing.append(at)
                    continue
                entry, there = place
                for name, array in arrays.items():
                    array[at] = self._cache.read(entry, f"{name}.npy")[there]
            if missing:
                self.compute(images, missing, arrays)
            for array in arrays.values():
                array.flush()
            return ()

        return self._cache.keep(key, rows, write)


def write_feature_shards(
    folder: Path,
    images: Path,
    forms: Mapping[str, ArrayForm],
    compute: Compute,
    kept: Path,
    inputs: Sequence[NDArray[Any] | str],
    executor: Executor = LOCAL,
) -> None:
    """Write arrays into the folders of their names below `folder`, in the shards of those of the folder `images`.

    inputs: everything beside code, pixels and processor that shapes a row. kept: where shards are kept; what is there
    is not made again. executor: what makes them. The same bytes whatever is there, by whatever it is done.
    """
    work = [ShardOfFeatures(path, folder) for path in list_shards(images)]
    n_images = sum(len(np.load(shard.images, mmap_mode="r")) for shard in work)
    digests = digests_in(kept, on_one_machine=executor.on_one_machine)
    task = FeatureTask(forms, compute, digest_recipe((), *inputs), kept, digests)
    for _ in progress(executor.map(task, work), total=n_images, what="featurize", unit="images", size=int):
        pass
