"""Predict a listing into a folder, as the command line asks for it: what is there is kept, and counts are told."""

import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from lacuna.errors import LacunaError
from lacuna.execution.executor import Executor
from lacuna.inference.listing_prediction import FETCHES_AT_ONCE, AskedModel, PredictShard, Shard, cut_into_shards
from lacuna.inference.output_files import WRITERS
from lacuna.io.plurals import number_of
from lacuna.io.progress import progress
from lacuna.io.remote_files import absolute, is_url, names_in, place_in, write_whole

SUMMARY_FILE = "_summary.json"
"""Readers of a folder of Parquet files pass over names that begin with an underscore."""

TABLE_FILE = re.compile(r"(?![_.]).*\.parquet", re.DOTALL)
"""What they take for a part of the table. Partial files are of a run that was killed, or is at work."""


def predict_listing(
    executor: Executor, model: AskedModel, listing: str, out: str, column: str | None, shard_images: int, strict: bool
) -> int:
    """Predict each image of a listing once, into the folder `out`, and return the exit code.

    column: of names in a CSV or Parquet file, as `cut_listing` takes it. shard_images: names for each file.
    1 when no image could be read, or with `strict` when one could not. Counts are printed on standard error and stand
    in SUMMARY_FILE, which is written last. Raises LacunaError before anything is predicted when `out` holds predictions
    of another listing or model, and as `PredictShard` does.
    """
    if out.endswith(tuple(WRITERS)) or (not is_url(out) and Path(out).is_file()):
        raise LacunaError(f"{out}: a file; with --listing, --out names a folder")
    if shard_images < 1:
        raise LacunaError(f"--shard-images: expected 1 or more, received {shard_images}")
    if find_spec("pyarrow") is None:
        raise LacunaError(f"{out}: Parquet needs pyarrow: pip install pyarrow")
    started, listing, out = time.monotonic(), absolute(listing), absolute(out)
    shards = cut_into_shards(listing, column, out, shard_images)
    task = PredictShard(model)
    _refuse_others(task, out, shards)
    receipts = executor.map(task, shards)
    done = list(progress(receipts, total=len(shards), what="predict", unit="shards"))
    n_images, n_unreadable = (sum(counts) for counts in zip(*((r.n_images, r.n_unreadable) for r in done), strict=True))
    n_repeated = sum(shard.names.n_names for shard in shards) - n_images
    summary = {"images": n_images, "unreadable": n_unreadable, "repeated_names": n_repeated, "files": len(shards)}
    content = json.dumps(summary | model.said(), indent=2) + "\n"
    write_whole(place_in(out, SUMMARY_FILE), content.encode())

    n_there = sum(receipt.was_there for receipt in done)
    told = [
        f"{number_of(n_images, 'image')} in {number_of(len(shards), 'file')}",
        f"{n_there} of them there before" * bool(n_there),
        f"{number_of(n_repeated, 'repeated name')} left out" * bool(n_repeated),
        f"{number_of(n_unreadable, 'image')} can't be read, see the column error" * bool(n_unreadable),
        f"{time.monotonic() - started:.1f} s",
    ]
    print(f"{out}: {', '.join(filter(None, told))}", file=sys.stderr)
    return 1 if n_unreadable and (strict or n_unreadable == n_images) else 0


def _refuse_others(task: PredictShard, out: str, shards: list[Shard]) -> None:
    """Before the first file is written: with those of two models or listings in it, the folder would be neither's, and
    with another table or number of shards there would be other rows, or images twice, for whoever reads it.
    """
    of_file, there = {shard.file: shard for shard in shards}, filter(TABLE_FILE.fullmatch, sorted(names_in(out)))
    files = [place_in(out, name) for name in there]
    if others := [file for file in files if file not in of_file]:
        raise LacunaError(
            f"{others[0]}: another table, or predictions of another listing or by another --shard-images: of this one "
            f"there are {number_of(len(shards), 'file')}; name another folder with --out, or remove this one"
        )
    with ThreadPoolExecutor(FETCHES_AT_ONCE) as pool:  # of a bucket most of it is waiting
        list(pool.map(task.find, [of_file[file] for file in files]))
