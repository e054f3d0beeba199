"""Features in the shards of their images, kept: an image whose pixels were seen before is not computed again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lacuna.io.atomic import create_array, sha256
from lacuna.io.file_digests import open_digests, stamp_of
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


Compute = Callable[[NDArray[np.uint8], Sequence[int], Mapping[str, NDArray[Any]]], None]
"""Fills the given rows of arrays by name, from the same rows of images uint8 (n, size, size, 3)."""


@dataclass(frozen=True)
class ShardOfFeatures:
    """A piece of work: a shard of images, whose features go below `folder`, under the shard's name."""

    images: Path
    folder: Path


def write_feature_shards(
    folder: Path,
    images: Path,
    forms: Mapping[str, ArrayForm],
    compute: Compute,
    kept: Path,
    inputs: Sequence[NDArray[Any] | str],
) -> None:
    """Write arrays into the folders of their names below `folder`, in the shards of those of the folder `images`.

    inputs: everything beside code and pixels that shapes a row. kept: where shards are kept; what is there is not made
    again. The same bytes whatever is there.
    """
    work = [ShardOfFeatures(path, folder) for path in list_shards(images)]
    stated = [f"{name} {form.shape} {np.dtype(form.dtype).str}" for name, form in forms.items()]
    recipe = digest_recipe(CODE_OF_FEATURES, describe_processor(), *stated, *inputs)
    cache = ShardCache(kept / "features", recipe)
    n_images = [len(np.load(shard.images, mmap_mode="r")) for shard in work]
    sizes = dict(zip(work, n_images, strict=True))
    for shard in progress(work, total=sum(n_images), what="featurize", unit="images", size=sizes.__getitem__):
        make_feature_shard(shard, forms, compute, cache, kept / "digests.sqlite")


def make_feature_shard(
    shard: ShardOfFeatures, forms: Mapping[str, ArrayForm], compute: Compute, cache: ShardCache, digests: Path
) -> int:
    """Make the files of a shard, from what is kept as far as it goes; return how many images it has.

    digests: the file that remembers those of files.
    """
    with open_digests(digests) as known:
        stamp = stamp_of(shard.images)
        key = known.find(stamp)
        if key is None:
            key = sha256(shard.images)
            known.remember(stamp, key)
    entry = cache.find(key) or _compute_shard(key, shard.images, forms, compute, cache)
    for name in forms:
        entry.link(f"{name}.npy", shard.folder / name / shard.images.name)
    return len(entry.rows)


def _compute_shard(key: str, path: Path, forms: Mapping[str, ArrayForm], compute: Compute, cache: ShardCache) -> Entry:
    images = np.load(path, mmap_mode="r")
    rows = [blake2b(image.tobytes(), digest_size=16).hexdigest() for image in images]

    def write(folder: Path) -> tuple[()]:
        arrays = {
            name: create_array(folder / f"{name}.npy", (len(rows), *form.shape), form.dtype)
            for name, form in forms.items()
        }
        missing = []
        for at, row in enumerate(rows):
            place = cache.place(row)
            if place is None:
                missing.append(at)
                continue
            entry, there = place
            for name, array in arrays.items():
                array[at] = cache.read(entry, f"{name}.npy")[there]
        if missing:
            compute(images, missing, arrays)
        for array in arrays.values():
            array.flush()
        return ()

    return cache.keep(key, rows, write)
